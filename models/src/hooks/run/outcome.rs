//! What came of a run, and of its backward pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Gradients, Tensor};

use super::session::Session;
use super::warnings::{warn, warn_unchanged};
use crate::error::{Error, Result};
use crate::hooks::capture::cache::ActivationCache;
use crate::hooks::edit::backward::BackwardLog;
use crate::hooks::edit::edit::Edit;
use crate::hooks::edit::effect::{self, Effect};
use crate::hooks::edit::gradient::GradientEdit;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::pattern::SitePattern;

/// How often each part of a plan fired, in the order it was added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// Tensors each capture pattern met.
    pub captures: Vec<usize>,
    /// Tensors each edit changed.
    pub edits: Vec<usize>,
    /// Tensors each gradient pattern met.
    pub grads: Vec<usize>,
    /// Tensors each edit of gradients met.
    pub grad_edits: Vec<usize>,
}

/// The output of a run with all it gathered.
#[derive(Debug)]
pub struct Outcome<R> {
    /// What the body returned.
    pub output: R,
    /// The captured tensors.
    pub cache: ActivationCache,
    /// How often each part of the plan fired.
    pub fired: Fired,
    /// How much each edit changed, in the order edits were added.
    pub effects: Vec<Effect>,
    leaves: BTreeMap<String, Vec<(Activation, Vec<usize>)>>,
    grad_edits: Vec<(SitePattern, GradientEdit)>,
    backward: Arc<BackwardLog>,
    n_layers: Option<usize>,
}

impl Fired {
    /// Adds the firings of another run of the same plan.
    pub(crate) fn add(&mut self, other: &Self) {
        let add = |sums: &mut Vec<usize>, more: &[usize]| {
            sums.resize(more.len(), 0);
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        };
        add(&mut self.captures, &other.captures);
        add(&mut self.edits, &other.edits);
        add(&mut self.grads, &other.grads);
        add(&mut self.grad_edits, &other.grad_edits);
    }
}

impl Session {
    pub(in crate::hooks) fn finish<R>(self, output: R) -> Result<Outcome<R>> {
        if let Some(error) = self.first_error {
            return Err(error);
        }
        let captures = self.captures.iter().zip(&self.fired.captures).map(|(of, n)| ("capture", &of.sites, *n));
        let edits = self.edits.iter().zip(&self.fired.edits).map(|((pattern, _), n)| ("edit", pattern, *n));
        let grads = self.grads.iter().zip(&self.fired.grads).map(|(pattern, n)| ("gradient", pattern, *n));
        let grad_edits = self.grad_edits.iter().zip(&self.fired.grad_edits);
        let grad_edits = grad_edits.map(|((pattern, _), n)| ("edit of gradients", pattern, *n));
        for (what, pattern, count) in captures.chain(edits).chain(grads).chain(grad_edits) {
            if count == 0 {
                return Err(Error::never_fired(what, pattern.as_str(), &self.seen));
            }
        }
        if let Some(((sites, _), _)) = self.grad_edits.iter().zip(&self.tracked).find(|(_, tracked)| **tracked == 0) {
            return Err(Error::Unreached { asked: sites.as_str().to_owned() });
        }
        let effects = effect::read(self.effects)?;
        for site in &self.met_again {
            warn(&format!("`{site}` was met more than once in one run: the cache keeps the last tensor"));
        }
        let cache = ActivationCache::new(self.captured, self.order);
        let Self { fired, leaves, grad_edits, backward, .. } = self;
        Ok(Outcome { output, cache, fired, effects, leaves, grad_edits, backward, n_layers: None })
    }
}

impl<R> Outcome<R> {
    /// The same, of a model of so many blocks.
    pub(crate) fn of_layers(mut self, n_layers: usize) -> Self {
        (self.cache, self.n_layers) = (self.cache.of_layers(n_layers), Some(n_layers));
        self
    }

    /// Gradients of a metric with respect to every site the plan asked for, in one backward pass.
    ///
    /// `metric` is `[1]`, computed from this run's output. Each gradient has its site's axes; units
    /// are the metric's per unit of the activation. At a site that was met more than once it is the sum over all
    /// times, what one change of all of them does.
    ///
    /// # Errors
    ///
    /// [`Error::NoneAsked`] of a plan without gradients, [`Error::NoGradient`] when the metric does not depend on a site,
    /// [`Error::EditShape`] where the tensors of a
    /// site that was met more than once differ in shape; what an edit of gradients returned, and [`Error::Unreached`]
    /// where no gradient came by one; [`Error::GraphConsumed`] the second time.
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
        let cache = ActivationCache::new(found, order);
        Ok(self.n_layers.into_iter().fold(cache, ActivationCache::of_layers))
    }

    /// Burn's gradients of a metric, each edit of gradients having been met.
    ///
    /// # Errors
    ///
    /// Those of [`Outcome::gradients`] that edits of gradients cause.
    pub(crate) fn backward(&self, metric: &Tensor<1>) -> Result<Gradients> {
        self.backward.begin()?;
        let gradients = metric.backward();
        let effects = self.backward.read(self.grad_edits.len())?;
        let mut edited = Vec::new();
        for ((sites, edit), effect) in self.grad_edits.iter().zip(&effects) {
            let edit = edit.edit();
            if edit.is_some() && effect.of == 0.0 {
                return Err(Error::Unreached { asked: sites.as_str().to_owned() });
            }
            let name = edit.as_ref().map_or("stop", Edit::name);
            edited.push(format!("`{name}` of the gradient at `{sites}`"));
        }
        warn_unchanged(&edited, &effects);
        Ok(gradients)
    }

    /// How much each edit of gradients changed in the backward pass, in the order they were added; empty before it.
    /// A [`GradientEdit::Stop`] has no numbers: what leads to it alone is not differentiated.
    pub fn gradient_effects(&self) -> Vec<Effect> {
        self.backward.effects()
    }
}

/// The gradient of one change of all tensors of a site.
fn summed(site: &str, leaves: &[(Activation, Vec<usize>)], grads: &Gradients) -> Result<Activation> {
    let dims = &leaves[0].1;
    if let Some((_, other)) = leaves.iter().find(|(_, other)| other != dims) {
        return Err(Error::EditShape { site: site.to_owned(), expected: dims.clone(), actual: other.clone() });
    }
    let parts = leaves.iter().map(|(leaf, _)| Ok(leaf.tensor::<1>()?.grad(grads))).collect::<Result<Vec<_>>>()?;
    let sum = parts.into_iter().flatten().reduce(|sum, part| sum + part);
    Activation::shaped(sum.ok_or_else(|| Error::NoGradient { site: site.to_owned() })?, dims)
}
