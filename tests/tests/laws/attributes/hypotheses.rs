//! Claims are judged when the function runs. `cargo test` tests them if there is a bench to run on.

use super::*;

#[log_experiment]
#[test_hypothesis(claim = "a row of attention sums to one", null = 0.5, alternative = Greater, test = OneSampleT, bench = Bench::embedded(), args(0, 0.001))]
fn row_sums(bench: &Bench, layer: usize, jitter: f64) -> Result<Vec<f64>> {
    let (_, cache) = bench.model().run_with_cache([1, 2, 3], [arrakis::models::site::pattern(layer)])?;
    let pattern: Tensor<4> = cache.get(arrakis::models::site::pattern(layer))?;
    let sums = pattern.sum_dim(3).read()?;
    Ok(sums.into_iter().enumerate().map(|(i, sum)| f64::from(sum) + jitter * i as f64).collect())
}

#[derive(Debug, serde::Serialize)]
struct Scores {
    clean: Vec<f64>,
    corrupt: Vec<f64>,
}

#[test_hypothesis(
    claim = "clean is larger",
    null = vec![0.1, 0.2, 0.3, 0.2, 0.1, 0.25, 0.15, 0.22],
    statistic = |scores| scores.clean.clone(),
    alternative = Greater, test = Permutation, draws = 999, seed = 4, comparisons = 2, family = "toy", metric = "score", null_name = "corrupt scores"
)]
fn by_statistic(_bench: &Bench) -> Scores {
    Scores { clean: vec![1.0, 1.1, 0.9, 1.2, 1.05, 0.97, 1.01, 1.3], corrupt: vec![0.1] }
}

#[test_hypothesis(claim = "the seed matters", null = drawn, alternative = Less)]
fn against_draws(bench: &Bench) -> f64 {
    -1.0 - bench.current_seed() as f64
}

fn drawn(bench: &Bench, seed: u64) -> Result<f64> {
    let name = bench.model().fingerprint()?;
    Ok((seed % 7) as f64 + name.len() as f64)
}

#[log_experiment]
#[test_hypothesis(claim = "it never holds", null = 1.0, alternative = Greater)]
fn does_not_hold(_bench: &Bench) -> Result<[f64; 6]> {
    Ok([0.1, 0.2, -0.1, 0.3, 0.2, 0.1])
}

#[test_hypothesis(claim = "too few", null = |_, _| 0.0, draws = 3)]
fn cannot_be_judged(_bench: &Bench) -> Result<f64> {
    panic!("a claim is checked before the body runs")
}

#[log_experiment]
#[test_hypothesis(claim = "no number", null = 0.0, alternative = Greater)]
fn not_a_number(_bench: &Bench) -> Result<Vec<f64>> {
    Ok(vec![f64::NAN, 1.0])
}

#[test_hypothesis(claim = "it changes nothing", null = 0.0, margin = 0.3)]
fn equivalent(_bench: &Bench) -> Vec<f64> {
    vec![0.1, -0.1, 0.2, 0.0, -0.2, 0.1, 0.0, -0.1]
}

#[test_hypothesis(claim = "it helps", null = 0.0, alternative = Greater, groups = templates(4))]
fn grouped(_bench: &Bench) -> Vec<f64> {
    vec![1.0, 1.1, 0.9, 0.8, 1.2, 1.3, 0.7, 1.0]
}

#[test_hypothesis(
    claim = "both are measured on the same prompts", null = vec![0.1, 0.7, 0.2, 0.9, 0.3, 0.5, 0.1, 0.8],
    alternative = Greater, paired = true, estimand = Median
)]
fn in_pairs(_bench: &Bench) -> Vec<f64> {
    vec![0.2, 0.9, 0.5, 1.3, 0.8, 1.1, 0.8, 1.6]
}

#[test_hypothesis(claim = "nobody says what belongs together", null = vec![0.1, 0.2, 0.3], alternative = Greater)]
fn unsaid(_bench: &Bench) -> Result<Vec<f64>> {
    Ok(vec![0.2, 0.9, 0.5])
}

