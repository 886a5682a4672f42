//! One question about a model: which heads write the name, and does the model know it?

use arrakis::prelude::*;

const PROMPT: &str = "When Mary and John went to the store, John gave a drink to";

/// Direct contribution of each head to logit(Mary) - logit(John), in nats.
#[log_experiment]
#[use_tools]
#[plot_results(name = "Who writes the name")]
fn name_movers(
    bench: &Bench,
    prompt: &str,
    #[tool] attribution: DirectLogitAttribution,
    #[figure] figure: &mut Figure,
) -> Result<ScoreTable> {
    let heads = attribution.heads(prompt, &Metric::logit_diff(" Mary", " John"))?;
    figure.push(heads.heatmap().diverging().annotate(2));
    Ok(heads)
}

/// logit(right name) - logit(wrong name) for each prompt, in nats. `cargo test` judges the claim.
#[log_experiment]
#[test_hypothesis(claim = "the model prefers the indirect object", null = 0.0, alternative = Greater, bench = Bench::embedded())]
fn prefers_the_indirect_object(bench: &Bench) -> Result<Vec<f64>> {
    let model = bench.model();
    let names = ["Mary", "John", "Tom", "Anna", "Sarah", "David"];
    let mut differences = Vec::new();
    for (right, wrong) in names.iter().flat_map(|right| names.iter().map(move |wrong| (right, wrong))) {
        if right != wrong {
            let prompt = format!("When {right} and {wrong} went to the store, {wrong} gave a drink to");
            let metric = Metric::logit_diff(format!(" {right}"), format!(" {wrong}"));
            differences.extend(metric.values(model, &prompt)?);
        }
    }
    Ok(differences)
}

fn main() -> Result<()> {
    // The model that ships with Arrakis. `Bench::new(HookedAutoModel::from_pretrained(..)?)` takes a folder or a Hub id.
    let bench = Bench::embedded()?.save_dir("experiments");
    for head in name_movers(&bench, PROMPT)?.highest(3) {
        println!("{:<8} {:+.2}", head.label, head.value);
    }
    prefers_the_indirect_object(&bench)?;
    if let Some(verdict) = bench.last().and_then(|run| run.verdict) {
        println!("{verdict}");
    }
    Ok(())
}
