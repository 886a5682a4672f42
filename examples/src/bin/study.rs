//! A complete study of indirect objects: which heads carry the name, which write it, and does the evidence agree?
//!
//! `cargo run --bin study -- --model FOLDER [--reference FOLDER]` for a model of your own; without `--model`, the
//! embedded model.

use std::path::PathBuf;

use arrakis::prelude::*;
use arrakis::tools::place::{Head, StreamPosition};
use arrakis_examples::{Recorded, indirect_objects};
use clap::Parser;
use serde::Serialize;

/// Values are logit(right name) - logit(giver's name) in nats; tables are `[layer][head]`, the stream's is
/// `[layer][position]`.
#[derive(Serialize)]
struct Study {
    clean: Vec<f64>,
    corrupted: Vec<f64>,
    direct: ScoreTable,
    zeroed: Scores,
    patched: Scores,
    estimated: ScoreTable,
    stream: Scores<StreamPosition>,
}

#[log_experiment]
#[profile_model]
#[use_tools]
#[plot_results(name = "Indirect objects")]
fn study(
    bench: &Bench,
    pairs: &PromptPairs,
    #[tool] dla: DirectLogitAttribution,
    #[tool] ablation: Ablation,
    #[tool] patching: ActivationPatching,
    #[tool] gradient: AttributionPatching,
    #[figure] fig: &mut Figure,
) -> Result<Study> {
    let (model, metric, aligned) = (bench.model(), pairs.metric(), pairs.by_length()?.remove(0));
    let found = Study {
        clean: metric.values(model, &pairs.clean)?,
        corrupted: metric.values(model, &pairs.corrupted)?,
        direct: dla.heads(&pairs.clean, &metric)?,
        zeroed: ablation.heads(&pairs.clean, &metric, AblationKind::Zero)?,
        patched: patching.from(&pairs.corrupted).into(&pairs.clean)?.heads(&metric)?,
        estimated: gradient.from(&pairs.corrupted).into(&pairs.clean)?.heads(&metric)?.change(),
        stream: patching.from(&aligned.clean).into(&aligned.corrupted)?.resid_pre(&aligned.metric())?,
    };
    for (map, title) in [
        (found.direct.heatmap(), "written directly"),
        (found.zeroed.change().heatmap(), "zeroed"),
        (found.stream.change().heatmap(), "clean stream into the corrupted run"),
        (found.patched.change().heatmap(), "patched from the corrupted run"),
        (found.estimated.heatmap(), "the same, by gradient"),
    ] {
        fig.push(map.diverging().annotate(4).titled(title));
    }
    Ok(found)
}

/// For each prompt, how much more patching the strongest mover changes the answer than the average other head does.
#[log_experiment]
#[test_hypothesis(
    claim = "the strongest mover carries more of the name than the other heads do",
    metric = "excess effect of the strongest mover, nats",
    null = 0.0, alternative = Greater, test = OneSampleT, comparisons = patched.values.len()
)]
fn strongest_mover(bench: &Bench, patched: &Scores, mover: Head) -> Result<Vec<f64>> {
    let lost = patched.change();
    let of_mover = lost.prompts(&mover).unwrap_or_default();
    let excess = |(prompt, own): (usize, &f64)| {
        let all: f64 = lost.per_prompt.iter().map(|changes| -changes[prompt]).sum();
        -own - (all + own) / (lost.len() - 1) as f64
    };
    Ok(of_mover.iter().enumerate().map(excess).collect())
}

fn print_stripes(bench: &Bench, recorded: &Recorded) -> Result<()> {
    let detector = bench.tool::<HeadDetector>()?;
    let drawn = Repeated { bos: bench.model().tokenizer()?.bos(), ..Repeated::default() };
    let (rows, length) = recorded.repeated()?.unwrap_or((detector.repeated_tokens(&drawn)?, drawn.length));
    let names = ["induction.score", "induction.previous_token", "induction.duplicate_token"];
    for (name, (_, table)) in names.iter().zip(detector.stripes_of(&rows, length)?) {
        recorded.beside(name, &table, 0.0);
    }
    Ok(())
}

