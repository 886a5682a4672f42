//! What an objective needs of one pass in training.

use burn::tensor::Tensor;

use super::loss::{Losses, Term, squared_error, term};
use super::normalization::Undo;
use super::parameters::Parameters;
use crate::kernels::Slopes;

/// The tensors of one pass in training.
#[derive(Clone)]
pub(super) struct Pass<'a> {
    /// The dictionary's.
    pub(super) parameters: Parameters,
    /// `[rows, d_in]`, normalised.
    pub(super) x: Tensor<2>,
    /// `[rows, d_out]`, in its own units.
    pub(super) target: Tensor<2>,
    /// How to undo the normalisation.
    pub(super) undo: Undo,
    /// How many tensors are encoded side by side.
    pub(super) sources: usize,
    /// Which latents are dead; empty if none are known to be.
    pub(super) dead: &'a [bool],
    /// Factor on the sparsity terms.
    pub(super) warm_up: f64,
}

/// What an encoder gave.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    /// `[rows, d_sae]`: before the activation function.
    pub(super) pre_acts: Tensor<2>,
    /// `[rows, d_sae]`.
    pub(super) acts: Tensor<2>,
}

impl Pass<'_> {
    /// The same pass with decoder rows of length 1, if latents are to be compared in their units.
    pub(super) fn compared(&self, by_decoder_norm: bool) -> Self {
        let parameters = if by_decoder_norm { self.parameters.in_unit_rows() } else { self.parameters.clone() };
        Self { parameters, ..self.clone() }
    }

    /// The norms of the decoder's rows, `[d_sae]`: their sum over the sources of a crosscoder.
    pub(super) fn decoder_norms(&self) -> Tensor<1> {
        self.parameters.norms_of_sources(self.sources)
    }

    /// The reconstruction, in the units of the target, from latents in the units of the decoder.
    ///
    /// Latents that are zero get no gradient; [`Pass::reconstructed_by`] says when all need one.
    pub(super) fn reconstructed(&self, acts: Tensor<2>) -> Tensor<2> {
        self.reconstructed_by(acts, Slopes::Active)
    }

    /// The same for activation functions that are not flat where they are zero, with [`Slopes::All`].
    pub(super) fn reconstructed_by(&self, acts: Tensor<2>, slopes: Slopes) -> Tensor<2> {
        let decoded = self.parameters.learnt(acts, slopes);
        self.undo.apply(self.parameters.skipped(decoded, self.x.clone()))
    }

    /// Losses whose first term is the squared error.
    pub(super) fn losses(&self, encoded: Encoded, reconstruction: Tensor<2>, more: Vec<Term>) -> Losses {
        let error = squared_error(reconstruction.clone(), self.target.clone());
        encoded.losses(reconstruction, [vec![term("mse_loss", error)], more].concat())
    }

    /// How many latents are dead.
    pub(super) fn dead_count(&self) -> usize {
        self.dead.iter().filter(|dead| **dead).count()
    }
}

impl Encoded {
    /// Losses of these terms.
    pub(super) fn losses(self, reconstruction: Tensor<2>, terms: Vec<Term>) -> Losses {
        Losses { terms, pre_acts: self.pre_acts, acts: self.acts, reconstruction }
    }
}
