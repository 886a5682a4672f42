//! A run described before it happens, and what came of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use burn::tensor::{Gradients, Tensor};

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
    prompt: Option<(Vec<usize>, usize)>,
    /// Whether this is one of several runs that are judged together.
    part: bool,
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
    leaves: BTreeMap<String, Vec<(Activation, Vec<usize>)>>,
    n_layers: Option<usize>,
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

    /// The same plan in forwards where only `prompt[row]` tokens of each row were given, and at most `added` more are added.
    pub(crate) fn after_prompt(mut self, prompt: Vec<usize>, added: usize) -> Self {
        self.prompt = Some((prompt, added));
        self.part()
    }

    /// The same plan in one of several runs: whether an edit changed anything is judged over all of them.
    pub(crate) fn part(mut self) -> Self {
        self.part = true;
        self
    }

    /// The tokens of a forward as this plan counts them.
    pub(crate) fn rows(&self, rows: Rows) -> Rows {
        match &self.prompt {
            Some((prompt, added)) => rows.with_prompt(prompt.clone(), *added),
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
        let edited = self.edited();
        let Self { captures, edits, grads, grad_edits, part, .. } = self;
        let effects = edits.iter().map(|_| Vec::new()).collect();
        let session = Session { captures, edits, grads, grad_edits, fired, effects, ..Session::default() };
        let session = Rc::new(RefCell::new(session));
        let output = session::within(&session, body);
        let outcome = session.take().finish(output)?;
        if !part {
            warn_unchanged(&edited, &outcome.effects);
        }
        Ok(outcome)
    }

    /// What each edit is called, and where it is.
    pub(crate) fn edited(&self) -> Vec<String> {
        self.edits.iter().map(|(pattern, edit)| format!("`{}` at `{pattern}`", edit.name())).collect()
    }
}

/// Says of each edit that changed nothing, on numbers that were not all zero, that it did not.
pub(crate) fn warn_unchanged(edited: &[String], effects: &[Effect]) {
    for (edit, _) in edited.iter().zip(effects).filter(|(_, effect)| effect.changed_nothing()) {
        warn(&format!("the edit {edit} fired and changed nothing"));
    }
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
        for site in &self.met_again {
            warn(&format!("`{site}` was met more than once in one run: the cache keeps the last tensor"));
        }
        let cache = ActivationCache::new(self.captured, self.order);
        Ok(Outcome { output, cache, fired: self.fired, effects, leaves: self.leaves, n_layers: None })
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
    /// [`Error::NoGradient`] when the metric does not depend on a site, [`Error::EditShape`] where the tensors of a
    /// site that was met more than once differ in shape.
    #[allow(clippy::needless_pass_by_value, reason = "a metric is computed for this call")]
    pub fn gradients(&self, metric: Tensor<1>) -> Result<ActivationCache> {
        if let Some(site) = self.leaves.keys().next().filter(|_| !metric.is_tracked()) {
            return Err(Error::NoGradient { site: site.clone() });
        }
        let grads = metric.backward();
        let mut found = BTreeMap::new();
        for (site, leaves) in &self.leaves {
            found.insert(site.clone(), summed(site, leaves, &grads)?);
        }
        let order = found.keys().cloned().collect();
        let cache = ActivationCache::new(found, order);
        Ok(self.n_layers.into_iter().fold(cache, ActivationCache::of_layers))
    }
}
