//! How a kernel is reached from a tensor, and how it becomes a node of Burn's graph.

use std::fmt::Debug;

use arrakis_kernels::has_vectors;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, CheckpointStrategy, NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, BackendTensor, DispatchAutodiffContext, DispatchTensorKind, Flex,
    GradientCheckpointingStrategy, TensorMetadata,
};
use burn::tensor::{Bool, DispatchTensor, Tensor};

use super::memory;

/// An operation on `N` tensors of one shape, with its gradients.
pub(super) trait Kernel<const N: usize>: Clone + Debug + Send + 'static {
    /// What the backward pass needs.
    type Kept: Clone + Debug + Send + 'static;

    /// The result.
    fn value(&self, inputs: [FlexTensor; N]) -> FlexTensor;

    /// The result, to the same bits, and what the backward pass needs.
    fn kept(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Kept);

    /// The gradient of each input, from that of the result.
    fn gradients(&self, kept: Self::Kept, gradient: FlexTensor) -> [FlexTensor; N];
}

/// The kernel's result.
///
/// # Errors
///
/// The inputs, if they are not on the CPU in a precision that kernels know, or the CPU has no vectors.
pub(super) fn run<K: Kernel<N>, const N: usize, const D: usize>(
    kernel: &K,
    inputs: [Tensor<D>; N],
) -> Result<Tensor<D>, [Tensor<D>; N]> {
    let inputs = inputs.map(Tensor::into_dispatch);
    let same = inputs.iter().all(|input| input.dtype() == inputs[0].dtype() && memory::known(input.dtype()));
    match context(&inputs).filter(|_| same && has_vectors() && inputs.iter().all(is_on_cpu)) {
        Some(context) => Ok(Tensor::from_dispatch(result(kernel, inputs, context))),
        None => Err(inputs.map(Tensor::from_dispatch)),
    }
}

/// The tensor's own memory, if it is on the CPU and has no graph.
///
/// # Errors
///
/// The tensor, if not.
pub(super) fn plain<const D: usize>(tensor: Tensor<D>) -> Result<FlexTensor, Tensor<D>> {
    all_plain([tensor]).map(|[numbers]| numbers).map_err(|[tensor]| tensor)
}

/// The tensors' own memory, if they are all on the CPU and have no graph.
///
/// # Errors
///
/// The tensors, if not.
pub(super) fn all_plain<const N: usize, const D: usize>(
    tensors: [Tensor<D>; N],
) -> Result<[FlexTensor; N], [Tensor<D>; N]> {
    let tensors = tensors.map(Tensor::into_dispatch);
    let plain = |tensor: &DispatchTensor| {
        tensor.autodiff == DispatchAutodiffContext::Disabled && is_on_cpu(tensor) && memory::known(tensor.dtype())
    };
    if has_vectors() && tensors.iter().all(plain) {
        Ok(tensors.map(numbers))
    } else {
        Err(tensors.map(Tensor::from_dispatch))
    }
}

/// A tensor without a graph.
pub(super) fn with_numbers<const D: usize>(numbers: FlexTensor) -> Tensor<D> {
    Tensor::from_dispatch(without_graph(numbers))
}

fn without_graph(numbers: FlexTensor) -> DispatchTensor {
    let kind = DispatchTensorKind::Flex(BackendTensor::Float(numbers));
    DispatchTensor { kind, autodiff: DispatchAutodiffContext::Disabled }
}

/// An operation that is a node of its own.
pub(super) trait Node<const N: usize> {
    /// The result, in the graph of its inputs.
    fn node<C: CheckpointStrategy>(self, inputs: [Tracked; N]) -> Tracked;
}

/// How the graph is kept that the first of these tensors with one is in. `None` if none is in a graph.
pub(super) fn strategy<'a>(
    tensors: impl IntoIterator<Item = &'a DispatchTensor>,
) -> Option<GradientCheckpointingStrategy> {
    tensors.into_iter().find_map(|tensor| match tensor.autodiff {
        DispatchAutodiffContext::Enabled(strategy) => Some(strategy),
        DispatchAutodiffContext::Disabled => None,
    })
}

