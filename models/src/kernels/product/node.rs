//! The product as a node of Burn's graph.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, FloatDType, Tensor};

use super::super::flex::{Node, Tracked, in_graph, numbers, strategy, with_numbers};
use super::value::{value, values};

/// `x W + b`, for tensors that fit.
pub(super) fn product(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.map(Tensor::into_dispatch));
    let Some(strategy) = strategy([&x, &weight].into_iter().chain(&bias)) else {
        let bias = bias.map(numbers);
        return with_numbers(value(&numbers(x), &numbers(weight), bias.as_ref()));
    };
    let out = Tensor::<2>::from_dispatch(in_graph(Product, [x, weight], strategy));
    // The same addition as in the fused product, and the same bits.
    match bias {
        Some(bias) => out + Tensor::<1>::from_dispatch(bias).unsqueeze(),
        None => out,
    }
}

/// Products of the same rows, for tensors that fit; `None` if one of them has a graph.
pub(super) fn products<const N: usize>(
    x: &Tensor<2>,
    maps: &[(Tensor<2>, Option<Tensor<1>>); N],
) -> Option<[Tensor<2>; N]> {
    let x = x.clone().into_dispatch();
    let maps = maps.clone().map(|(weight, bias)| (weight.into_dispatch(), bias.map(Tensor::into_dispatch)));
    let tensors = maps.iter().flat_map(|(weight, bias)| [weight].into_iter().chain(bias));
    if strategy([&x].into_iter().chain(tensors)).is_some() {
        return None;
    }
    let maps = maps.map(|(weight, bias)| (numbers(weight), bias.map(numbers)));
    Some(values(&numbers(x), maps).map(with_numbers))
}

/// Whether the tensors are on the CPU, in shapes and precisions that are known here, and the CPU has vectors.
pub(in crate::kernels) fn fits(x: &Tensor<2>, weight: &Tensor<2>, bias: Option<&Tensor<1>>) -> bool {
    let ([rows, width], [d_in, d_out]) = (x.dims(), weight.dims());
    let shapes = width == d_in && rows * d_in * d_out > 0 && bias.is_none_or(|bias| bias.dims() == [d_out]);
    let dtypes = x.dtype() == DType::F32
        && matches!(weight.dtype(), DType::F32 | DType::F16 | DType::BF16)
        && bias.is_none_or(|bias| bias.dtype() == DType::F32);
    let cpu = burn::tensor::Device::flex();
    let there = x.device() == cpu && weight.device() == cpu && bias.is_none_or(|bias| bias.device() == cpu);
    shapes && dtypes && there && arrakis_kernels::has_vectors()
}

/// The product's step of the backward pass.
#[derive(Debug)]
struct Product;

impl Node<2> for Product {
    fn node<C: CheckpointStrategy>(self, [x, weight]: [Tracked; 2]) -> Tracked {
        let dtype = FloatDType::from(weight.primitive().dtype());
        let of_x = x.is_tracked().then(|| weight.primitive().clone());
        let of_weight = weight.is_tracked().then(|| (x.primitive().clone(), dtype));
        let step = self.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful();
        let out = value(x.primitive(), weight.primitive(), None);
        match step {
            OpsKind::Tracked(step) => step.finish((of_x, of_weight), out),
            OpsKind::UnTracked(step) => step.finish(out),
        }
    }
}

impl Backward<Flex, 2> for Product {
    /// The weight if `x` is tracked; `x` and the weight's precision if the weight is.
    type State = (Option<FlexTensor>, Option<(FlexTensor, FloatDType)>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node);
        let [x, weight] = ops.parents;
        let (of_x, of_weight) = ops.state;
        if let (Some(x), Some(weight)) = (x, of_x) {
            grads.register::<Flex>(x.id, value(&gradient, &Flex::float_transpose(weight), None));
        }
        if let (Some(weight), Some((x, dtype))) = (weight, of_weight) {
            let of_weight = Flex::float_matmul(Flex::float_transpose(x), gradient);
            grads.register::<Flex>(weight.id, Flex::float_cast(of_weight, dtype));
        }
    }
}
