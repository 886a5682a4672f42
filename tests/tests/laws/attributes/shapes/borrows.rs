//! Results that borrow from an argument or from `self`, and results that have no name.

use super::super::*;

struct Counts {
    total: u32,
    words: Vec<String>,
}

impl Counts {
    #[log_experiment]
    fn total(&mut self, _bench: &Bench) -> &mut u32 {
        &mut self.total
    }

    #[log_experiment]
    fn words(&mut self, _bench: &Bench) -> impl Iterator<Item = &mut String> {
        self.words.iter_mut()
    }
}

#[log_experiment]
fn first<'a, T: serde::Serialize>(_bench: &Bench, values: &'a mut Vec<T>) -> Option<&'a mut T> {
    values.first_mut()
}

#[log_experiment]
fn halves<'a>(_bench: &Bench, values: &'a mut [u32]) -> (&'a mut [u32], &'a mut [u32]) {
    values.split_at_mut(1)
}

#[log_experiment]
fn longer<'a>(_bench: &Bench, a: &'a str, b: &'a str) -> &'a str {
    if a.len() > b.len() { a } else { b }
}

#[log_experiment]
fn counter<'a>(_bench: &Bench, count: &'a mut u32) -> Box<dyn FnMut() + 'a> {
    Box::new(move || *count += 1)
}

#[log_experiment]
fn lookup<'a>(_bench: &Bench, table: &'a [u32]) -> impl Fn(usize) -> u32 + 'a {
    |at| table[at]
}

/// An error that ours does not convert into.
#[derive(Debug, PartialEq)]
enum Own {
    Empty,
}

#[log_experiment]
fn up_to(_bench: &Bench, n: u32) -> std::result::Result<impl Iterator<Item = u32>, Own> {
    if n == 0 { Err(Own::Empty) } else { Ok(0..n) }
}

#[log_experiment]
fn always(_bench: &Bench) -> std::result::Result<impl Iterator<Item = u32>, Own> {
    Ok(0..2)
}

#[log_experiment]
fn parsed(_bench: &Bench, n: &str) -> std::result::Result<impl Fn() -> u32 + use<>, Box<dyn std::error::Error>> {
    let n = n.parse()?;
    Ok(move || n)
}

#[test]
fn a_result_may_borrow_what_the_body_has() {
    let (_folder, bench) = bench();
    let mut counts = Counts { total: 1, words: vec!["a".into()] };
    *counts.total(&bench) += 2;
    counts.words(&bench).for_each(|word| word.push('b'));
    assert_eq!((counts.total, counts.words), (3, vec!["ab".to_owned()]));
    let mut values = vec![1, 2];
    *first(&bench, &mut values).unwrap() = 5;
    halves(&bench, &mut values).1[0] = 7;
    assert_eq!((longer(&bench, "a", "bc"), lookup(&bench, &values)(1)), ("bc", 7));
    counter(&bench, &mut values[0])();
    assert_eq!(values, [6, 7]);
    assert_eq!(only_run(&bench, "total").outcome, Outcome::Ok(1.into()));
    assert_eq!(only_run(&bench, "first").outcome, Outcome::Ok(1.into()));
}

#[test]
fn a_result_without_a_name_may_have_any_error() {
    let (_folder, bench) = bench();
    assert_eq!(up_to(&bench, 2).unwrap().sum::<u32>() + always(&bench).unwrap().sum::<u32>(), 2);
    assert_eq!(up_to(&bench, 0).map(drop), Err(Own::Empty));
    assert_eq!(parsed(&bench, "3").unwrap()(), 3);
    assert_eq!(parsed(&bench, "x").map(drop).unwrap_err().to_string(), "invalid digit found in string");
    assert_eq!(bench.list_versions("up_to").unwrap().len(), 2);
}
