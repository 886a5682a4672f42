//! A suite of claims about the embedded model, each a test of its own. Those that are false must be rejected.

use arrakis::prelude::*;

const NAMES: [&str; 6] = ["Mary", "John", "Tom", "Anna", "Sarah", "David"];

/// Both names, then one again: the other is to come.
const TEMPLATES: [&str; 4] = [
    "When {a} and {b} went to the store, {b} gave a drink to",
    "When {a} and {b} went to the park, {b} gave a ball to",
    "When {a} and {b} went to the school, {b} gave a book to",
    "Then, {a} and {b} had a long talk at the park. Afterwards {b} said goodbye to",
];

/// Every pair of different names, in every template.
fn prompts() -> impl Iterator<Item = (usize, &'static str, &'static str)> {
    let pairs = || NAMES.into_iter().flat_map(|a| NAMES.map(|b| (a, b))).filter(|(a, b)| a != b);
    (0..TEMPLATES.len()).flat_map(move |template| pairs().map(move |(a, b)| (template, a, b)))
}

/// The template of each prompt.
fn templates() -> Vec<String> {
    prompts().map(|(template, ..)| format!("template {template}")).collect()
}

/// The unordered pair of names of each prompt.
fn name_pairs() -> Vec<String> {
    prompts().map(|(_, a, b)| format!("{} {}", a.min(b), a.max(b))).collect()
}

fn text(template: usize, first: &str, second: &str) -> String {
    TEMPLATES[template].replace("{a}", first).replace("{b}", second)
}

/// For each prompt, how much more likely the name that was not repeated is than the other one.
fn preference(model: &HookedTransformer) -> Result<Vec<f64>> {
    let value = |(template, a, b): (usize, &str, &str)| {
        let metric = Metric::logit_diff(format!(" {a}"), format!(" {b}"));
        Ok(metric.values(model, text(template, a, b).as_str())?[0])
    };
    prompts().map(value).collect()
}

#[test_hypothesis(
    claim = "the model prefers the name that was not repeated, in any template", metric = "logit difference, nats",
    null = 0.0, alternative = Greater, groups = name_pairs(), bench = Bench::embedded()
)]
fn the_other_name_is_preferred(bench: &Bench) -> Result<Vec<f64>> {
    preference(bench.model())
}

#[test_hypothesis(
    claim = "half of the prompts prefer the other name", null = 0.0, alternative = Greater, estimand = Median,
    bench = Bench::embedded()
)]
fn the_median_prompt_prefers_it(bench: &Bench) -> Result<Vec<f64>> {
    preference(bench.model())
}

#[test_hypothesis(
    claim = "it is preferred whatever the names and the template", null = 0.0, alternative = Greater,
    groups = name_pairs(), crossed = templates(), bench = Bench::embedded()
)]
fn it_is_preferred_under_both_groupings(bench: &Bench) -> Result<Vec<f64>> {
    preference(bench.model())
}

#[test_hypothesis(
    claim = "the model is right more often than a coin", null = 0.5, alternative = Greater, comparisons = 270,
    bench = Bench::embedded()
)]
fn more_often_right_than_a_coin(bench: &Bench) -> Result<Vec<bool>> {
    Ok(preference(bench.model())?.into_iter().map(|value| value > 0.0).collect())
}

#[test_hypothesis(
    claim = "the repeated name is preferred", null = 0.0, alternative = Less, groups = name_pairs(),
    bench = Bench::embedded()
)]
#[should_panic(expected = "does not hold")]
#[cfg(test)]
fn false_the_repeated_name_is_preferred(bench: &Bench) -> Result<Vec<f64>> {
    preference(bench.model())
}

#[test_hypothesis(
    claim = "the model is wrong more often than a coin", null = 0.5, alternative = Less, bench = Bench::embedded()
)]
#[should_panic(expected = "does not hold")]
#[cfg(test)]
fn false_wrong_more_often_than_a_coin(bench: &Bench) -> Result<Vec<bool>> {
    Ok(preference(bench.model())?.into_iter().map(|value| value > 0.0).collect())
}

/// The mean loss of each row of repeated random tokens: of the first time, and of the second.
fn losses(bench: &Bench) -> Result<[Vec<f64>; 2]> {
    let model = bench.model();
    let repeated = Repeated { bos: model.tokenizer()?.bos(), batch: 16, ..Repeated::default() };
    let tokens = bench.tool::<HeadDetector>()?.repeated_tokens(&repeated)?;
    let losses = model.loss_per_token(model.forward(&tokens)?, &tokens)?;
    let (length, pos) = (repeated.length, losses.dims()[1]);
    let mean = |from: usize| -> Result<Vec<f64>> {
        let part = losses.clone().narrow(1, from, length - 1).mean_dim(1).read()?;
        Ok(part.into_iter().map(f64::from).collect())
    };
    Ok([mean(pos - 2 * length + 1)?, mean(pos - length + 1)?])
}

