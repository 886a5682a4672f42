//! A run described before it happens, and what came of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use burn::tensor::Tensor;

use super::activation::Activation;
use super::cache::ActivationCache;
use super::capture::Capture;
use super::edit::{At, Edit};
use super::effect::{self, Effect};
use super::gradient::GradientEdit;
use super::pattern::SitePattern;
use super::rows::Rows;
use super::session::{self, Session};
use crate::error::{Error, Result};

/// Captures, edits and gradients of one run.
///
/// Edits at one site apply in the order they were added; a capture sees the edited tensor, and a
/// gradient is taken with respect to it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    captures: Vec<Capture>,
    edits: Vec<(SitePattern, Edit)>,
    grads: Vec<SitePattern>,
    grad_edits: Vec<(SitePattern, GradientEdit)>,
    prompt: Option<Vec<usize>>,
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
    leaves: BTreeMap<String, (Activation, Vec<usize>)>,
}

impl Plan {
    /// Nothing captured, nothing changed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the tensors at the sites that fit: whole by name or pattern, or as a [`Capture`] says.
    #[must_use]
    pub fn capture(mut self, capture: impl Into<Capture>) -> Self {
        self.captures.push(capture.into());
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

    /// Changes gradients on their way back through the sites that fit; the forward stays as it is.
    #[must_use]
    pub fn edit_gradient(mut self, sites: impl Into<SitePattern>, edit: GradientEdit) -> Self {
        self.grad_edits.push((sites.into(), edit));
        self
    }

    /// The same plan in a forward where only `prompt[row]` tokens of each row were given, and the others added.
    pub(crate) fn after_prompt(mut self, prompt: Vec<usize>) -> Self {
        self.prompt = Some(prompt);
        self
    }

    /// The tokens of a forward as this plan counts them.
    pub(crate) fn rows(&self, rows: Rows) -> Rows {
        match &self.prompt {
            Some(prompt) => rows.with_prompt(prompt.clone()),
            None => rows,
        }
    }

    /// What is captured.
    pub(crate) fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// Every pattern of the plan.
    pub fn patterns(&self) -> impl Iterator<Item = &SitePattern> {
        let captures = self.captures.iter().map(|capture| &capture.sites);
        let edits = self.edits.iter().map(|(pattern, _)| pattern);
        captures.chain(edits).chain(&self.grads).chain(self.grad_edits.iter().map(|(pattern, _)| pattern))
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

    /// Checks selections, vectors and patches against the dims of the sites they are for, before anything runs.
    ///
    /// # Errors
    ///
    /// The edit's or the capture's own: [`Error::OutOfRange`], [`Error::EditShape`], [`Error::Length`].
    pub fn check_shapes<S: AsRef<str>>(
        &self,
        known: &[S],
        rows: Option<&Rows>,
        dims: impl Fn(&str) -> Vec<usize>,
    ) -> Result<()> {
        for site in known.iter().map(AsRef::as_ref) {
            let at = At { site, offset: 0, rows };
            for (_, edit) in self.edits.iter().filter(|(pattern, _)| pattern.matches(site)) {
                edit.check(&dims(site), &at)?;
            }
            for capture in self.captures.iter().filter(|capture| capture.sites.matches(site)) {
                capture.check(&dims(site), &at)?;
            }
        }
        Ok(())
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
            grad_edits: vec![0; self.grad_edits.len()],
        };
        let Self { captures, edits, grads, grad_edits, .. } = self;
        let effects = edits.iter().map(|_| Vec::new()).collect();
        let session = Session { captures, edits, grads, grad_edits, fired, effects, ..Session::default() };
        let session = Rc::new(RefCell::new(session));
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
        let effects = effect::read(self.effects)?;
        for ((pattern, edit), _) in self.edits.iter().zip(&effects).filter(|(_, effect)| effect.changed_nothing()) {
            warn(&format!("the edit `{}` at `{pattern}` fired and changed nothing", edit.name()));
        }
        let cache = ActivationCache::new(self.captured, self.order);
        Ok(Outcome { output, cache, fired: self.fired, effects, leaves: self.leaves })
    }
}

/// Says something on the standard error, once a process for each text: a loop would bury it.
fn warn(text: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(text.to_owned()) {
        eprintln!("warning: {text}");
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
