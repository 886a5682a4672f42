//! `#[plot_results]`: the body gets a figure; PNG, SVG and the data are saved next to the record.

use arrakis::prelude::*;

/// The attention pattern of every head of a layer.
#[plot_results(name = "Attention of layer 1")]
#[use_tools]
fn patterns(
    bench: &Bench,
    prompt: &str,
    #[tool] attention: AttentionPatterns,
    #[figure] fig: &mut Figure,
) -> Result<()> {
    fig.push(attention.patterns(prompt, 1)?.panel());
    Ok(())
}

fn main() -> Result<()> {
    let bench = Bench::embedded()?.save_dir("experiments");
    patterns(&bench, "When Mary and John went to the store, John gave a drink to")?;
    println!("saved to {}", bench.folder().display());
    Ok(())
}
