//! Gradients of the loss at the embedding, between blocks, and at the final norm.

use arrakis_models::hooks::{ActivationCache, Plan};
use arrakis_models::model::HookedTransformer;
use arrakis_models::site;
use burn::tensor::{Tensor, TensorData};

use super::Numbers;
use super::compare::{Comparer, Ours};
use super::forward::{LastHidden, embed_factor};
use super::inputs::Inputs;
use crate::error::Result;

pub(super) fn compare(comparer: &mut Comparer<'_>, model: &HookedTransformer) -> Result<()> {
    let names = comparer.unseen("grad_");
    let Some(inputs) = Inputs::of(comparer.reference, model)?.filter(|_| !names.is_empty()) else { return Ok(()) };
    let gradients = gradients(model, &inputs)?;
    for name in names {
        match name.rsplit_once('.').map(|(kind, layer)| (kind, layer.parse::<usize>())) {
            None if name == "grad_embed" => embedding(comparer, model, &gradients)?,
            Some(("grad_hidden_states", Ok(layer))) => hidden(comparer, model, &gradients, layer)?,
            _ => comparer.skip(name, "no site has this name"),
        }
    }
    Ok(())
}

fn gradients(model: &HookedTransformer, inputs: &Inputs) -> Result<ActivationCache> {
    let last = model.config().n_layers - 1;
    let mut plan = Plan::new().grad(site::embed()).grad(site::every(site::resid_pre)).grad(site::resid_post(last));
    if model.config().final_norm {
        plan = plan.grad(site::ln_final_normalized());
    }
    let outcome = model.run(&inputs.tokens, plan)?;
    Ok(outcome.gradients(inputs.loss(model, outcome.output.clone())?)?)
}

fn embedding(comparer: &mut Comparer<'_>, model: &HookedTransformer, gradients: &ActivationCache) -> Result<()> {
    let config = model.config();
    if config.embed_norm || config.d_embed.is_some() {
        comparer.skip("grad_embed", "our `embed` comes after the embedding's norm or projection, the reference's before it; `grad_hidden_states.0` is compared");
        return Ok(());
    }
    let factor = embed_factor(comparer.reference, model);
    let mut ours = Ours::read(gradients.activation(site::embed())?)?;
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
    if layer == n_layers {
        return last(comparer, model, gradients, &name);
    }
    comparer.check(&name, &Ours::read(gradients.activation(site::resid_pre(layer))?)?);
    Ok(())
}

/// There is no site after the norm's weight, or after the projection to the embedding's width. By the chain rule the
/// gradient at the nearest earlier site is the reference's gradient, back through the projection, times that weight.
fn last(comparer: &mut Comparer<'_>, model: &HookedTransformer, gradients: &ActivationCache, name: &str) -> Result<()> {
    let normed = LastHidden::of(comparer.reference, model) == LastHidden::Normed;
    let at = if normed { site::ln_final_normalized() } else { site::resid_post(model.config().n_layers - 1) };
    let ours = Ours::read(gradients.activation(at)?)?;
    let Some(theirs) = comparer.reference.numbers(name) else {
        comparer.check(name, &ours);
        return Ok(());
    };
    comparer.uses(name);
    let mut before = unprojected(model, theirs)?;
    let mut note = if model.net().project_out.is_some() { "the reference's, back through the projection" } else { "" };
    if normed && let Some(weight) = final_weight(model)? {
        before.values.iter_mut().zip(weight.iter().cycle()).for_each(|(gradient, weight)| *gradient *= weight);
        note = "the reference's, times the final norm's weight, at `ln_final.normalized`";
    }
    comparer.check_against(name, &Ours { note, ..ours }, &before);
    Ok(())
}

/// A gradient from after `project_out`, moved to before it: `[.., d_embed]` times the projection's transpose.
fn unprojected(model: &HookedTransformer, theirs: &Numbers) -> Result<Numbers> {
    let Some(project) = &model.net().project_out else { return Ok(theirs.clone()) };
    let weight = project.weight.val();
    let [d_model, width] = weight.dims();
    if theirs.shape.last() != Some(&width) {
        return Ok(theirs.clone());
    }
    let rows = theirs.values.len() / width;
    let gradient = Tensor::<2>::from_data(TensorData::new(theirs.values.clone(), [rows, width]), model.device());
    let mut shape = theirs.shape.clone();
    shape.pop();
    shape.push(d_model);
    Ok(Numbers { shape, values: arrakis_models::device::read(gradient.matmul(weight.transpose()))? })
}

/// The final norm's weight, `[d_model]`.
fn final_weight(model: &HookedTransformer) -> Result<Option<Vec<f32>>> {
    let Some(norm) = &model.net().ln_final else { return Ok(None) };
    let ones = burn::tensor::Tensor::<1>::ones([model.config().d_model], model.device());
    let zeros = ones.zeros_like();
    Ok(Some(arrakis_models::device::read(norm.affine(ones) - norm.affine(zeros))?))
}
