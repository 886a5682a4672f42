//! `#[profile_model]`: reports time and memory by site, scope and block.

use arrakis::prelude::*;

/// Generates sixteen tokens.
#[profile_model]
fn continues(bench: &Bench, prompt: &str) -> Result<String> {
    let made = bench.model().generate(prompt, &Generation::greedy(16))?;
    Ok(bench.model().decode(&made.ids[0])?)
}

fn main() -> Result<()> {
    let bench = Bench::embedded()?;
    println!("{}\n", continues(&bench, "When Mary and John went to the store,")?);
    if let Some(profile) = bench.last().and_then(|run| run.profile) {
        println!("{profile}");
        std::fs::create_dir_all("experiments").ok();
        let trace = "experiments/profile_model.trace.json";
        if std::fs::write(trace, profile.to_chrome_trace()).is_ok() {
            println!("open {trace} in https://ui.perfetto.dev");
        }
    }
    Ok(())
}