/// The result of an operation as a node of a graph that is kept so.
pub(super) fn in_graph<const N: usize>(
    operation: impl Node<N>,
    inputs: [DispatchTensor; N],
    strategy: GradientCheckpointingStrategy,
) -> DispatchTensor {
    let inputs = inputs.map(tracked);
    let tensor = match strategy {
        GradientCheckpointingStrategy::Disabled => operation.node::<NoCheckpointing>(inputs),
        GradientCheckpointingStrategy::Balanced => operation.node::<BalancedCheckpointing>(inputs),
    };
    let kind = DispatchTensorKind::Autodiff(Box::new(DispatchTensorKind::Flex(BackendTensor::Autodiff(tensor))));
    DispatchTensor { kind, autodiff: DispatchAutodiffContext::Enabled(strategy) }
}

/// The numbers of a tensor on the CPU, without its graph.
pub(super) fn constant<const D: usize>(tensor: Tensor<D>) -> Option<FlexTensor> {
    let tensor = tensor.into_dispatch();
    let known = is_on_cpu(&tensor) && memory::known(tensor.dtype());
    known.then(|| tracked(tensor).into_primitive())
}

/// A mask on the CPU.
pub(super) fn constant_mask<const D: usize>(mask: Tensor<D, Bool>) -> Option<FlexTensor> {
    match mask.into_dispatch().kind {
        DispatchTensorKind::Flex(BackendTensor::Bool(mask)) => Some(mask),
        _ => None,
    }
}

/// A tensor with its place in a graph.
pub(super) type Tracked = FloatTensor<Autodiff<Flex>>;

/// The kind of graph that the result belongs to, unless the inputs disagree.
fn context(inputs: &[DispatchTensor]) -> Option<DispatchAutodiffContext> {
    let mut kinds = inputs.iter().map(|input| input.autodiff).filter(|kind| *kind != DispatchAutodiffContext::Disabled);
    let kind = kinds.next().unwrap_or_default();
    kinds.all(|other| other == kind).then_some(kind)
}

fn is_on_cpu(tensor: &DispatchTensor) -> bool {
    match &tensor.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(_)) => true,
        DispatchTensorKind::Autodiff(inner) => matches!(**inner, DispatchTensorKind::Flex(BackendTensor::Autodiff(_))),
        _ => false,
    }
}

fn result<K: Kernel<N>, const N: usize>(
    kernel: &K,
    inputs: [DispatchTensor; N],
    context: DispatchAutodiffContext,
) -> DispatchTensor {
    let DispatchAutodiffContext::Enabled(strategy) = context else {
        return without_graph(kernel.value(inputs.map(numbers)));
    };
    in_graph(kernel, inputs, strategy)
}

/// The memory of a tensor on the CPU without a graph.
pub(super) fn numbers(tensor: DispatchTensor) -> FlexTensor {
    match tensor.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => tensor,
        _ => unreachable!("BUG: the tensor is on the CPU, without a graph"),
    }
}

/// A tensor without a graph is a constant.
fn tracked(tensor: DispatchTensor) -> Tracked {
    match tensor.kind {
        DispatchTensorKind::Autodiff(inner) => match *inner {
            DispatchTensorKind::Flex(BackendTensor::Autodiff(tensor)) => tensor,
            _ => unreachable!("BUG: the tensor is on the CPU"),
        },
        _ => Autodiff::<Flex>::from_inner(numbers(tensor)),
    }
}

impl<K: Kernel<N>, const N: usize> Node<N> for &K {
    fn node<C: CheckpointStrategy>(self, inputs: [Tracked; N]) -> Tracked {
        let nodes = inputs.each_ref().map(Tracked::node);
        let inputs = inputs.map(Tracked::into_primitive);
        match Step::<K>(self.clone()).prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let (value, kept) = self.kept(inputs);
                step.finish(kept, value)
            }
            OpsKind::UnTracked(step) => step.finish(self.value(inputs)),
        }
    }
}

/// The kernel's step of the backward pass.
#[derive(Debug)]
struct Step<K>(K);

impl<K: Kernel<N>, const N: usize> Backward<Flex, N> for Step<K> {
    type State = K::Kept;

    fn backward(self, ops: Ops<K::Kept, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node);
        for (parent, gradient) in ops.parents.into_iter().zip(self.0.gradients(ops.state, gradient)) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}
