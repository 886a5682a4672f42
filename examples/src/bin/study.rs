//! Indirect objects, studied whole: who carries the name, who writes it, and does the evidence agree?
//!
//! `cargo run --bin study -- --model FOLDER [--reference FOLDER]` on a real model; without a folder, the embedded one.

use std::path::{Path, PathBuf};

use arrakis::models::LoadOptions;
use arrakis::prelude::*;
use arrakis::tools::attribution_patching::Point;
use arrakis_examples::{Group, Recorded, Study, against, finding, mean_table, pairs, who_looks_where};
use clap::Parser;

#[log_experiment]
#[profile_model]
#[use_tools]
#[plot_results(name = "Indirect objects")]
fn study(
    bench: &Bench,
    groups: Vec<Group>,
    #[tool] dla: DirectLogitAttribution,
    #[tool] ablation: Ablation,
    #[tool] patching: ActivationPatching,
    #[tool] gradient: AttributionPatching,
    #[figure] fig: &mut Figure,
) -> Result<Study> {
    let (mut clean, mut corrupted) = (Vec::new(), Vec::new());
    for group in &groups {
        clean.extend(group.logit_diffs(bench.model(), &group.clean)?);
        corrupted.extend(group.logit_diffs(bench.model(), &group.corrupted)?);
    }
    let direct =
        mean_table(&groups, |group| dla.mean_heads(&group.clean, &group.answers, &group.wrong, Position::Last))?;
    let zeroed =
        mean_table(&groups, |group| Ok(ablation.heads(&group.clean, &group.metric(), &AblationKind::Zero)?.ablated))?;
    let patched = mean_table(&groups, |group| {
        Ok(patching.by_head(&group.corrupted, &group.clean, &group.metric(), HeadSite::Z)?.table)
    })?;
    let stream =
        patching.by_position(&groups[0].clean, &groups[0].corrupted, &groups[0].metric(), StreamSite::ResidPre)?.table;
    let at_clean = gradient.at(Point::Clean);
    let estimated = mean_table(&groups, |group| {
        Ok(at_clean.heads(&group.clean, &group.corrupted, &group.metric())?.map("estimated change (nats)", |x| -x))
    })?;
    let middle = clean.iter().sum::<f64>() / clean.len() as f64;
    let change = |table: &ScoreTable| table.map("change of the logit difference (nats)", |x| x - middle as f32);
    for (table, title) in [
        (&direct, "written directly"),
        (&change(&zeroed), "when zeroed"),
        (&change(&patched), "patched from the corrupted run"),
        (&estimated, "patched, by gradient"),
    ] {
        fig.push(table.heatmap().diverging().annotate(4).titled(title));
    }
    fig.push(stream.heatmap().diverging().titled("clean stream into the corrupted run"));
    let flat = |table: &ScoreTable| table.values.concat().into_iter().map(f64::from).collect::<Vec<_>>();
    let agreement = arrakis::hypothesis::stats::pearson(&flat(&estimated), &flat(&change(&patched)))?;
    let accuracy = clean.iter().filter(|diff| **diff > 0.0).count() as f64 / clean.len() as f64;
    Ok(Study {
        clean: middle,
        corrupted: corrupted.iter().sum::<f64>() / corrupted.len() as f64,
        accuracy,
        direct,
        zeroed,
        patched,
        stream,
        estimated,
        agreement,
    })
}

/// For each prompt: how far patching the strongest mover moves the answer beyond the average of all other heads.
#[log_experiment]
#[test_hypothesis(claim = "the strongest mover carries more of the name than the other heads do", metric = "excess effect of the strongest mover, nats", null = 0.0, alternative = Greater, test = OneSampleT, comparisons = comparisons)]
fn strongest_mover(bench: &Bench, groups: Vec<Group>, comparisons: usize, mover: (usize, usize)) -> Result<Vec<f64>> {
    let patching = bench.tool::<ActivationPatching>()?;
    let mut excess = Vec::new();
    for group in &groups {
        let found = patching.by_head(&group.corrupted, &group.clean, &group.metric(), HeadSite::Z)?;
        let clean = group.logit_diffs(bench.model(), &group.clean)?;
        let chosen = mover.0 * bench.model().config().n_heads + mover.1;
        for (prompt, clean) in clean.iter().enumerate() {
            let effects: Vec<f64> = found.per_prompt.iter().map(|values| clean - values[prompt]).collect();
            let others = (effects.iter().sum::<f64>() - effects[chosen]) / (effects.len() - 1) as f64;
            excess.push(effects[chosen] - others);
        }
    }
    Ok(excess)
}

#[derive(Parser)]
struct Arguments {
    /// A folder or Hub id; the embedded model without it.
    #[arg(long)]
    model: Option<String>,
    /// A folder with recorded numbers (open.json, open.safetensors) to print beside ours.
    #[arg(long)]
    reference: Option<PathBuf>,
    #[arg(long, default_value = "experiments")]
    save_dir: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let model = match &arguments.model {
        Some(name) => HookedAutoModel::load(name, &LoadOptions::default())?,
        None => HookedAutoModel::embedded()?,
    };
    println!("{} on {}", model.name(), model.device_name());
    let recorded = arguments.reference.as_deref().map(Recorded::read).transpose()?;
    let groups = pairs(&model, recorded.as_ref())?;
    let bench = Bench::new(model).save_dir(Path::new(&arguments.save_dir));
    who_looks_where(&bench)?;
    let found = study(&bench, groups.clone())?;
    for (name, table, untouched) in [
        ("ioi.dla_by_head", &found.direct, 0.0),
        ("ioi.zero_ablate_z.logit_diff", &found.zeroed, found.clean),
        ("ioi.patch_corrupted_z.logit_diff", &found.patched, found.clean),
        ("ioi.patch_clean_resid_pre.logit_diff", &found.stream, found.corrupted),
        ("ioi.attribution_patch_z", &found.estimated, 0.0),
    ] {
        against(name, table, untouched, recorded.as_ref());
    }
    let figures = bench.last_record().map(|record| record.figures).unwrap_or_default();
    let heads = bench.model().config().n_layers * bench.model().config().n_heads;
    let mover = found.patched.lowest(1).remove(0);
    strongest_mover(&bench, groups, heads, (mover.row, mover.column))?;
    finding(&found, &bench);
    for figure in figures {
        println!("figure  {}", arguments.save_dir.join(figure).display());
    }
    Ok(())
}
