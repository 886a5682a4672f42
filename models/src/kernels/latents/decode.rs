//! `f W + b` of latents, and its gradients.

use arrakis_kernels::{Sparse, column_sums};
use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Tensor;

use super::super::flex::{Node, Tracked, in_graph};
use super::super::product::{product, value};
use super::{learns, new, or_nothing, single, turned};

/// Which latents need a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slopes {
    /// Those that are not zero: the activation function is flat where it is zero, so the gradient of the others would be
    /// multiplied by zero.
    Active,
    /// All of them.
    All,
}

/// `f W + b`: latents `[rows, d_sae]` times `[d_sae, d_out]`. In a graph it costs what is not zero in the latents.
pub(crate) fn decode(acts: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>, slopes: Slopes) -> Tensor<2> {
    let Some(strategy) = learns(&acts, &weight, bias.as_ref(), None) else { return product(acts, weight, bias) };
    let own = Decode { has_bias: bias.is_some(), slopes };
    let inputs = [acts.into_dispatch(), weight.into_dispatch(), or_nothing(bias)];
    Tensor::from_dispatch(in_graph(own, inputs, strategy))
}

#[derive(Clone, Copy, Debug)]
struct Decode {
    has_bias: bool,
    slopes: Slopes,
}

/// Latents as they are kept.
#[derive(Clone, Debug)]
enum Latents {
    Few(Sparse),
    Many(FlexTensor),
}

impl Node<3> for Decode {
    fn node<C: CheckpointStrategy>(self, all: [Tracked; 3]) -> Tracked {
        let nodes = all.each_ref().map(Tracked::node);
        let [acts, weight, bias] = all.map(Tracked::into_primitive);
        let (acts, weight, bias) = (acts.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
        let bias = self.has_bias.then_some(&bias);
        let [rows, d_sae]: [usize; 2] = acts.shape().dims();
        let d_out = weight.shape()[1];
        let (latents, out) = if let Some(few) = Sparse::of(single(&acts), d_sae) {
            let out = new(few.times(single(&weight), d_out, bias.map(single)), [rows, d_out]);
            (Latents::Few(few), out)
        } else {
            let out = value(&acts, &weight, bias);
            (Latents::Many(acts), out)
        };
        match self.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((latents, weight), out),
            OpsKind::UnTracked(step) => step.finish(out),
        }
    }
}

impl Decode {
    fn of_acts(self, latents: &Latents, weight: FlexTensor, gradient: &FlexTensor) -> FlexTensor {
        let [d_sae, d_out]: [usize; 2] = weight.shape().dims();
        match latents {
            Latents::Few(few) if self.slopes == Slopes::Active => {
                let dots = few.dots(single(gradient), single(&weight), d_out);
                new(few.scattered(&dots), [few.rows(), d_sae])
            }
            _ => value(gradient, &turned(weight), None),
        }
    }
}

impl Backward<Flex, 3> for Decode {
    /// The latents, and the weight.
    type State = (Latents, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let ([acts, weight, bias], (latents, matrix)) = (ops.parents, ops.state);
        let [d_sae, d_out]: [usize; 2] = matrix.shape().dims();
        if let Some(acts) = acts {
            grads.register::<Flex>(acts.id, self.of_acts(&latents, matrix, &gradient));
        }
        if let Some(bias) = bias.filter(|_| self.has_bias) {
            grads.register::<Flex>(bias.id, new(column_sums(single(&gradient), d_out), [d_out]));
        }
        if let Some(weight) = weight {
            let of_weight = match latents {
                Latents::Few(few) => new(few.transposed().times(single(&gradient), d_out, None), [d_sae, d_out]),
                Latents::Many(acts) => Flex::float_matmul(turned(acts), gradient),
            };
            grads.register::<Flex>(weight.id, of_weight);
        }
    }
}
