//! A run described before it happens.

use std::cell::RefCell;
use std::rc::Rc;

use super::outcome::{Fired, Outcome};
use super::session::{self, Session};
use super::warnings::warn_unchanged;
use crate::error::Result;
use crate::hooks::capture::capture::Capture;
use crate::hooks::edit::edit::Edit;
use crate::hooks::edit::gradient::GradientEdit;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::pattern::SitePattern;
use crate::hooks::tensor::rows::Rows;

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

    /// Changes gradients on their way back through the sites that fit; the forward stays as it is. Edits at one site apply
    /// in the order they were added; a gradient asked for at that site is the one before them.
    #[must_use]
    pub fn edit_gradient(mut self, sites: impl Into<SitePattern>, edit: impl Into<GradientEdit>) -> Self {
        self.grad_edits.push((sites.into(), edit.into()));
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
    /// [`Error::UnknownSite`](crate::Error::UnknownSite) naming the nearest site for a pattern that selects none.
    pub fn check<S: AsRef<str>>(&self, known: &[S]) -> Result<()> {
        self.patterns().try_for_each(|pattern| pattern.select(known.iter().map(AsRef::as_ref)).map(drop))
    }

    /// Checks selections, vectors and patches against the dims of the sites they are for, before anything runs.
    ///
    /// # Errors
    ///
    /// The edit's or the capture's own: [`OutOfRange`](crate::Error::OutOfRange), [`EditShape`](crate::Error::EditShape),
    /// [`Length`](crate::Error::Length).
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
            for (_, edit) in self.grad_edits.iter().filter(|(pattern, _)| pattern.matches(site)) {
                edit.edit().map_or(Ok(()), |edit| edit.check(&dims(site), &at))?;
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
    /// [`Error::NeverFired`](crate::Error::NeverFired) when a part of the plan met no tensor, an edit's own error, or a shape
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
        let tracked = vec![0; grad_edits.len()];
        let session = Session { captures, edits, grads, grad_edits, fired, effects, tracked, ..Session::default() };
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
