//! `(x - c) W + b` and its gradients.

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

/// `(x - c) W + b`: `[rows, d_in]` times `[d_in, d_out]`. In a graph the gradient of `c` is a product of one row, and that of `W`
/// costs what is not zero in the gradient of the result.
pub(crate) fn encode(x: Tensor<2>, centre: Option<Tensor<1>>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let same = centre.as_ref().is_none_or(|centre| centre.dims() == [x.dims()[1]]);
    let Some(strategy) = learns(&x, &weight, bias.as_ref(), centre.as_ref()).filter(|_| same) else {
        return product(centred(x, centre), weight, bias);
    };
    let own = Encode { has_centre: centre.is_some(), has_bias: bias.is_some() };
    let inputs = [x.into_dispatch(), or_nothing(centre), weight.into_dispatch(), or_nothing(bias)];
    Tensor::from_dispatch(in_graph(own, inputs, strategy))
}

fn centred(x: Tensor<2>, centre: Option<Tensor<1>>) -> Tensor<2> {
    match centre {
        Some(centre) => x - centre.unsqueeze(),
        None => x,
    }
}

#[derive(Clone, Copy, Debug)]
struct Encode {
    has_centre: bool,
    has_bias: bool,
}

impl Node<4> for Encode {
    fn node<C: CheckpointStrategy>(self, all: [Tracked; 4]) -> Tracked {
        let nodes = all.each_ref().map(Tracked::node);
        let [x, centre, weight, bias] = all.map(Tracked::into_primitive);
        let x = if self.has_centre {
            let row = centre.reshape(burn::tensor::Shape::new([1, x.shape()[1]]));
            Flex::float_sub(x, row)
        } else {
            x.to_contiguous()
        };
        let out = value(&x, &weight, self.has_bias.then_some(&bias));
        match self.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((x, weight), out),
            OpsKind::UnTracked(step) => step.finish(out),
        }
    }
}

impl Backward<Flex, 4> for Encode {
    /// The centred rows, and the weight.
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let ([x, centre, weight, bias], (rows, matrix)) = (ops.parents, ops.state);
        let [d_in, d_out]: [usize; 2] = matrix.shape().dims();
        let few = Sparse::of(single(&gradient), d_out).map(|few| few.transposed());
        let sums = few.as_ref().map_or_else(|| column_sums(single(&gradient), d_out), Sparse::sums);
        if let Some(x) = x {
            grads.register::<Flex>(x.id, value(&gradient, &turned(matrix.clone()), None));
        }
        if let Some(weight) = weight {
            let of_weight = match few {
                Some(few) => turned(new(few.times(single(&rows), d_in, None), [d_out, d_in])),
                None => Flex::float_matmul(turned(rows), gradient),
            };
            grads.register::<Flex>(weight.id, of_weight);
        }
        if let Some(centre) = centre.filter(|_| self.has_centre) {
            let sums = value(&new(sums.clone(), [1, d_out]), &turned(matrix), None);
            grads.register::<Flex>(centre.id, Flex::float_neg(sums).reshape(burn::tensor::Shape::new([d_in])));
        }
        if let Some(bias) = bias.filter(|_| self.has_bias) {
            grads.register::<Flex>(bias.id, new(sums, [d_out]));
        }
    }
}
