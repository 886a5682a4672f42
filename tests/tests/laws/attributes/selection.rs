//! A claim about the best of many places counts them, unless other prompts chose the place.

use arrakis::hypothesis::Sample;
use arrakis::models::Tokens;

use super::*;

/// Rows of four tokens that all differ.
fn prompts(first: u32) -> Tokens {
    Tokens::new((0..4).map(|row| (0..4).map(|at| (first + 5 * row + 3 * at) % 32).collect()).collect()).unwrap()
}

fn change(ablation: &Ablation, tokens: &Tokens) -> Result<ScoreTable> {
    Ok(ablation.heads(tokens, &Metric::logit_diff(3, 7), AblationKind::Zero)?.change())
}

#[use_tools]
#[test_hypothesis(claim = "the best head matters", null = 0.0, test = OneSampleT)]
fn best_head(_bench: &Bench, #[tool] ablation: Ablation) -> Result<Sample> {
    let table = change(&ablation, &prompts(1))?;
    table.sample(&table.top(1)[0])
}

#[use_tools]
#[test_hypothesis(claim = "the best head matters", null = 0.0, test = OneSampleT)]
fn best_head_elsewhere(_bench: &Bench, #[tool] ablation: Ablation) -> Result<Sample> {
    let best = change(&ablation, &prompts(1))?.top(1).remove(0);
    change(&ablation, &prompts(2))?.sample(&best)
}

#[use_tools]
#[test_hypothesis(claim = "the best head matters", null = 0.0, test = OneSampleT)]
fn hidden(_bench: &Bench, #[tool] ablation: Ablation) -> Result<Vec<f64>> {
    let table = change(&ablation, &prompts(1))?;
    Ok(table.prompts(&table.top(1)[0]).unwrap().to_vec())
}

#[test_hypothesis(claim = "the best head matters", null = 0.0, test = OneSampleT, comparisons = 4)]
fn stated(bench: &Bench) -> Result<Vec<f64>> {
    inner_search(bench)
}

#[test_hypothesis(claim = "the best head matters", null = 0.0, test = OneSampleT)]
fn hidden_in_another(bench: &Bench) -> Result<Vec<f64>> {
    inner_search(bench)
}

#[use_tools]
fn inner_search(_bench: &Bench, #[tool] ablation: Ablation) -> Result<Vec<f64>> {
    let table = change(&ablation, &prompts(1))?;
    Ok(table.prompts(&table.top(1)[0]).unwrap().to_vec())
}

#[use_tools]
#[test_hypothesis(claim = "the head named beforehand matters", null = 0.0, test = OneSampleT)]
fn named(_bench: &Bench, #[tool] ablation: Ablation) -> Result<Sample> {
    let table = change(&ablation, &prompts(1))?;
    let place = table.top(1).remove(0).place;
    table.sample(&place)
}

fn verdict<T>(call: impl FnOnce(&Bench) -> Result<T>) -> Result<hypothesis::Verdict> {
    let (_folder, bench) = bench();
    call(&bench)?;
    Ok(bench.last().unwrap().verdict.unwrap())
}

#[test]
fn a_sample_of_the_best_place_counts_the_search() {
    let verdict = verdict(best_head).unwrap();
    assert_eq!((verdict.claim.comparisons, verdict.alpha_corrected), (4, 0.05 / 4.0));
    assert!(verdict.notes[0].contains("is the furthest from 0 of 4 places on 4 of the 4 prompts"), "{verdict}");
    let kept: hypothesis::Verdict = serde_json::from_str(&serde_json::to_string(&verdict).unwrap()).unwrap();
    assert_eq!(kept.origin.unwrap().search.unwrap().places, 4);
}

#[test]
fn other_prompts_make_the_search_count_for_nothing() {
    let verdict = verdict(best_head_elsewhere).unwrap();
    assert_eq!(verdict.claim.comparisons, 1);
    assert!(verdict.notes[0].ends_with("on 4 other prompts, so the search counts for nothing"), "{verdict}");
}

#[test]
fn a_bare_number_that_comes_from_a_search_is_refused_until_its_comparisons_are_stated() {
    for call in [hidden, hidden_in_another] {
        let error = verdict(call).unwrap_err().to_string();
        assert!(error.starts_with("claim `the best head matters`: the result is the score of L"), "{error}");
        assert!(error.contains("of 4 places, and `comparisons` is 1; state `comparisons = 4`"), "{error}");
    }
    assert_eq!(verdict(stated).unwrap().claim.comparisons, 4);
    let named = verdict(named).unwrap();
    assert_eq!((named.claim.comparisons, named.origin.unwrap().search), (1, None));
}
