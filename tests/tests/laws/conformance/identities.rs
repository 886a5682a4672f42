//! Which sites add up to which, in every block.

use arrakis::models::device::read;
use arrakis::models::hooks::{ActivationCache, Plan};
use arrakis::models::transformer::NormPlacement;
use arrakis::models::{HookedTransformer, Intervention};
use arrakis::prelude::{Tensor, site};

use super::{close, each, logits, prompt};

/// With its scale frozen a norm is linear: twice the stream gives twice the output.
#[test]
fn a_norm_whose_scale_is_frozen_is_linear() {
    each(|model| {
        let normalized = "blocks.1.ln1.normalized";
        if !model.sites().iter().any(|site| site == normalized) {
            return Ok(());
        }
        let plan = || Plan::new().capture(normalized).capture("blocks.1.ln1.scale");
        let doubled = || plan().edit(site::resid_pre(1), Intervention::scale(2.0));
        let of = |plan: Plan| model.run(prompt(), plan).unwrap().cache;
        let clean = of(plan());
        let scale = clean.activation("blocks.1.ln1.scale").unwrap();
        let frozen = of(doubled().edit("blocks.1.ln1.scale", Intervention::patch(scale)));
        let numbers = |cache: &ActivationCache| cache.activation(normalized).unwrap().to_vec().unwrap();
        let twice: Vec<f32> = numbers(&clean).iter().map(|x| 2.0 * x).collect();
        close("frozen", &numbers(&frozen), &twice, 1e-4)?;
        let free = numbers(&of(doubled()));
        if close("free", &free, &twice, 0.5).is_ok() {
            Err("a scale that is not frozen acts as if it were".into())
        } else {
            Ok(())
        }
    });
}

#[test]
fn the_stream_adds_up() {
    each(|model| {
        let tokens = prompt();
        let (_, cache) = model.run_with_cache(&tokens, ["*"]).unwrap();
        let config = model.config();
        for layer in 0..config.n_layers {
            let of = |name: &str| cache.get::<3>(format!("blocks.{layer}.{name}")).unwrap();
            added_up(model, layer, of)?;
            let heads: Tensor<4> = cache.get(site::result(layer)).unwrap();
            let summed: Tensor<3> = heads.sum_dim(2).squeeze_dim(2);
            let bias = model.b_o(layer).unwrap().unsqueeze();
            close("heads", &read(summed + bias).unwrap(), &read(of("attn.out")).unwrap(), 1e-4)?;
            let pattern: Tensor<4> = cache.get(site::pattern(layer)).unwrap();
            let rows = read(pattern.clone().sum_dim(3)).unwrap();
            whole(&rows, config.attn_sinks)?;
            let pattern = read(pattern).unwrap();
            if config.bidirectional {
                both_ways(&pattern)?;
            } else {
                causal(&pattern, tokens.pos(), config.windows[layer])?;
            }
        }
        let last: Tensor<3> = cache.get(site::resid_post(config.n_layers - 1)).unwrap();
        close("logits", &read(model.net().forward_unembed(last)).unwrap(), &logits(model, &tokens), 1e-5)
    });
}

/// Rows of a pattern sum to one. A sink takes a part of each.
fn whole(rows: &[f32], sinks: bool) -> Result<(), String> {
    if !sinks {
        return close("rows of the pattern", rows, &vec![1.0; rows.len()], 1e-5);
    }
    match rows.iter().find(|sum| !(1e-3..1.0 - 1e-5).contains(*sum)) {
        Some(sum) => Err(format!("a row beside a sink sums to {sum}")),
        None => Ok(()),
    }
}

/// What a block writes, added up; for norms after each addition, the norm of each sum.
fn added_up(model: &HookedTransformer, layer: usize, of: impl Fn(&str) -> Tensor<3>) -> Result<(), String> {
    let block = model.block(layer).unwrap();
    let (pre, attn_out, mlp_out) = (of("resid_pre"), of("attn_out"), of("mlp_out"));
    let post = if model.net().is_additive() {
        pre + attn_out + mlp_out
    } else if model.config().norm_placement == NormPlacement::Carried {
        let mid = block.ln1.as_ref().unwrap().apply(pre) + attn_out;
        close("resid_mid", &read(mid.clone()).unwrap(), &read(of("resid_mid")).unwrap(), 1e-4)?;
        block.ln2.as_ref().unwrap().apply(mid) + mlp_out
    } else {
        let mid = block.ln1.as_ref().unwrap().apply(pre + attn_out);
        close("resid_mid", &read(mid.clone()).unwrap(), &read(of("resid_mid")).unwrap(), 1e-4)?;
        block.ln2.as_ref().unwrap().apply(mid + mlp_out)
    };
    close("resid_post", &read(post).unwrap(), &read(of("resid_post")).unwrap(), 1e-4)
}

/// Every position has weight on every other position.
fn both_ways(pattern: &[f32]) -> Result<(), String> {
    match pattern.iter().position(|weight| *weight <= 0.0) {
        None => Ok(()),
        Some(index) => Err(format!("no weight at {index} of a bidirectional pattern")),
    }
}

/// Nothing above the diagonal, and nothing further back than the window.
fn causal(pattern: &[f32], pos: usize, window: Option<usize>) -> Result<(), String> {
    let outside = pattern.iter().enumerate().find(|(index, weight)| {
        let (query, key) = (index / pos % pos, index % pos);
        **weight != 0.0 && (key > query || window.is_some_and(|window| query - key >= window))
    });
    outside.map_or(Ok(()), |(index, weight)| {
        Err(format!("weight {weight} at query {}, key {}", index / pos % pos, index % pos))
    })
}
