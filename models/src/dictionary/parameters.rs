//! The tensors of a dictionary, and the sums that all architectures share.

use burn::tensor::Tensor;

use crate::kernels::{self, Slopes};

/// Added to squared norms before the root. It changes no norm above 1e-12, and gives a row of zeros the gradient zero.
const TINY: f32 = 1e-30;

/// The tensors of a dictionary. Cloning copies handles, not numbers.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// `[d_in, d_sae]`
    pub w_enc: Tensor<2>,
    /// `[d_sae]`; absent in gated dictionaries.
    pub b_enc: Option<Tensor<1>>,
    /// `[d_sae, d_out]`
    pub w_dec: Tensor<2>,
    /// `[d_out]`
    pub b_dec: Tensor<1>,
    /// `[d_in, d_out]`: what a skip transcoder adds, `x W_skip`.
    pub w_skip: Option<Tensor<2>>,
    /// `[d_sae]`: thresholds of a `JumpReLU`.
    pub threshold: Option<Tensor<1>>,
    /// Parameters of a gated dictionary.
    pub gate: Option<Gate>,
    /// Whether the decoder's bias is subtracted from the input.
    pub centred: bool,
}

/// What a gated dictionary has instead of `b_enc`.
#[derive(Clone, Debug)]
pub struct Gate {
    /// `[d_sae]`: bias of the gate.
    pub b_gate: Tensor<1>,
    /// `[d_sae]`: bias of the magnitude.
    pub b_mag: Tensor<1>,
    /// `[d_sae]`: logarithm of the factor between the two encoders.
    pub r_mag: Tensor<1>,
}

impl Parameters {
    /// `[rows, d_in]` to `(x - b_dec) W_enc`, without a bias; `x W_enc` if the input is not centred.
    pub(super) fn projected(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::encode(x, self.centre(), self.w_enc.clone(), None)
    }

    /// `[rows, d_in]` to `(x - b_dec) W_enc + b_enc`.
    pub(super) fn pre_acts(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::encode(x, self.centre(), self.w_enc.clone(), self.b_enc.clone())
    }

    /// What is subtracted from the input.
    fn centre(&self) -> Option<Tensor<1>> {
        self.centred.then(|| self.b_dec.clone())
    }

    /// `acts W_dec`, without the bias: `[rows, d_out]`. Latents that are zero get no gradient.
    pub(super) fn written(&self, acts: Tensor<2>) -> Tensor<2> {
        kernels::decode(acts, self.w_dec.clone(), None, Slopes::Active)
    }

    /// [`Parameters::decode`] in training, where few latents are active.
    pub(super) fn learnt(&self, acts: Tensor<2>, slopes: Slopes) -> Tensor<2> {
        kernels::decode(acts, self.w_dec.clone(), Some(self.b_dec.clone()), slopes)
    }

    /// The same function with decoder rows of length 1, and the encoder in their units: `f_i` becomes `f_i ‖W_dec,i‖`.
    #[must_use]
    pub(super) fn in_unit_rows(&self) -> Self {
        let norms = self.decoder_norms();
        let (row, column) = (norms.clone().unsqueeze_dim(0), norms.clone().unsqueeze_dim(1));
        Self {
            w_enc: self.w_enc.clone() * row,
            b_enc: self.b_enc.clone().map(|b_enc| b_enc * norms),
            w_dec: self.w_dec.clone() / column,
            ..self.clone()
        }
    }

    /// `acts W_dec + b_dec`: `[rows, d_out]`.
    pub(super) fn decode(&self, acts: Tensor<2>) -> Tensor<2> {
        kernels::product(acts, self.w_dec.clone(), Some(self.b_dec.clone()))
    }

    /// Adds `x W_skip` where there is one.
    pub(super) fn skipped(&self, decoded: Tensor<2>, x: Tensor<2>) -> Tensor<2> {
        match &self.w_skip {
            Some(skip) => decoded + kernels::product(x, skip.clone(), None),
            None => decoded,
        }
    }

    /// The lengths of the decoder's rows, `[d_sae]`.
    pub fn decoder_norms(&self) -> Tensor<1> {
        self.norms_of_sources(1)
    }

    /// Each row's lengths in equal parts, added: `[d_sae]`.
    pub(super) fn norms_of_sources(&self, sources: usize) -> Tensor<1> {
        let [d_sae, d_out] = self.w_dec.dims();
        let parts = self.w_dec.clone().reshape([d_sae, sources, d_out / sources]);
        (parts.square().sum_dim(2) + TINY).sqrt().sum_dim(1).reshape([d_sae])
    }
}
