//! What one run on the prompt left, for all plots of a function.

use arrakis_models::site::Axis;
use arrakis_models::{ActivationCache, HookedTransformer, Tokens};

use super::array::Array;
use crate::error::Result;

/// What one run left.
pub struct Captured<'a> {
    pub(super) model: &'a HookedTransformer,
    pub(super) tokens: Tokens,
    pub(super) cache: ActivationCache,
}

impl Captured<'_> {
    /// The site on each prompt, without padding: the axes of the site but the first.
    pub(super) fn prompts(&self, site: &str) -> Result<Vec<Array>> {
        let activation = self.cache.activation(site)?;
        let values = activation.to_vec()?.into_iter().map(f64::from).collect();
        let parts = Array { dims: activation.dims().to_vec(), values }.parts();
        let table = self.model.site_table();
        let axes = table.axes(site).unwrap_or_default();
        let of_tokens = |axis: &Axis| matches!(axis, Axis::Pos | Axis::Query | Axis::Key);
        let unpadded = |(prompt, part): (usize, Array)| {
            let kept = self.places(prompt);
            let along = axes.iter().skip(1).enumerate().filter(|(_, axis)| of_tokens(axis));
            along.fold(part, |part, (axis, _)| part.select(axis, &kept))
        };
        Ok(parts.into_iter().enumerate().map(unpadded).collect())
    }

    /// The site on the only prompt.
    pub(super) fn only(&self, site: &str) -> Result<Array> {
        Ok(self.prompts(site)?.swap_remove(0))
    }

    /// The tokens of a prompt, without padding.
    pub(super) fn ids(&self, prompt: usize) -> Vec<u32> {
        self.places(prompt).into_iter().map(|place| self.tokens.ids()[prompt][place]).collect()
    }

    /// The text of each token of the first prompt, or its id if the model has no text for it.
    pub(super) fn texts(&self) -> Vec<String> {
        let text = |id: u32| self.model.to_single_str_token(id).unwrap_or_else(|_| id.to_string());
        self.ids(0).into_iter().map(text).collect()
    }

    fn places(&self, prompt: usize) -> Vec<usize> {
        let real = &self.tokens.real()[prompt];
        (0..real.len()).filter(|place| real[*place]).collect()
    }
}
