//! `#[plot_results]`: the attribute draws plots of its own, the body adds to them, and all are saved next to the record.

use arrakis::prelude::*;

/// Which heads of layer 1 look at the names, how large the stream grows, and what the body measures itself.
#[plot_results(
    name = "Names and norms",
    attention("blocks.1.attn.pattern", title = "attention of layer 1"),
    residual_norms(),
    attention_stats("blocks.*.attn.pattern")
)]
#[use_tools]
fn patterns(bench: &Bench, prompt: &str, #[tool] lens: LogitLens, #[figure] fig: &mut Figure) -> Result<usize> {
    let tokens = bench.model().to_str_tokens(prompt)?.len();
    fig.push(lens.target(prompt, " Mary")?.log_prob.heatmap());
    Ok(tokens)
}

fn main() -> Result<()> {
    let mut bench = Bench::embedded()?.save_dir("experiments");
    let prompt = "When Mary and John went to the store, John gave a drink to";
    patterns(&bench, prompt)?;
    bench.set_plotting_lib(plot::Html);
    println!("{} tokens, saved to {}", patterns(&bench, prompt)?, bench.folder().display());
    Ok(())
}
