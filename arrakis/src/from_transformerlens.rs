//! The snippets of `docs/FROM_TRANSFORMERLENS.md`, run: the page shows what stands here, and its counts are counted.

use std::fmt::Write as _;

use crate::prelude::*;

const PAGE: &str = include_str!("../../docs/FROM_TRANSFORMERLENS.md");
const SOURCE: &str = include_str!("from_transformerlens.rs");
const MARY: &str = "When Mary and John went to the store, John gave a drink to";
const JOHN: &str = "When Mary and John went to the store, Mary gave a drink to";

/// The model, the prompt, and the id of the name it ends with.
fn setting() -> Result<(HookedTransformer, &'static str, u32)> {
    let model = HookedAutoModel::embedded()?;
    let mary = model.to_single_token(" Mary")?;
    Ok((model, MARY, mary))
}

/// Code blocks of a language: heading and lines, the setting of the page left out.
fn blocks(language: &str) -> Vec<(String, Vec<&'static str>)> {
    let (mut heading, mut found, mut open) = (String::new(), Vec::new(), false);
    for line in PAGE.lines() {
        match line.strip_prefix("### ") {
            Some(name) if !open => heading = name.to_owned(),
            _ => (),
        }
        if line == format!("```{language}") {
            open = true;
            found.push((heading.clone(), Vec::new()));
        } else if line.starts_with("```") {
            open = false;
        } else if let Some((_, lines)) = found.last_mut().filter(|_| open) {
            lines.push(line);
        }
    }
    found.retain(|(heading, _)| !heading.is_empty());
    found
}

fn characters(lines: &[&str]) -> usize {
    lines.iter().map(|line| line.trim().chars().count()).sum()
}

#[test]
fn the_page_shows_what_runs_and_counts_what_it_shows() {
    let without_space = |text: &str| text.split_whitespace().collect::<String>();
    let (theirs, ours, source) = (blocks("python"), blocks("rust"), without_space(SOURCE));
    assert_eq!((theirs.len(), ours.len()), (8, 8));
    let mut table = String::from("| snippet | TransformerLens | Arrakis |\n| --- | --- | --- |\n");
    for ((name, python), (same, rust)) in theirs.iter().zip(&ours) {
        assert_eq!(name, same);
        assert!(source.contains(&without_space(&rust.join("\n"))), "{name} of the page is not run in this file");
        let (theirs, ours) = ((python.len(), characters(python)), (rust.len(), characters(rust)));
        assert!(ours.0 <= theirs.0 && ours.1 <= theirs.1, "{name}: ours {ours:?}, theirs {theirs:?}");
        writeln!(table, "| {name} | {} lines, {} characters | {}, {} |", theirs.0, theirs.1, ours.0, ours.1).unwrap();
    }
    assert!(PAGE.contains(&table), "the page should say:\n{table}");
}

#[test]
fn cache_a_site() -> Result<()> {
    let (model, prompt, ..) = setting()?;
    let (_, cache) = model.run_with_cache(prompt, ["resid_pre1"])?;
    let resid = cache.get::<3>("resid_pre1")?;
    assert_eq!(resid.dims(), [1, 15, model.config().d_model]);
    Ok(())
}

#[test]
fn logit_lens() -> Result<()> {
    let (model, prompt, ..) = setting()?;
    let lens = LogitLens::new(&model)?;
    let found = lens.target(prompt, " Mary")?;
    assert_eq!(found.target, model.to_single_token(" Mary")?);
    Ok(())
}

#[test]
fn zero_a_head() -> Result<()> {
    let (model, prompt, ..) = setting()?;
    let zero = Intervention::zero().head(0);
    let logits = model.run_with_hooks(prompt, [(site::z(1), zero)])?;
    assert_ne!(logits.last().read()?, model.last_logits(prompt)?);
    Ok(())
}

#[test]
fn patch_resid_pre_by_position() -> Result<()> {
    let (model, prompt, _) = setting()?;
    let corrupted = JOHN;
    let metric = Metric::logit_diff(" Mary", " John");
    let patching = ActivationPatching::new(&model)?;
    let result = patching.from(prompt).into(corrupted)?.resid_pre(&metric)?;
    assert!(result.source > Some(0.0) && result.baseline < 0.0, "{result:?}");
    Ok(())
}

#[test]
fn mean_ablate_a_head() -> Result<()> {
    let (model, prompt, ..) = setting()?;
    let mean = Intervention::mean_over_positions().head(0);
    let logits = model.run_with_hooks(prompt, [(site::z(1), mean)])?;
    assert_ne!(logits.last().read()?, model.last_logits(prompt)?);
    Ok(())
}

#[test]
fn steer_while_generating() -> Result<()> {
    let (model, prompt, ..) = setting()?;
    let vector = vec![1.0; model.config().d_model];
    let steer = Intervention::add(vector, 2.0);
    let how = Generation::greedy(5).edit(site::resid_pre(1), steer);
    let text = model.decode(&model.generate(prompt, &how)?.ids[0])?;
    assert!(text.contains("gave a drink to"), "{text}");
    Ok(())
}

#[test]
fn gradient_at_a_site() -> Result<()> {
    let (model, prompt, mary) = setting()?;
    let run = model.run(prompt, Plan::new().grad(site::resid_pre(1)))?;
    let metric = run.output.last().narrow(1, mary as usize, 1).sum();
    let grad: Tensor<3> = run.gradients(metric)?.get(site::resid_pre(1))?;
    assert!(grad.abs().sum().read_one()? > 0.0);
    Ok(())
}

#[test]
fn one_logit() -> Result<()> {
    let (model, prompt, mary) = setting()?;
    let logit = model.logit(prompt, " Mary")?;
    assert_eq!(logit, model.last_logits(prompt)?[mary as usize]);
    Ok(())
}
