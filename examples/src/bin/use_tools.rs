//! `#[use_tools]`: fills in tool arguments by their types; a tool of your own takes a dozen lines.

use arrakis::prelude::*;

/// The number of attention parameters in each layer.
struct AttentionSize {
    per_layer: usize,
}

impl Tool for AttentionSize {
    const NAME: &'static str = "attention_size";

    fn new(model: &HookedTransformer) -> Result<Self> {
        let config = model.config();
        Ok(Self { per_layer: 2 * config.d_model * config.d_head * (config.n_heads + config.n_kv_heads) })
    }
}

/// What the model would predict if it stopped after each layer.
#[use_tools]
fn depth_of_the_answer(
    bench: &Bench,
    prompt: &str,
    #[tool] lens: LogitLens,
    #[tool] size: AttentionSize,
) -> Result<()> {
    println!("attention weights per layer: {}", size.per_layer);
    let ranks = lens.target(prompt, " Mary")?.rank;
    for (step, ranks) in ranks.rows.iter().zip(&ranks.values) {
        println!("{step:<10} rank of Mary after each word: {ranks:?}");
    }
    Ok(())
}

fn main() -> Result<()> {
    let bench = Bench::embedded()?;
    depth_of_the_answer(&bench, "When Mary and John went to the store, John gave a drink to")
}
