//! Options that read arguments which the body moves or changes.

use super::super::*;

#[log_experiment(name = name, tags = [format!("{name}!"), words.join(" ")])]
fn tagged(_bench: &Bench, name: String, words: Vec<String>) -> (String, Vec<String>) {
    (name, words)
}

#[test_hypothesis(claim = claim, null = &values, paired = true)]
fn sampled(_bench: &Bench, claim: String, values: Vec<f64>) -> Vec<f64> {
    drop(claim);
    values
}

#[test_hypothesis(claim = "the words are long", null = |_bench, seed| length(&words) + seed as f64 * 1e-30)]
fn drawn(_bench: &Bench, words: Vec<String>) -> f64 {
    words.into_iter().map(|word| word.len() as f64).sum::<f64>() + 1.0
}

fn length(words: &[String]) -> f64 {
    words.iter().map(|word| word.len() as f64).sum()
}

#[test_hypothesis(claim = "the values grow", null = |_bench, _seed| values[0], statistic = |sum| *sum - f64::from(offset.0))]
fn grown(_bench: &Bench, values: &mut Vec<f64>, offset: Offset) -> f64 {
    values[0] += 2.0;
    let Offset(offset) = offset;
    values.iter().sum::<f64>() + f64::from(offset)
}

#[derive(Clone)]
struct Offset(u32);

#[plot_results(name = title, dir = dir)]
fn drawn_into(_bench: &Bench, title: String, dir: std::path::PathBuf, #[figure] fig: &mut Figure) {
    drop((title, dir));
    fig.push(plot::Heatmap::new([[1.0, 2.0]]));
}

#[test]
fn an_option_has_its_own_copy_of_an_argument() {
    let (folder, bench) = bench();
    assert_eq!(tagged(&bench, "probe".into(), vec!["a".into(), "b".into()]).0, "probe");
    assert_eq!(only_run(&bench, "probe").tags, ["probe!", "a b"]);
    drawn_into(&bench, "Heads".into(), folder.path().join("pictures"));
    assert!(bench.last().unwrap().figures[0].starts_with(folder.path().join("pictures")));
}

#[test]
fn a_claim_is_about_the_arguments_as_they_were() {
    let (_folder, bench) = bench();
    let verdict = || bench.last().unwrap().verdict.unwrap();
    sampled(&bench, "equal".into(), vec![1.0, 2.0, 3.0]);
    assert_eq!((verdict().claim.statement.as_str(), verdict().null.mean()), ("equal", 2.0));
    drawn(&bench, vec!["ab".into(), "c".into()]);
    assert!((verdict().null.mean() - 3.0).abs() < 1e-9);
    grown(&bench, &mut vec![4.0], Offset(3));
    assert_eq!((verdict().null.mean(), verdict().observed.mean), (4.0, 6.0));
}
