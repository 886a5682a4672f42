//! Gradients of the loss at the embedding, between blocks, and at the final norm.

use super::compare::Ours;
use super::forward::{LastHidden, embed_factor};
use super::{Comparer, Numbers};
use crate::error::Result;
use crate::hooks::{ActivationCache, Plan};
use crate::model::HookedTransformer;
use crate::tokens::Tokens;

pub(super) fn compare(comparer: &mut Comparer<'_>, model: &HookedTransformer) -> Result<()> {
    let names = comparer.unseen("grad_");
    let Some(tokens) = comparer.reference.tokens("input_ids")?.filter(|_| !names.is_empty()) else { return Ok(()) };
    let gradients = gradients(model, &tokens)?;
    for name in names {
        match name.rsplit_once('.').map(|(kind, layer)| (kind, layer.parse::<usize>())) {
            None if name == "grad_embed" => embedding(comparer, model, &gradients)?,
            Some(("grad_hidden_states", Ok(layer))) => hidden(comparer, model, &gradients, layer)?,
            _ => comparer.skip(name, "no site goes by this name"),
        }
    }
    Ok(())
}

fn gradients(model: &HookedTransformer, tokens: &Tokens) -> Result<ActivationCache> {
    let last = model.config().n_layers - 1;
    let mut plan = Plan::new().grad("embed").grad("blocks.*.resid_pre").grad(format!("blocks.{last}.resid_post"));
    if model.config().final_norm {
        plan = plan.grad("ln_final.normalized");
    }
    let outcome = model.run(tokens, plan)?;
    outcome.gradients(model.loss(outcome.output.clone(), tokens)?)
}

fn embedding(comparer: &mut Comparer<'_>, model: &HookedTransformer, gradients: &ActivationCache) -> Result<()> {
    let config = model.config();
    if config.embed_norm || config.d_embed.is_some() {
        comparer.skip("grad_embed", "`embed` lies behind the embedding's norm or projection, the reference's in front of it; `grad_hidden_states.0` is compared");
        return Ok(());
    }
    let factor = embed_factor(comparer.reference, model);
    let mut ours = Ours::read(gradients.activation("embed")?)?;
    ours.values.iter_mut().for_each(|value| *value = (f64::from(*value) / factor) as f32);
    comparer.check("grad_embed", &ours);
    Ok(())
}

fn hidden(
    comparer: &mut Comparer<'_>,
    model: &HookedTransformer,
    gradients: &ActivationCache,
    layer: usize,
) -> Result<()> {
    let n_layers = model.config().n_layers;
    let name = format!("grad_hidden_states.{layer}");
    if layer > n_layers {
        comparer.fail(&name, format!("the reference has layer {layer}, the model has {n_layers} layers"));
        return Ok(());
    }
    if layer == n_layers && LastHidden::of(comparer.reference, model) == LastHidden::Normed {
        return normed(comparer, model, gradients, &name);
    }
    let site = if layer == n_layers {
        format!("blocks.{}.resid_post", layer - 1)
    } else {
        format!("blocks.{layer}.resid_pre")
    };
    comparer.check(&name, &Ours::read(gradients.activation(site)?)?);
    Ok(())
}

/// No site lies behind the norm's weight. The chain rule leads there: the gradient at
/// `ln_final.normalized` is the reference's times that weight.
fn normed(
    comparer: &mut Comparer<'_>,
    model: &HookedTransformer,
    gradients: &ActivationCache,
    name: &str,
) -> Result<()> {
    let ours = Ours::read(gradients.activation("ln_final.normalized")?)?;
    let (Some(theirs), Some(weight)) = (comparer.reference.numbers(name), final_weight(model)?) else {
        comparer.check(name, &ours);
        return Ok(());
    };
    comparer.uses(name);
    let values = theirs.values.iter().zip(weight.iter().cycle()).map(|(gradient, weight)| gradient * weight).collect();
    let note = "the reference's, times the final norm's weight, at `ln_final.normalized`";
    comparer.check_against(name, &Ours { note, ..ours }, &Numbers { shape: theirs.shape.clone(), values });
    Ok(())
}

/// What the final norm multiplies by, `[d_model]`.
fn final_weight(model: &HookedTransformer) -> Result<Option<Vec<f32>>> {
    let Some(norm) = &model.net().ln_final else { return Ok(None) };
    let ones = burn::tensor::Tensor::<1>::ones([model.config().d_model], model.device());
    let zeros = ones.zeros_like();
    Ok(Some(crate::device::read(norm.affine(ones) - norm.affine(zeros))?))
}
