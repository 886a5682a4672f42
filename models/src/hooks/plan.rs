//! A run described before it happens, and what came of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use burn::tensor::Tensor;

use super::activation::Activation;
use super::cache::ActivationCache;
use super::edit::Edit;
use super::pattern::SitePattern;
use super::session::{self, Session};
use crate::error::{Error, Result};

/// Captures, edits and gradients of one run.
///
/// Edits at one site apply in the order they were added; a capture sees the edited tensor, and a
/// gradient is taken with respect to it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    captures: Vec<SitePattern>,
    edits: Vec<(SitePattern, Edit)>,
    grads: Vec<SitePattern>,
}

/// How often each part of a plan fired, in the order it was added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// Tensors each capture pattern met.
    pub captures: Vec<usize>,
    /// Tensors each edit changed.
    pub edits: Vec<usize>,
    /// Tensors each gradient pattern met.
    pub grads: Vec<usize>,
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
    leaves: BTreeMap<String, (Activation, Vec<usize>)>,
}

impl Plan {
    /// Nothing captured, nothing changed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the tensors at the sites that fit.
    #[must_use]
    pub fn capture(mut self, sites: impl Into<SitePattern>) -> Self {
        self.captures.push(sites.into());
        self
    }

    /// Changes the tensors at the sites that fit.
    #[must_use]
    pub fn edit(mut self, sites: impl Into<SitePattern>, edit: Edit) -> Self {
        self.edits.push((sites.into(), edit));
        self
    }

    /// Makes the output differentiable with respect to the tensors at the sites that fit.
    #[must_use]
    pub fn grad(mut self, sites: impl Into<SitePattern>) -> Self {
        self.grads.push(sites.into());
        self
    }

    /// Every pattern of the plan.
    pub fn patterns(&self) -> impl Iterator<Item = &SitePattern> {
        self.captures.iter().chain(self.edits.iter().map(|(pattern, _)| pattern)).chain(&self.grads)
    }

    /// Whether the plan asks for gradients.
    pub fn wants_gradients(&self) -> bool {
        !self.grads.is_empty()
    }

    /// Checks every pattern against a table of sites before anything runs.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`] naming the nearest site for a pattern that selects none.
    pub fn check<S: AsRef<str>>(&self, known: &[S]) -> Result<()> {
        self.patterns().try_for_each(|pattern| pattern.select(known.iter().map(AsRef::as_ref)).map(drop))
    }

    /// Runs `body`, whose hooked modules report to this plan.
    ///
    /// # Errors
    ///
    /// [`Error::NeverFired`] when a part of the plan met no tensor, an edit's own error, or a shape
    /// an edit changed.
    pub fn run<R>(self, body: impl FnOnce() -> R) -> Result<Outcome<R>> {
        let fired = Fired {
            captures: vec![0; self.captures.len()],
            edits: vec![0; self.edits.len()],
            grads: vec![0; self.grads.len()],
        };
        let Self { captures, edits, grads } = self;
        let session = Rc::new(RefCell::new(Session { captures, edits, grads, fired, ..Session::default() }));
        let output = session::within(&session, body);
        let session = session.take();
        session.finish(output)
    }
}

impl Session {
    fn finish<R>(self, output: R) -> Result<Outcome<R>> {
        if let Some(error) = self.first_error {
            return Err(error);
        }
        let captures = self.captures.iter().zip(&self.fired.captures).map(|(pattern, n)| ("capture", pattern, *n));
        let edits = self.edits.iter().zip(&self.fired.edits).map(|((pattern, _), n)| ("edit", pattern, *n));
        let grads = self.grads.iter().zip(&self.fired.grads).map(|(pattern, n)| ("gradient", pattern, *n));
        for (what, pattern, count) in captures.chain(edits).chain(grads) {
            if count == 0 {
                return Err(Error::never_fired(what, pattern.as_str(), &self.seen));
            }
        }
        let cache = ActivationCache::new(self.captured, self.order);
        Ok(Outcome { output, cache, fired: self.fired, leaves: self.leaves })
    }
}

impl<R> Outcome<R> {
    /// Gradients of a metric with respect to every site the plan asked for, in one backward pass.
    ///
    /// `metric` is `[1]`, computed from this run's output. Each gradient has its site's axes; units
    /// are the metric's per unit of the activation.
    ///
    /// # Errors
    ///
    /// [`Error::NoGradient`] when the metric does not depend on a site.
    #[allow(clippy::needless_pass_by_value, reason = "a metric is computed for this call")]
    pub fn gradients(&self, metric: Tensor<1>) -> Result<ActivationCache> {
        if let Some(site) = self.leaves.keys().next().filter(|_| !metric.is_tracked()) {
            return Err(Error::NoGradient { site: site.clone() });
        }
        let grads = metric.backward();
        let mut found = BTreeMap::new();
        for (site, (leaf, dims)) in &self.leaves {
            let flat = leaf.tensor::<1>()?.grad(&grads).ok_or_else(|| Error::NoGradient { site: site.clone() })?;
            found.insert(site.clone(), Activation::shaped(flat, dims)?);
        }
        let order = found.keys().cloned().collect();
        Ok(ActivationCache::new(found, order))
    }
}
