//! Removes means that nothing reads.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::ground::dtype::widened;
use crate::transformer::{Linear, Neurons, Positions, Transformer};

/// Subtracts from `W_E`, `W_pos`, `W_O`, `b_O`, `W_out` and `b_out` their mean over `d_model`.
pub(super) fn writing_weights(net: Transformer) -> Transformer {
    let mut net = untied(net);
    net.embed.weight = rows_centred(&net.embed.weight);
    // Of Shortformer's positions nothing reaches the stream.
    if let Some(table) = net.pos_embed.as_mut().filter(|_| matches!(net.config.positions, Positions::Learned { .. })) {
        table.weight = rows_centred(&table.weight);
    }
    for block in &mut net.blocks {
        center_output(&mut block.attn.w_o);
        match &mut block.mlp {
            Neurons::Dense(mlp) => center_output(&mut mlp.w_out),
            Neurons::Absent(_) => {}
            Neurons::Mixture(mixture) => {
                mixture.experts.iter_mut().chain(&mut mixture.shared).for_each(|mlp| center_output(&mut mlp.w_out));
            }
        }
    }
    net
}

/// Subtracts from `W_U` and `b_U` their mean over the vocabulary.
pub(super) fn unembed(net: Transformer) -> Transformer {
    let mut net = untied(net);
    net.unembed.weight = net.unembed.weight.as_ref().map(rows_centred);
    if let Some(bias) = &mut net.unembed.bias {
        *bias = Param::from_tensor(bias.val() - bias.val().mean());
    }
    net
}

/// Makes the unembedding a separate matrix, so that it can differ from the embedding.
fn untied(mut net: Transformer) -> Transformer {
    if net.unembed.weight.is_none() {
        net.unembed.weight = Some(Param::from_tensor(net.unembedding()));
        net.config.tied = false;
    }
    net
}

fn center_output(linear: &mut Linear) {
    linear.weight = rows_centred(&linear.weight);
    if let Some(bias) = &mut linear.bias {
        *bias = Param::from_tensor(bias.val() - bias.val().mean());
    }
}

fn rows_centred(weight: &Param<Tensor<2>>) -> Param<Tensor<2>> {
    let weight = widened(weight.val());
    Param::from_tensor(weight.clone() - weight.mean_dim(1))
}
