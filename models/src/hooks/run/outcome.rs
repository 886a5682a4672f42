//! The outcome of a run and of its backward pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Gradients, Tensor};

use super::part::Part;
use super::passes;
use super::warnings::warn_unchanged;
use crate::error::{Error, Result};
use crate::hooks::capture::cache::ActivationCache;
use crate::hooks::edit::backward::BackwardLog;
use crate::hooks::edit::effect::Effect;
use crate::hooks::tensor::activation::Activation;
use crate::site::SiteTable;

/// The output of a run and everything it gathered.
#[derive(Debug)]
pub struct Outcome<R> {
    /// What the body returned.
    pub output: R,
    /// The captured tensors.
    pub cache: ActivationCache,
    /// How many tensors each part of the plan met, in the order the parts were added.
    pub fired: Vec<usize>,
    /// How much each edit changed, in the order the edits were added.
    pub effects: Vec<Effect>,
    pub(super) leaves: BTreeMap<String, Vec<Leaf>>,
    pub(super) parts: Arc<[Part]>,
    pub(super) backward: Arc<BackwardLog>,
    pub(super) n_layers: Option<usize>,
    pub(super) table: Arc<SiteTable>,
}

/// A leaf added to one tensor, to differentiate with respect to it.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The leaf, as one axis.
    pub(super) tensor: Activation,
    /// The site's axes.
    pub(super) dims: Vec<usize>,
}

impl<R> Outcome<R> {
    /// The same outcome, for a model with this many blocks.
    pub(crate) fn of_layers(mut self, n_layers: usize) -> Self {
        (self.cache, self.n_layers) = (self.cache.of_layers(n_layers), Some(n_layers));
        self
    }

    /// Gradients of a metric with respect to every site the plan asked for, in one backward pass.
    ///
    /// `metric` is `[1]`, computed from this run's output. Each gradient has its site's axes; its units are the
    /// metric's per unit of the activation. At a site that was met more than once it is the sum over all times: the
    /// effect of changing all of them together.
    ///
    /// # Errors
    ///
    /// - [`Error::NoneAsked`] if the plan has no gradients
    /// - [`Error::NoGradient`] if the metric does not depend on a site
    /// - [`Error::EditShape`] if the tensors of a site that was met more than once differ in shape
    /// - a gradient edit's own error, and [`Error::Unreached`] for one that no gradient reached
    /// - [`Error::GraphConsumed`] the second time
    #[allow(clippy::needless_pass_by_value, reason = "a metric is computed for this call")]
    pub fn gradients(&self, metric: Tensor<1>) -> Result<ActivationCache> {
        let Some(site) = self.leaves.keys().next() else { return Err(Error::NoneAsked) };
        if !metric.is_tracked() {
            return Err(Error::NoGradient { site: site.clone() });
        }
        let grads = self.backward(&metric)?;
        let mut found = BTreeMap::new();
        for (site, leaves) in &self.leaves {
            found.insert(site.clone(), summed(site, leaves, &grads)?);
        }
        let order = found.keys().cloned().collect();
        let cache = ActivationCache::new(found, order).with_table(Arc::clone(&self.table));
        Ok(self.n_layers.into_iter().fold(cache, ActivationCache::of_layers))
    }

    /// Burn's gradients of a metric, after the gradient edits have run.
    ///
    /// # Errors
    ///
    /// Those of [`Outcome::gradients`] that come from gradient edits.
    pub(crate) fn backward(&self, metric: &Tensor<1>) -> Result<Gradients> {
        self.backward.begin()?;
        let gradients = passes::backward(metric);
        let effects = self.backward.read(self.parts.len())?;
        let (mut edited, mut changes) = (Vec::new(), Vec::new());
        for (part, effect) in self.parts.iter().zip(effects) {
            let Some(edit) = part.what.grad_edit() else { continue };
            if edit.backward().is_some() && effect.of == 0.0 {
                return Err(Error::Unreached { asked: part.sites.as_str().to_owned() });
            }
            edited.extend(part.edit_in_words());
            changes.push(effect);
        }
        warn_unchanged(&edited, &changes);
        Ok(gradients)
    }

    /// How much each gradient edit changed in the backward pass, in the order they were added; empty before the pass. A
    /// [`GradientEdit::Stop`](crate::GradientEdit::Stop) counts no numbers, because sites that lead only to it are not
    /// differentiated.
    pub fn gradient_effects(&self) -> Vec<Effect> {
        let effects = self.parts.iter().zip(self.backward.effects());
        effects.filter(|(part, _)| part.what.grad_edit().is_some()).map(|(_, effect)| effect).collect()
    }
}

/// The gradient with respect to one change of all tensors of a site.
fn summed(site: &str, leaves: &[Leaf], grads: &Gradients) -> Result<Activation> {
    let dims = &leaves[0].dims;
    if let Some(Leaf { dims: other, .. }) = leaves.iter().find(|leaf| leaf.dims != *dims) {
        return Err(Error::EditShape { site: site.to_owned(), expected: dims.clone(), actual: other.clone() });
    }
    let parts = leaves.iter().map(|leaf| Ok(leaf.tensor.tensor::<1>()?.grad(grads))).collect::<Result<Vec<_>>>()?;
    let sum = parts.into_iter().flatten().reduce(|sum, part| sum + part);
    Activation::shaped(sum.ok_or_else(|| Error::NoGradient { site: site.to_owned() })?, dims)
}