#[test_hypothesis(
    claim = "seeds and templates both matter", null = 0.0, alternative = Greater, groups = templates(4),
    crossed = ["0", "1", "0", "1", "0", "1", "0", "1"], selected = true, comparisons = 2
)]
fn crossed(_bench: &Bench) -> Vec<f64> {
    vec![1.0, 1.1, 0.9, 0.8, 1.2, 1.3, 0.7, 1.0]
}

/// Two prompts per template.
fn templates(count: usize) -> Vec<String> {
    (0..2 * count).map(|prompt| format!("template {}", prompt / 2)).collect()
}

#[test_hypothesis(claim = "it is the same", null = 0.0, test = Tost)]
fn without_a_margin(_bench: &Bench) -> Vec<f64> {
    panic!("a claim is checked before the body runs")
}

#[test_hypothesis(claim = "it helps", null = 0.0, test = Wilcoxon, groups = ["a", "a", "b"])]
fn with_groups_unused(_bench: &Bench) -> Result<Vec<f64>> {
    panic!("a claim is checked before the body runs")
}

#[test]
fn a_margin_claims_equivalence() {
    let (_folder, bench) = bench();
    equivalent(&bench);
    let verdict = bench.last().unwrap().verdict.unwrap();
    assert!(verdict.holds && verdict.test == hypothesis::Test::Tost, "{verdict}");
    assert_eq!(verdict.claim.margin, Some(0.3));
}

#[test]
fn groups_are_resampled_as_a_whole() {
    let (_folder, bench) = bench();
    grouped(&bench);
    let verdict = bench.last().unwrap().verdict.unwrap();
    assert_eq!(verdict.test, hypothesis::Test::ClusterMean, "{verdict}");
    assert_eq!(verdict.variance.len(), 2, "{verdict}");
    assert_eq!(verdict.claim.groups.unwrap(), templates(4));
}

#[test]
fn pairs_are_stated_and_the_estimand_chooses_the_test() {
    let (_folder, bench) = bench();
    in_pairs(&bench);
    let verdict = bench.last().unwrap().verdict.unwrap();
    assert_eq!(verdict.test, hypothesis::Test::SignTest, "{verdict}");
    assert!((verdict.p_value - 1.0 / 256.0).abs() < 1e-12, "{verdict}");
    let error = unsaid(&bench).unwrap_err().to_string();
    assert!(error.contains("use `paired = true` if value i of both comes from the same prompt"), "{error}");
}

#[test]
fn groupings_cross() {
    let (_folder, bench) = bench();
    crossed(&bench);
    let verdict = bench.last().unwrap().verdict.unwrap();
    let sources: Vec<&str> = verdict.variance.iter().map(|component| component.source.as_str()).collect();
    assert_eq!((verdict.test, sources), (hypothesis::Test::CrossedMean, vec!["groups", "crossed", "values"]));
    assert!(verdict.claim.selected && verdict.notes.last().unwrap().starts_with("chosen among 2 places"), "{verdict}");
}

#[test]
fn a_claim_without_what_its_test_needs_names_the_option() {
    let (_folder, bench) = bench();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| without_a_margin(&bench))).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("the test `tost` needs margin; say which distance"), "{message}");
    let error = with_groups_unused(&bench).unwrap_err().to_string();
    assert!(error.contains("use `test = ClusterMean` or ") && error.ends_with(", or leave `groups` out"), "{error}");
}

#[test]
fn the_verdict_is_on_the_bench_and_in_the_record() {
    let (_folder, bench) = bench();
    row_sums(&bench, 1, 0.001).unwrap();
    let verdict = bench.last().unwrap().verdict.unwrap();
    assert!(
        verdict.holds
            && verdict.claim.test == hypothesis::Test::OneSampleT
            && verdict.claim.draws == hypothesis::Claim::default().draws,
        "{verdict}"
    );
    assert_eq!((verdict.claim.metric.as_str(), verdict.claim.null.as_str()), ("row_sums", "0.5"));
    assert_eq!(only_run(&bench, "row_sums").verdict, Some(verdict));
}

#[log_experiment]
fn asks_another(bench: &Bench) -> f64 {
    against_draws(bench)
}

