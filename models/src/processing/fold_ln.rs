//! Folds a norm's weight and bias into the matrices that read it.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::transformer::{Linear, Mlp, Neurons, Norm, Transformer, Unembedding};

/// Folds every norm that is read by matrices: `ln1` into queries, keys and values, `ln2` into the MLP,
/// `ln_final` into the unembedding, a norm on neurons into what they write.
pub(super) fn apply(mut net: Transformer) -> Transformer {
    for block in &mut net.blocks {
        let shared = block.ln2.is_none().then(|| block.ln1.clone()).flatten().filter(|_| net.config.is_parallel());
        if let Some(norm) = &mut block.ln1 {
            for linear in [&mut block.attn.w_q, &mut block.attn.w_k, &mut block.attn.w_v] {
                fold(norm, linear);
            }
            strip(norm);
        }
        if let Some(norm) = shared {
            into_neurons(&norm, &mut block.mlp);
        }
        if let Some(norm) = &mut block.ln2 {
            into_neurons(norm, &mut block.mlp);
            strip(norm);
        }
        if let Neurons::Dense(mlp) = &mut block.mlp
            && let Some(norm) = &mut mlp.ln
        {
            fold(norm, &mut mlp.w_out);
            strip(norm);
        }
    }
    into_unembed(net)
}

fn into_neurons(norm: &Norm, neurons: &mut Neurons) {
    let into_mlp = |mlp: &mut Mlp| {
        fold(norm, &mut mlp.w_in);
        if let Some(gate) = &mut mlp.w_gate {
            fold(norm, gate);
        }
    };
    match neurons {
        Neurons::Absent(_) => {}
        Neurons::Dense(mlp) => into_mlp(mlp),
        Neurons::Mixture(mixture) => {
            fold(norm, &mut mixture.router);
            mixture.shared_gate.iter_mut().for_each(|gate| fold(norm, gate));
            mixture.experts.iter_mut().chain(&mut mixture.shared).for_each(into_mlp);
        }
    }
}

fn into_unembed(mut net: Transformer) -> Transformer {
    let Some(norm) = net.ln_final.clone() else { return net };
    let mut linear = Linear { weight: Param::from_tensor(net.unembedding()), bias: net.unembed.bias.clone() };
    fold(&norm, &mut linear);
    net.unembed = Unembedding { weight: Some(linear.weight), bias: linear.bias };
    (net.config.tied, net.config.unembed_bias) = (false, net.unembed.bias.is_some());
    if let Some(norm) = &mut net.ln_final {
        strip(norm);
    }
    net
}

/// `b += norm_b W`, `W *= norm_w`. LayerNorm's output has mean zero, so the matrices that read it are centred over
/// `d_model`.
fn fold(norm: &Norm, linear: &mut Linear) {
    let mut weight = linear.matrix();
    if let Some(norm_bias) = &norm.bias {
        let row: Tensor<2> = norm_bias.val().unsqueeze();
        let added = row.matmul(weight.clone()).squeeze_dim::<1>(0);
        linear.bias = Some(Param::from_tensor(match &linear.bias {
            Some(bias) => bias.val() + added,
            None => added,
        }));
    }
    if let Some(norm_weight) = &norm.weight {
        let scale = if norm.kind.is_offset() { norm_weight.val() + 1.0 } else { norm_weight.val() };
        weight = weight * scale.unsqueeze_dim::<2>(1);
    }
    if norm.kind.centres() {
        weight = weight.clone() - weight.mean_dim(0);
    }
    linear.weight = Param::from_tensor(weight);
}

fn strip(norm: &mut Norm) {
    (norm.weight, norm.bias) = (None, None);
}