fn first_losses(bench: &Bench) -> Result<Vec<f64>> {
    Ok(losses(bench)?[0].clone())
}

#[test_hypothesis(
    claim = "tokens are easier the second time", metric = "loss, nats",
    null = first_losses(&Bench::embedded().unwrap()).unwrap(), null_name = "the first time",
    alternative = Less, paired = true, bench = Bench::embedded()
)]
fn repetition_is_easier(bench: &Bench) -> Result<Vec<f64>> {
    Ok(losses(bench)?[1].clone())
}

#[test_hypothesis(
    claim = "tokens are harder the second time", null = first_losses(&Bench::embedded().unwrap()).unwrap(),
    alternative = Greater, paired = true, bench = Bench::embedded()
)]
#[should_panic(expected = "does not hold")]
#[cfg(test)]
fn false_repetition_is_harder(bench: &Bench) -> Result<Vec<f64>> {
    Ok(losses(bench)?[1].clone())
}

#[test_hypothesis(
    claim = "even if the rows were independent, the second time is easier",
    null = first_losses(&Bench::embedded().unwrap()).unwrap(), alternative = Less, paired = false,
    bench = Bench::embedded()
)]
fn repetition_is_easier_unpaired(bench: &Bench) -> Result<Vec<f64>> {
    Ok(losses(bench)?[1].clone())
}

/// The sum of attention of each query, over layers and heads.
fn row_sums(model: &HookedTransformer) -> Result<Vec<f64>> {
    let site = arrakis::models::site::pattern(0);
    let (_, cache) = model.run_with_cache("Once upon a time there was a little girl", [site])?;
    let pattern: Tensor<4> = cache.get(site)?;
    Ok(pattern.sum_dim(3).read()?.into_iter().map(f64::from).collect())
}

#[test_hypothesis(
    claim = "a row of attention sums to one", null = 1.0, margin = 1e-3, bench = Bench::embedded()
)]
fn attention_sums_to_one(bench: &Bench) -> Result<Vec<f64>> {
    // A spread far below the margin, so that sums without any rounding can be tested too.
    Ok(row_sums(bench.model())?.into_iter().enumerate().map(|(i, sum)| sum + 1e-6 * (i % 2) as f64).collect())
}

#[test_hypothesis(
    claim = "a row of attention sums to less than one", null = 1.0, alternative = Less, test = SignFlip,
    bench = Bench::embedded()
)]
#[should_panic(expected = "does not hold")]
#[cfg(test)]
fn false_attention_sums_to_less(bench: &Bench) -> Result<Vec<f64>> {
    Ok(row_sums(bench.model())?.into_iter().map(|sum| sum + 1e-4).collect())
}

const STORY: &str = "Once upon a time there was a little girl. She liked to play in the park with her dog.";

/// The mean loss of the story with its tokens in an order that the seed decides; as it is without a seed.
fn story_loss(model: &HookedTransformer, seed: Option<u64>) -> Result<f64> {
    let mut ids = model.to_tokens(STORY)?;
    let mut state = seed.unwrap_or(0) | 1;
    // Fisher and Yates, with a linear congruential generator; the first token keeps its place.
    for last in (2..ids.len()).rev().filter(|_| seed.is_some()) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ids.swap(last, 1 + (state >> 33) as usize % last);
    }
    let tokens = Tokens::padded(&[ids], arrakis::models::Side::Left, 0)?;
    let losses = model.loss_per_token(model.forward(&tokens)?, &tokens)?.read()?;
    Ok(losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64)
}

fn shuffled(bench: &Bench, seed: u64) -> Result<f64> {
    story_loss(bench.model(), Some(seed))
}

#[test_hypothesis(
    claim = "the order of the words makes a story easier", null = shuffled, alternative = Less, draws = 39,
    bench = Bench::embedded()
)]
fn order_matters(bench: &Bench) -> Result<f64> {
    story_loss(bench.model(), None)
}

#[test_hypothesis(
    claim = "the order of the words makes a story harder", null = shuffled, alternative = Greater, draws = 39,
    bench = Bench::embedded()
)]
#[should_panic(expected = "does not hold")]
#[cfg(test)]
fn false_order_hurts(bench: &Bench) -> Result<f64> {
    story_loss(bench.model(), None)
}
