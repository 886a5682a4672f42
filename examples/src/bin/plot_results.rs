//! `#[plot_results]`: the body is given its figure, and PNG, SVG and the data are saved beside the record.

use arrakis::prelude::*;

/// Where every head of a layer looks.
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
    println!("drawn into {}", bench.folder().display());
    Ok(())
}
