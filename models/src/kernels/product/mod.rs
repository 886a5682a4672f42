//! Products of activations and weights as an operation of Burn's. `arrakis-kernels` computes them.

mod node;
#[cfg(test)]
mod tests;
mod value;

use burn::tensor::Tensor;

use crate::ground::dtype::widened;
pub(super) use node::fits;
pub(super) use value::value;

/// `x W + b`: `[rows, d_in]` times `[d_in, d_out]`, of any precision, plus `[d_out]`. The result has the precision of `x`.
pub(crate) fn product(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    if node::fits(&x, &weight, bias.as_ref()) {
        return node::product(x, weight, bias);
    }
    let out = x.matmul(widened(weight));
    match bias {
        Some(bias) => out + bias.unsqueeze(),
        None => out,
    }
}

/// Products of the same rows with several weights and their biases, to the same bits as one by one.
pub(crate) fn products<const N: usize>(x: &Tensor<2>, maps: [(Tensor<2>, Option<Tensor<1>>); N]) -> [Tensor<2>; N] {
    if maps.iter().all(|(weight, bias)| node::fits(x, weight, bias.as_ref()))
        && let Some(products) = node::products(x, &maps)
    {
        return products;
    }
    maps.map(|(weight, bias)| product(x.clone(), weight, bias))
}
