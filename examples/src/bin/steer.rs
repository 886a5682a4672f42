//! Steering: adds a direction to the residual stream during generation.

use arrakis::prelude::*;

const LAYER: usize = 1;

/// The difference between the residual streams of two words at the layer, `[d_model]`.
fn direction(model: &HookedTransformer, towards: &str, away: &str) -> Result<Vec<f32>> {
    let stream = |word: &str| -> Result<Vec<f32>> {
        let (_, cache) = model.run_with_cache(word, [site::resid_pre(LAYER)])?;
        Ok(cache.get::<3>(site::resid_pre(LAYER))?.last().read()?)
    };
    Ok(stream(towards)?.iter().zip(stream(away)?).map(|(a, b)| a - b).collect())
}

fn main() -> Result<()> {
    let model = HookedAutoModel::embedded()?;
    let prompt = "When Mary and John went to the store, John gave a drink to";
    let vector = direction(&model, " Anna", " Mary")?;
    let names = [" Mary", " John", " Anna"];
    println!("logits of the next word:{}", names.map(|name| format!("{name:>8}")).concat());
    for coefficient in [0.25, 0.5, 0.75, 1.0] {
        let edit = Intervention::add(vector.clone(), coefficient);
        let made = model.generate(prompt, &Generation::greedy(1).edit(site::resid_pre(LAYER), edit))?;
        let first = made.logits(0, 0)?;
        let logit = |name: &str| Ok(format!("{:>8.2}", first[model.to_single_token(name)? as usize]));
        let logits = names.into_iter().map(logit).collect::<Result<String>>()?;
        println!(
            "{coefficient:>7} × direction  {logits}   …to{}",
            model.decode(&made.ids[0][made.ids[0].len() - 1..])?
        );
    }
    Ok(())
}
