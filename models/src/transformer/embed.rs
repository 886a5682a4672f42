//! Tokens into the residual stream, and the stream into logits.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use super::source::{Init, Source};
use crate::ground::dtype::widened;

/// A table of vectors.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[rows, d]`
    pub weight: Param<Tensor<2>>,
}

impl Embedding {
    /// Takes `name.weight` from the source.
    pub fn build(source: &mut impl Source, name: &str, shape: [usize; 2]) -> Self {
        Self { weight: Param::from_tensor(source.take(&format!("{name}.weight"), shape, Init::Normal(0.02))) }
    }

    /// The table in single precision, whatever precision it is stored in.
    pub fn table(&self) -> Tensor<2> {
        widened(self.weight.val())
    }

    /// Rows by index: `[batch, pos]` to `[batch, pos, d]`.
    pub fn lookup(&self, indices: Tensor<2, Int>) -> Tensor<3> {
        widened(burn::tensor::module::embedding(self.weight.val(), indices))
    }
}

/// The stream into logits.
#[derive(Module, Debug)]
pub struct Unembedding {
    /// `[d_model, d_vocab]`; absent if the transposed embedding is used instead.
    pub weight: Option<Param<Tensor<2>>>,
    /// `[d_vocab]`
    pub bias: Option<Param<Tensor<1>>>,
}

impl Unembedding {
    /// Takes `unembed.weight` unless tied, and `unembed.bias` if there is one.
    pub fn build(source: &mut impl Source, [d_model, d_vocab]: [usize; 2], tied: bool, bias: bool) -> Self {
        let weight =
            (!tied).then(|| Param::from_tensor(source.take("unembed.weight", [d_model, d_vocab], Init::Normal(0.02))));
        let bias = bias.then(|| Param::from_tensor(source.take("unembed.bias", [d_vocab], Init::Constant(0.0))));
        Self { weight, bias }
    }
}
