//! `f W + b` of latents, and its gradients.

use arrakis_kernels::{Sparse, column_sums};
use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, CheckpointStrategy, NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{DispatchAutodiffContext, Flex, GradientCheckpointingStrategy};
use burn::tensor::{Tensor, TensorData};

use super::super::flex::{Tracked, in_graph, tracked};
use super::super::product::{product, value};
use super::{context, learns, new, single, turned};

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
    if !learns(&acts, &weight, [bias.as_ref(), None]) {
        return product(acts, weight, bias);
    }
    let none = || Tensor::<1>::from_data(TensorData::from([0.0_f32]), &burn::tensor::Device::flex()).into_dispatch();
    let has_bias = bias.is_some();
    let all = [acts.into_dispatch(), weight.into_dispatch(), bias.map_or_else(none, Tensor::into_dispatch)];
    match context(&all.each_ref()) {
        DispatchAutodiffContext::Disabled => {
            let [acts, weight, bias] = all;
            let bias = has_bias.then(|| Tensor::from_dispatch(bias));
            product(Tensor::from_dispatch(acts), Tensor::from_dispatch(weight), bias)
        }
        DispatchAutodiffContext::Enabled(strategy) => {
            let (own, all) = (Decode { has_bias, slopes }, all.map(tracked));
            let out = match strategy {
                GradientCheckpointingStrategy::Disabled => own.node::<NoCheckpointing>(all),
                GradientCheckpointingStrategy::Balanced => own.node::<BalancedCheckpointing>(all),
            };
            Tensor::from_dispatch(in_graph(out, strategy))
        }
    }
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

impl Decode {
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