/// Prints five findings, each with the numbers that support it.
fn finding(found: &Study, bench: &Bench) -> Result<()> {
    let (patched, zeroed) = (found.patched.change(), found.zeroed.change());
    let heads = patched.len();
    let (mover, writer, needed) = (&patched.lowest(1)[0], &found.direct.highest(1)[0], &zeroed.lowest(1)[0]);
    let (name, moved, estimate) = (&mover.label, mover.value, found.estimated.get(mover).unwrap_or(f64::NAN));
    let (clean, swapped) = (found.patched.baseline, found.patched.source.unwrap_or(f64::NAN));
    let agreement = found.estimated.pearson(&patched)?;
    let (right, prompts) = (found.clean.iter().filter(|diff| **diff > 0.0).count(), found.clean.len());
    let left = clean + moved;
    strongest_mover(bench, &found.patched, mover.place)?;
    let hypothesis::Verdict { holds, difference, p_value, alpha_corrected, .. } =
        bench.last().and_then(|run| run.verdict).expect("BUG: just judged");
    println!("\nfinding");
    println!(
        "1. The model prefers the right name in {right} of {prompts} prompts, by {clean:+.2} nats; with the giver's name swapped the difference is {swapped:+.2}."
    );
    println!(
        "2. {name} has the largest effect: patched alone from the corrupted run, it moves the difference by {moved:+.2}, to {left:+.2}."
    );
    println!(
        "3. {} writes most of it directly ({:+.2}), and zeroing {} costs most ({:+.2}).",
        writer.label, writer.value, needed.label, needed.value
    );
    println!(
        "4. The gradient's estimates correlate with the patches at r = {agreement:.2} over {heads} heads; for {name} the estimate is {estimate:+.2}."
    );
    println!(
        "5. The claim that {name} moves it more than the average head {}: by {difference:+.2} nats, p = {p_value:.1e}, alpha = {alpha_corrected:.1e} after correction for {heads} heads.",
        if holds { "holds" } else { "does not hold" }
    );
    Ok(())
}

#[derive(Parser)]
struct Arguments {
    /// A folder or Hub id; the default is the embedded model.
    #[arg(long)]
    model: Option<String>,
    /// A folder with recorded numbers (open.json, open.safetensors) to print next to ours.
    #[arg(long)]
    reference: Option<PathBuf>,
    #[arg(long, default_value = "experiments")]
    save_dir: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let model = arguments.model.as_deref().map_or_else(HookedAutoModel::embedded, HookedAutoModel::from_pretrained)?;
    let recorded = Recorded::read(arguments.reference.as_deref())?;
    let texts = recorded.pairs().map_or_else(|| indirect_objects(&model), Ok)?;
    let pairs = PromptPairs::new(&model, &texts)?;
    println!("{} on {}: {} pairs of prompts", model.name(), model.device_name(), pairs.len());
    let bench = Bench::new(model).save_dir(&arguments.save_dir);
    print_stripes(&bench, &recorded)?;
    let found = study(&bench, &pairs)?;
    let figures = bench.last().map(|run| run.figures).unwrap_or_default();
    println!("\nlogit difference, clean: {:+.4}{}", found.patched.baseline, recorded.mean("clean_logit_diff"));
    println!(
        "logit difference, corrupted: {:+.4}{}",
        found.patched.source.unwrap_or(f64::NAN),
        recorded.mean("corrupted_logit_diff")
    );
    recorded.beside("ioi.dla_by_head", &found.direct, 0.0);
    recorded.beside("ioi.zero_ablate_z.logit_diff", &found.zeroed.values, found.zeroed.baseline);
    recorded.beside("ioi.patch_corrupted_z.logit_diff", &found.patched.values, found.patched.baseline);
    recorded.beside("ioi.attribution_patch_z", &found.estimated, 0.0);
    recorded.beside("ioi.patch_clean_resid_pre.logit_diff", &found.stream.values, found.stream.baseline);
    finding(&found, &bench)?;
    for figure in figures {
        println!("figure  {}", figure.display());
    }
    Ok(())
}
