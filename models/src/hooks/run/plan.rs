//! The description of a run, made before it starts.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::current;
use super::outcome::Outcome;
use super::part::{Part, What};
use super::session::Session;
use super::splices::Splices;
use super::warnings::warn_unchanged;
use crate::error::Result;
use crate::hooks::capture::capture::Capture;
use crate::hooks::edit::edit::Edit;
use crate::hooks::edit::gradient::GradientEdit;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::pattern::{SitePattern, Vocabulary};
use crate::hooks::tensor::rows::Rows;

/// The captures, edits and gradients of one run.
///
/// Edits at one site apply in the order they were added. A capture sees the edited tensor, and a gradient is taken with
/// respect to it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    parts: Vec<Part>,
    prompt: Option<(Vec<usize>, usize)>,
    one_of_several: bool,
    splices: Arc<Splices>,
    vocabulary: Vocabulary,
}

impl Plan {
    /// An empty plan: nothing captured, nothing changed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the tensors at the sites that fit. A name or a pattern keeps whole tensors; a [`Capture`] can keep less.
    #[must_use]
    pub fn capture(self, capture: impl Into<Capture>) -> Self {
        let capture = capture.into();
        self.with(capture.sites().clone(), What::Capture(Box::new(capture)))
    }

    /// Changes the tensors at the sites that fit, by an [`Intervention`](crate::Intervention) or a closure.
    #[must_use]
    pub fn edit(self, sites: impl Into<SitePattern>, edit: impl Into<Edit>) -> Self {
        self.with(sites, What::Edit(edit.into()))
    }

    /// Makes the output differentiable with respect to the tensors at the sites that fit.
    #[must_use]
    pub fn grad(self, sites: impl Into<SitePattern>) -> Self {
        self.with(sites, What::Grad)
    }

    /// Changes gradients at the sites that fit, in the backward pass. The forward pass stays as it is. Edits at one
    /// site apply in the order they were added. A gradient requested at that site is the gradient before the edits.
    #[must_use]
    pub fn edit_gradient(self, sites: impl Into<SitePattern>, edit: impl Into<GradientEdit>) -> Self {
        self.with(sites, What::GradEdit(edit.into()))
    }

    fn with(mut self, sites: impl Into<SitePattern>, what: What) -> Self {
        self.parts.push(Part { sites: sites.into(), what });
        self
    }

    /// The same plan for forwards whose rows hold `prompt[row]` prompt tokens and at most `added` more.
    pub(crate) fn after_prompt(mut self, prompt: Vec<usize>, added: usize) -> Self {
        self.prompt = Some((prompt, added));
        self.one_of_several()
    }

    /// The same plan as one of several runs. Whether an edit changed anything is judged over all of them.
    pub(crate) fn one_of_several(mut self) -> Self {
        self.one_of_several = true;
        self
    }

    /// The same plan in a run of a model with these splices, whose sites have other spellings.
    pub(crate) fn with_splices(self, splices: Arc<Splices>) -> Self {
        Self { splices, vocabulary: Vocabulary::Table, ..self }
    }

    /// The tokens of a forward, as this plan counts them.
    pub(crate) fn rows(&self, rows: Rows) -> Rows {
        match &self.prompt {
            Some((prompt, added)) => rows.with_prompt(prompt.clone(), *added),
            None => rows,
        }
    }

    /// Whether it captures and changes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The captures.
    pub(crate) fn captures(&self) -> impl Iterator<Item = &Capture> {
        self.parts.iter().filter_map(|part| part.what.capture())
    }

    /// Whether anything but a capture is at a site, so that a new tensor may take its place.
    pub(crate) fn changes(&self, site: &str) -> bool {
        self.parts.iter().any(|part| part.what.capture().is_none() && part.sites.matches(site))
    }

    /// All patterns of the plan.
    pub fn patterns(&self) -> impl Iterator<Item = &SitePattern> {
        self.parts.iter().map(|part| &part.sites)
    }

    /// Whether the plan asks for gradients.
    pub fn wants_gradients(&self) -> bool {
        self.parts.iter().any(|part| part.what.grad().is_some())
    }

    /// Checks every pattern against a table of sites before anything runs.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`](crate::Error::UnknownSite) naming the nearest site for a pattern that selects none.
    pub fn check<S: AsRef<str>>(&self, known: &[S]) -> Result<()> {
        self.patterns().try_for_each(|pattern| pattern.select(known.iter().map(AsRef::as_ref)).map(drop))
    }

    /// Checks selections, vectors and patches against the dims of their sites, before anything runs.
    ///
    /// # Errors
    ///
    /// The edit's or the capture's own: [`OutOfRange`](crate::Error::OutOfRange), [`EditShape`](crate::Error::EditShape),
    /// [`Count`](crate::Error::Count).
    pub fn check_shapes<S: AsRef<str>>(
        &self,
        known: &[S],
        rows: Option<&Rows>,
        dims: impl Fn(&str) -> Vec<usize>,
    ) -> Result<()> {
        for site in known.iter().map(AsRef::as_ref) {
            let at = At { rows, table: self.splices.sites(), ..At::new(site) };
            for part in self.parts.iter().filter(|part| part.sites.matches(site)) {
                part.check(&dims(site), &at)?;
            }
        }
        Ok(())
    }

    /// Runs `body`, whose hooked modules report to this plan. The sites have the names that the modules bind.
    ///
    /// # Errors
    ///
    /// [`Error::AmbiguousSite`](crate::Error::AmbiguousSite) for a pattern with two meanings,
    /// [`Error::NeverFired`](crate::Error::NeverFired) when a part of the plan met no tensor, an edit's own error, or
    /// [`Error::EditShape`](crate::Error::EditShape) when an edit changed a shape.
    pub fn run<R>(self, body: impl FnOnce() -> R) -> Result<Outcome<R>> {
        if self.vocabulary == Vocabulary::Table {
            self.patterns().try_for_each(SitePattern::check)?;
        }
        let (edited, judged) = (self.edited(), !self.one_of_several);
        let session = Rc::new(RefCell::new(Session::new(self.parts, self.splices, self.vocabulary)));
        let output = current::within(&session, body);
        let outcome = session.take().finish(output)?;
        if judged {
            warn_unchanged(&edited, &outcome.effects);
        }
        Ok(outcome)
    }

    /// The name and sites of each edit, in the order edits were added.
    pub(crate) fn edited(&self) -> Vec<String> {
        self.parts.iter().filter(|part| part.what.edit().is_some()).filter_map(Part::edit_in_words).collect()
    }
}
