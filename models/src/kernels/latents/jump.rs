//! Steps at thresholds that are learnt.

use arrakis_kernels::{Jump, has_vectors};
use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Device, Tensor};

use super::super::flex::{Node, Tracked, in_graph, strategy};
use super::super::memory::own_numbers;
use super::{new, single};

/// The step of a threshold for each column, `[rows, d_sae]` and `[d_sae]`, in a graph.
///
/// # Errors
///
/// The tensors, if no kernel knows them or they are in no graph.
pub(crate) fn jump(of: Jump, z: Tensor<2>, thresholds: Tensor<1>) -> Result<Tensor<2>, (Tensor<2>, Tensor<1>)> {
    let cpu = Device::flex();
    let fits = z.dims()[1] == thresholds.dims()[0] && z.dims().iter().product::<usize>() > 0;
    let single = z.dtype() == DType::F32 && thresholds.dtype() == DType::F32;
    if !(fits && single && z.device() == cpu && thresholds.device() == cpu && has_vectors()) {
        return Err((z, thresholds));
    }
    let all = [z.into_dispatch(), thresholds.into_dispatch()];
    let Some(strategy) = strategy(&all) else {
        let [z, thresholds] = all;
        return Err((Tensor::from_dispatch(z), Tensor::from_dispatch(thresholds)));
    };
    Ok(Tensor::from_dispatch(in_graph(Step(of), all, strategy)))
}

#[derive(Clone, Copy, Debug)]
struct Step(Jump);

impl Node<2> for Step {
    fn node<C: CheckpointStrategy>(self, all: [Tracked; 2]) -> Tracked {
        let nodes = all.each_ref().map(Tracked::node);
        let [z, thresholds] = all.map(|tensor| tensor.into_primitive().to_contiguous());
        let [rows, width]: [usize; 2] = z.shape().dims();
        let out = new(self.0.values(single(&z), single(&thresholds)), [rows, width]);
        match self.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((z, thresholds), out),
            OpsKind::UnTracked(step) => step.finish(out),
        }
    }
}

impl Backward<Flex, 2> for Step {
    /// Numbers and thresholds.
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let ([z, thresholds], (numbers, own)) = (ops.parents, ops.state);
        let width = own.shape()[0];
        let sums = self.0.gradients(single(&numbers), single(&own), own_numbers(&mut gradient));
        if let Some(z) = z {
            grads.register::<Flex>(z.id, gradient);
        }
        if let Some(thresholds) = thresholds {
            grads.register::<Flex>(thresholds.id, new(sums, [width]));
        }
    }
}
