//! Names that users give: raw ones, those of the standard library, and those that our own code has.

use super::super::*;

#[log_experiment]
fn r#match(_bench: &Bench, r#type: u32) -> u32 {
    r#type
}

/// Everything a prelude has, under other meanings.
mod shadowed {
    #![allow(dead_code, unused_macros, reason = "they only need to be in scope")]

    use arrakis::{log_experiment, plot_results, profile_model, test_hypothesis, use_tools};

    mod std {}
    mod core {}
    mod alloc {}
    struct Option;
    struct Result;
    struct Vec;
    struct String;
    struct Box;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    trait From {}
    trait Into {}
    trait FnOnce {}
    macro_rules! vec {
        () => {};
    }
    macro_rules! env {
        () => {};
    }
    macro_rules! module_path {
        () => {};
    }

    #[log_experiment(seed = 3, tags = ["a"])]
    #[use_tools]
    #[plot_results(name = "Title")]
    #[profile_model]
    #[test_hypothesis(claim = "c", null = |_bench, seed| seed as f64 * 1e-30, test = Auto)]
    pub(super) fn everything(_bench: &arrakis::Bench, x: f64, #[figure] fig: &mut arrakis::plot::Figure) -> f64 {
        fig.push(arrakis::plot::Heatmap::new([[x, 2.0]]));
        x
    }
}

/// Traits of a user with blanket impls, whose methods have names that ours might have.
mod blanket {
    #![allow(dead_code, reason = "they only need to be in scope")]

    pub(super) trait Borrowed {
        fn show(&self) {}
        fn split(&self) {}
        fn message(&self) {}
        fn fail(&self) {}
        fn tool(&self) {}
        fn pass(&mut self) {}
        fn run(&self) {}
        fn own(&self) {}
    }
    impl<T: ?Sized> Borrowed for T {}

    pub(super) trait Owned: Sized {
        fn show(self) {}
        fn split(self) {}
        fn message(self) {}
        fn fail(self) {}
        fn tool(self) {}
        fn pass(self) {}
        fn run(self) {}
        fn inputs(self) {}
        fn of(self) {}
        fn map(self) {}
        fn unwrap_or_else(self) {}
    }
    impl<T> Owned for T {}
}

mod under_blanket_traits {
    use super::super::super::*;
    #[allow(unused_imports, reason = "they only need to be in scope")]
    use super::blanket::{Borrowed as _, Owned as _};

    #[log_experiment(seed = 3)]
    #[use_tools]
    #[test_hypothesis(claim = "c", null = |_bench, seed| seed as f64 * 1e-30, statistic = |x| *x)]
    pub(super) fn score(_bench: &Bench, x: f64, #[tool] depth: Depth) -> Result<f64> {
        Ok(x * depth.n_layers as f64)
    }
}

#[log_experiment]
fn ours(_bench: &Bench, value: u32, error: u32, fail: u32, options: u32, claim: u32, body: u32) -> u32 {
    value + error + fail + options + claim + body
}

macro_rules! written {
    ($name:ident, $arg:ident: $type:ty, $body:block) => {
        #[log_experiment]
        fn $name(bench: &Bench, $arg: $type, own: $type) -> $type {
            let value = $body;
            value + own + bench.current_seed() as $type
        }
    };
}

written!(by_macro, value: u32, { value * 2 });

#[log_experiment]
fn patterns(
    _bench: &Bench,
    (mut a, _b): (u32, u32),
    [c, ..]: [u32; 3],
    &d: &u32,
    (ref e, f @ g): (String, u32),
) -> u32 {
    a += c + d + f + g;
    a + e.len() as u32
}

#[test]
fn raw_names_are_recorded_without_their_mark() {
    let (_folder, bench) = bench();
    assert_eq!(r#match(&bench, 3), 3);
    let record = only_run(&bench, "match");
    assert!(record.function.ends_with("::match"), "{}", record.function);
    assert_eq!(record.argument::<u32>("type").unwrap(), 3);
    assert!(bench.folder().join("match").is_dir());
}

#[test]
fn other_meanings_of_names_change_nothing() {
    let (_folder, bench) = bench();
    assert_eq!(shadowed::everything(&bench, 1.0), 1.0);
    assert_eq!(under_blanket_traits::score(&bench, 1.5).unwrap(), 3.0);
    assert_eq!((ours(&bench, 1, 2, 3, 4, 5, 6), by_macro(&bench, 3, 1)), (21, 7));
    assert_eq!(patterns(&bench, (1, 2), [3, 4, 5], &6, ("xy".into(), 7)), 1 + 3 + 6 + 7 + 7 + 2);
    let arguments = only_run(&bench, "patterns").arguments;
    assert_eq!(arguments.keys().collect::<Vec<_>>(), ["a", "c", "d", "e", "f", "g"]);
}
