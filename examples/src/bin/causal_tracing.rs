//! Where does a model recall a fact? (Meng et al., "Locating and Editing Factual Associations in GPT", 2022,
//! arXiv 2202.05262, section 2.)
//!
//! `cargo run --bin causal_tracing -- --model FOLDER`, for example with SmolLM2 (README says how to fetch it). `--seeds`
//! draws more noise. The published numbers are means over a thousand facts of GPT-2 XL, so the verdicts ask for the same
//! effects, not for the same numbers.

use arrakis::prelude::*;
use arrakis::tools::intervene::causal_tracing::{Role, RoleLayer, Trace};
use arrakis_examples::{Expect, Golden};
use clap::Parser;

/// A prompt, its subject and the answer.
const FACTS: [(&str, &str, &str); 8] = [
    ("The Eiffel Tower is located in the city of", "The Eiffel Tower", " Paris"),
    ("The Colosseum is located in the city of", "The Colosseum", " Rome"),
    ("The Brandenburg Gate is located in the city of", "The Brandenburg Gate", " Berlin"),
    ("The Statue of Liberty is located in the city of", "The Statue of Liberty", " New"),
    ("Mount Fuji is located in the country of", "Mount Fuji", " Japan"),
    ("The Great Wall is located in the country of", "The Great Wall", " China"),
    ("The Taj Mahal is located in the country of", "The Taj Mahal", " India"),
    ("The Great Barrier Reef is located in the country of", "The Great Barrier Reef", " Australia"),
];

#[derive(Parser)]
struct Options {
    /// A folder with a checkpoint.
    #[arg(long)]
    model: String,
    /// Draws of noise for each fact.
    #[arg(long, default_value_t = 2)]
    seeds: usize,
    /// Facts whose answer the model gives less probability are left out.
    #[arg(long, default_value_t = 0.1)]
    known: f64,
}

/// What restoring the stream, the attention and the MLPs brings back, for each fact that the model knows.
#[log_experiment]
#[use_tools]
#[plot_results(name = "Where a fact is recalled")]
fn traces(
    bench: &Bench,
    seeds: usize,
    known: f64,
    #[tool] tracing: CausalTracing,
    #[figure] fig: &mut Figure,
) -> Result<[Vec<Trace>; 3]> {
    let mut found = [Vec::new(), Vec::new(), Vec::new()];
    for (prompt, subject, answer) in FACTS {
        let metric = Metric::prob(answer);
        if metric.values(bench.model(), prompt)?[0] < known {
            continue;
        }
        let corrupted = tracing.corrupt(prompt, subject)?.seeds(seeds);
        for (traces, restored) in found.iter_mut().zip([Restored::Resid, Restored::Attn, Restored::Mlp]) {
            traces.push(corrupted.trace(restored, &metric)?);
        }
    }
    for traces in &found {
        let mean = Trace::by_role(traces)?;
        fig.push(traces[0].panel());
        fig.push(mean.heatmap().titled("the same, averaged over facts by role"));
    }
    fig.columns = Some(2);
    Ok(found)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// The most that restoring tokens of one role brings back in any layer, on average over facts.
fn most(by_role: &ScoreTable<RoleLayer>, role: Role, corrupted: f64) -> f64 {
    let row = by_role.rows.iter().position(|own| *own == role).expect("every fact has this role");
    by_role.values[row].iter().copied().fold(f64::NEG_INFINITY, f64::max) - corrupted
}

fn main() -> Result<()> {
    let options = Options::parse();
    let bench = Bench::new(HookedAutoModel::from_pretrained(&options.model)?).save_dir("experiments");
    let [resid, attn, mlp] = traces(&bench, options.seeds, options.known)?;
    let (clean, corrupted) = (mean(resid.iter().map(Trace::clean)), mean(resid.iter().map(Trace::corrupted)));
    let lost = 1.0 - corrupted / clean;
    let [resid_by_role, attn, mlp] = [&resid, &attn, &mlp].map(|traces| Trace::by_role(traces));
    let (resid_by_role, attn, mlp) = (resid_by_role?, attn?, mlp?);
    let back = most(&resid_by_role, Role::LastSubject, corrupted) / (clean - corrupted);
    let early = most(&mlp, Role::LastSubject, corrupted) / most(&attn, Role::LastSubject, corrupted);
    let late = most(&attn, Role::Last, corrupted) / most(&attn, Role::LastSubject, corrupted);
    let table = Golden::new(format!("Causal tracing of {} facts", resid.len()))
        .row("share of p(answer) that noise on the subject takes away", "0.69", lost, Expect::AtLeast(0.5))
        .row("share of it that a state at the last subject token brings back", "0.47", back, Expect::AtLeast(0.25))
        .row("MLPs ÷ attention, at the last subject token", "4.1", early, Expect::AtLeast(1.5))
        .row("attention at the last token ÷ at the last subject token", "above 1", late, Expect::AtLeast(1.0));
    println!("{table}");
    bench.last().into_iter().flat_map(|run| run.figures).for_each(|file| println!("{}", file.display()));
    Ok(())
}