#[test]
fn the_latest_call_is_the_last_one_to_end() {
    let (_folder, bench) = bench();
    assert_eq!(bench.last(), None);
    asks_another(&bench);
    let last = bench.last().unwrap();
    assert_eq!((last.record.unwrap().name.as_str(), last.verdict), ("asks_another", None));
    against_draws(&bench);
    let last = bench.last().unwrap();
    assert!(last.record.is_none() && last.verdict.unwrap().holds);
}

#[test]
fn a_statistic_measures_any_result() {
    let (_folder, bench) = bench();
    assert_eq!(by_statistic(&bench).corrupt, [0.1]);
    let claim = bench.last().unwrap().verdict.unwrap().claim;
    assert_eq!((claim.comparisons, claim.seed, claim.draws), (2, 4, 999));
    assert_eq!(
        (claim.family.as_deref(), claim.metric.as_str(), claim.null.as_str()),
        (Some("toy"), "score", "corrupt scores")
    );
}

#[test]
fn a_null_can_be_drawn_by_a_function() {
    let (_folder, bench) = bench();
    against_draws(&bench);
    let verdict = bench.last().unwrap().verdict.unwrap();
    assert_eq!((verdict.holds, verdict.null_values.len()), (true, verdict.claim.draws));
}

#[test]
fn a_claim_that_does_not_hold_changes_no_result() {
    let (_folder, bench) = bench();
    assert_eq!(does_not_hold(&bench).unwrap().len(), 6);
    assert!(!only_run(&bench, "does_not_hold").verdict.unwrap().holds);
}

#[test]
fn a_claim_is_checked_before_the_body_runs() {
    let (_folder, bench) = bench();
    let error = cannot_be_judged(&bench).unwrap_err();
    assert!(matches!(error, Error::TooFewDraws { draws: 3, .. }), "{error}");
}

#[test]
fn a_result_that_cannot_be_measured_is_an_error_and_is_recorded() {
    let (_folder, bench) = bench();
    let error = not_a_number(&bench).unwrap_err().to_string();
    let record = only_run(&bench, "not_a_number");
    assert!(record.result::<Vec<f64>>().unwrap()[0].is_nan());
    assert_eq!(record.problems, [error]);
}

#[test_hypothesis(claim = "a whole number is a number", null = 3, alternative = Greater, test = OneSampleT)]
fn counts(_bench: &Bench) -> Vec<usize> {
    vec![4, 5, 6, 5, 4, 6]
}

/// Names of a user that equal ours.
mod same_names {
    use super::*;

    pub(super) enum Test {
        Welch,
    }

    #[allow(non_upper_case_globals)]
    const Greater: f64 = 0.01;

    impl Test {
        pub(super) const SEED: u64 = 5;
    }

    #[test_hypothesis(
        claim = "ours are meant where a test or an alternative is",
        null = [0.1, 0.2, 0.3],
        test = Test::Welch, alternative = Greater, alpha = Greater, seed = Test::SEED
    )]
    pub(super) fn seen(_bench: &Bench) -> Vec<f64> {
        let _ = Test::Welch;
        vec![1.0, 1.1, 1.2]
    }
}

/// Its test is one of the tests of this binary.
#[test_hypothesis(claim = "a mean of zeros is not positive", null = 0.0, alternative = Greater, bench = Bench::embedded())]
#[should_panic(expected = "does not hold")]
#[cfg(test)]
fn expected_to_fail(_bench: &Bench) -> [f64; 4] {
    [0.0; 4]
}

#[test]
fn whole_numbers_are_measured_and_compared() {
    let (_folder, bench) = bench();
    assert_eq!(counts(&bench).len(), 6);
    let verdict = bench.last().unwrap().verdict.unwrap();
    assert!(verdict.holds && verdict.observed.mean == 5.0, "{verdict}");
    assert_eq!(verdict.null, hypothesis::NullSummary::Value(3.0));
}

#[test]
fn names_of_tests_and_alternatives_are_ours() {
    let (_folder, bench) = bench();
    same_names::seen(&bench);
    let claim = bench.last().unwrap().verdict.unwrap().claim;
    assert_eq!((claim.test, claim.alternative), (hypothesis::Test::Welch, hypothesis::Alternative::Greater));
    assert_eq!((claim.alpha, claim.seed), (0.01, 5));
}
