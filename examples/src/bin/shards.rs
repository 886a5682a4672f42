//! Three experiments that a job array shares out: a scan of heads, a pass over a corpus, and a list of prompts.
//!
//! On one machine: `cargo run --bin shards`. As one of four shards: `arrakis run --shard 2/4 -- target/debug/shards`; when all are
//! done, `arrakis merge` prints what one machine would. `examples/slurm` and `examples/kubernetes` have the scripts.

use arrakis::corpus::{Corpus, Firing, Loss, Pass};
use arrakis::models::HookedAutoModel;
use arrakis::prelude::*;
use arrakis::shards;

#[log_experiment]
#[use_tools]
fn heads(bench: &Bench, #[tool] patching: ActivationPatching) -> Result<Scores> {
    let clean = "When Mary and John went to the store, John gave a drink to";
    let corrupted = "When Mary and John went to the store, Mary gave a drink to";
    println!("heads of {}", bench.model().name());
    patching.from(clean).into(corrupted)?.heads(&Metric::logit_diff(" Mary", " John"))
}

#[log_experiment]
fn corpus(bench: &Bench, sentences: usize) -> Result<(Loss, Firing)> {
    let (people, things) = (["Mary", "John", "Tom", "Anna", "Paul"], ["drink", "book", "ball"]);
    let sentence = |at: usize| format!("{} gave a {} to {}", people[at % 5], things[at % 3], people[at / 5 % 5]);
    let (mut loss, mut firing) = (Loss::new(), Firing::new("blocks.1.mlp.post"));
    let corpus = Corpus::texts((0..sentences).map(sentence));
    Pass::new(bench.model(), &corpus).batch_tokens(256).quiet().run(&mut [&mut loss, &mut firing])?;
    Ok((loss, firing))
}

/// The largest effect of zeroing a head, for each prompt. A loop with a sweep in it is cut by its prompts.
#[log_experiment]
#[use_tools]
fn prompts(_bench: &Bench, names: &[&str], #[tool] ablation: Ablation) -> Result<Vec<f64>> {
    shards::each(names, |name| {
        let prompt = format!("When {name} and John went to the store, John gave a drink to");
        let metric = Metric::logit_diff(&*format!(" {name}"), " John");
        let change = ablation.heads(&*prompt, &metric, AblationKind::Zero)?.change();
        Ok(change.lowest(1)[0].value)
    })
}

fn main() -> Result<()> {
    let bench = Bench::new(HookedAutoModel::embedded()?);
    // All three start, also where the first has only its part.
    let found = (heads(&bench), corpus(&bench, 600), prompts(&bench, &["Mary", "Anna", "Sarah", "Emma", "Tom"]));
    let (heads, (loss, firing), prompts) = (found.0?, found.1?, found.2?);
    for head in heads.normalized()?.highest(3) {
        println!("{} brings back {:.3}", head.label, head.value);
    }
    println!("loss {:.6}, {} neurons never fire", loss.mean()?, firing.dead().len());
    println!("largest effects {prompts:.3?}");
    Ok(())
}
