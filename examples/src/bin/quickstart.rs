//! Start here: a trained model, one question, a right answer, and all the files that the run writes.
//!
//! "When Mary and John went to the store, John gave a drink to": which heads know that the next word is Mary?

use arrakis::models::LoadOptions;
use arrakis::models::device;
use arrakis::prelude::*;
use clap::Parser;
use serde::Serialize;

const PROMPT: &str = "When Mary and John went to the store, John gave a drink to";

/// The results of the study.
#[derive(Debug, Serialize)]
struct NameMovers {
    /// Direct contribution of each head to logit(Mary) - logit(John), in nats.
    attribution: ScoreTable,
    /// The change of the same difference when each head is zeroed, in nats.
    ablation: ScoreTable,
}

#[log_experiment]
#[use_tools]
#[profile_model]
#[plot_results(name = "Who moves the name")]
fn name_movers(
    bench: &Bench,
    prompt: &str,
    #[tool] attribution: DirectLogitAttribution,
    #[tool] ablation: Ablation,
    #[figure] fig: &mut Figure,
) -> Result<NameMovers> {
    let metric = Metric::logit_diff(" Mary", " John");
    let direct = attribution.heads(prompt, &metric)?;
    let zeroed = ablation.heads(prompt, &metric, AblationKind::Zero)?.change();
    fig.push(direct.heatmap().diverging().annotate(3).titled("direct contribution"));
    fig.push(zeroed.heatmap().diverging().annotate(3).titled("when zeroed"));
    Ok(NameMovers { attribution: direct, ablation: zeroed })
}

/// For each prompt, whether the right name is above the wrong name; every name is in both places.
#[log_experiment]
#[test_hypothesis(claim = "the model prefers the indirect object", null = 0.5, alternative = Greater, bench = Bench::embedded())]
fn prefers_the_indirect_object(bench: &Bench) -> Result<Vec<bool>> {
    let model = bench.model();
    let names = ["Mary", "John", "Tom", "Anna", "Sarah", "David"];
    let mut right = Vec::new();
    for (giver, other) in names.iter().flat_map(|a| names.iter().map(move |b| (*a, *b))).filter(|(a, b)| a != b) {
        let prompt = format!("When {other} and {giver} went to the store, {giver} gave a drink to");
        let diffs = Metric::logit_diff(format!(" {other}"), format!(" {giver}")).values(model, &prompt)?;
        right.extend(diffs.iter().map(|diff| *diff > 0.0));
    }
    Ok(right)
}

#[derive(Parser)]
struct Arguments {
    /// `cpu`, `gpu`, …; the default is a GPU if there is one, otherwise the CPU.
    #[arg(long)]
    device: Option<String>,
    /// A folder or Hub id instead of the model that ships with Arrakis.
    #[arg(long)]
    model: Option<String>,
    /// Folder for records and figures.
    #[arg(long, default_value = "experiments")]
    save_dir: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let model = match &arguments.model {
        Some(name) => {
            let options = LoadOptions { device: arguments.device.clone(), ..LoadOptions::new() };
            HookedAutoModel::load(name, &options)?
        }
        None => HookedAutoModel::embedded_on(&device::choose(arguments.device.as_deref())?)?,
    };
    let config = model.config();
    println!(
        "model   {} ({} layers, {} heads, {} parameters)",
        model.name(),
        config.n_layers,
        config.n_heads,
        model.n_params()
    );
    println!("device  {}\n", model.device_name());
    let bench = Bench::new(model).save_dir(&arguments.save_dir);

    behaviour(bench.model())?;
    let found = name_movers(&bench, PROMPT)?;
    heads(&found);
    induction(&bench)?;
    outputs(&bench);
    println!("hypothesis");
    prefers_the_indirect_object(&bench)?;
    if let Some(verdict) = bench.last().and_then(|run| run.verdict) {
        println!("{verdict}");
    }
    Ok(())
}

/// Prints the prompt, its tokens, and the most probable next tokens.
fn behaviour(model: &HookedTransformer) -> Result<()> {
    println!("prompt  {PROMPT}");
    println!("tokens  {}", model.to_str_tokens(PROMPT)?.join("|"));
    for token in model.top_tokens(PROMPT, 4)?.iter() {
        println!("        {:>6.2} %  {:?}", 100.0 * token.prob, token.text);
    }
    println!();
    Ok(())
}

/// Prints the heads that attribution says write the name, and what ablation says about them.
fn heads(found: &NameMovers) {
    println!("heads that move the name   direct      when zeroed   (nats of logit(Mary) - logit(John))");
    for head in found.attribution.highest(4) {
        let zeroed = found.ablation.get(&head).unwrap_or(f64::NAN);
        println!("        {:<18} {:>+8.2}      {:>+8.2}", head.label, head.value, zeroed);
    }
    println!();
}

fn induction(bench: &Bench) -> Result<()> {
    let detector: HeadDetector = bench.tool()?;
    let bos = bench.model().tokenizer()?.bos();
    let scores = detector.induction(&Repeated { bos, ..Repeated::default() })?;
    println!("induction heads (attention to the token after the earlier copy, on repeated random tokens)");
    for head in scores.highest(3) {
        println!("        {:<18} {:>8.2}", head.label, head.value);
    }
    println!();
    Ok(())
}

/// Prints where the record and the figures are, and the profile.
fn outputs(bench: &Bench) {
    let Some(run) = bench.last() else { return };
    if let Some(record) = &run.record {
        println!("record  {} version {}", record.name, record.version);
    }
    for figure in &run.figures {
        println!("figure  {}", figure.display());
    }
    if let Some(profile) = &run.profile {
        println!("\n{profile}");
    }
}
