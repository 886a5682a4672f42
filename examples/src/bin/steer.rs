//! Steering: a direction added to the residual stream while text is generated.

use arrakis::models::{Generation, Intervention, device};
use arrakis::prelude::*;

const LAYER: usize = 1;

/// The difference of two words' streams at the layer, as a direction.
fn direction(model: &HookedTransformer, towards: &str, away: &str) -> Result<Vec<f32>> {
    let stream = |word: &str| -> Result<Vec<f32>> {
        let (_, cache) = model.run_with_cache(word, [site::resid_pre(LAYER)])?;
        let resid = cache.get::<3>(site::resid_pre(LAYER))?;
        let pos = resid.dims()[1];
        Ok(device::read(resid.narrow(1, pos - 1, 1))?)
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
        let edit = Intervention::add(vector.clone(), coefficient).edit();
        let how = Generation { plan: Plan::new().edit(site::resid_pre(LAYER), edit), ..Generation::greedy(1) };
        let made = model.generate(prompt, &how)?;
        let logit =
            |name: &str| Ok::<_, Error>(format!("{:>8.2}", made.logits[0][0][model.to_single_token(name)? as usize]));
        let logits = names.into_iter().map(logit).collect::<Result<String>>()?;
        println!(
            "{coefficient:>7} × direction  {logits}   …to{}",
            model.to_string(&made.ids[0][made.ids[0].len() - 1..])?
        );
    }
    Ok(())
}
