//! A run in progress: what it meets and what it collects.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::call::Call;
use super::key;
use super::outcome::{Leaf, Outcome};
use super::part::{Part, What};
use super::splices::Splices;
use crate::error::{Error, Result};
use crate::ground::warnings::warn_once;
use crate::hooks::capture::cache::ActivationCache;
use crate::hooks::capture::capture::Capture;
use crate::hooks::edit::backward::{self, BackwardLog, Hook};
use crate::hooks::edit::edit::Edit;
use crate::hooks::edit::effect::{self, Pending};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::pattern::Vocabulary;
use crate::hooks::tensor::rows::Rows;
use crate::tokens::Tokens;

/// What one run wants and what it has met so far.
#[derive(Default)]
pub(super) struct Session {
    parts: Arc<[Part]>,
    /// What is spliced into the model that runs.
    pub(super) splices: Arc<Splices>,
    /// Whether the sites are a model's or a module's own.
    vocabulary: Vocabulary,
    /// How often each part fired.
    fired: Vec<usize>,
    /// How much each part changed in the forward pass, as tensors that are read when the run is over.
    effects: Vec<Vec<Pending>>,
    /// For each part, how many tensors with a gradient graph it met.
    tracked: Vec<usize>,
    captured: BTreeMap<String, Activation>,
    order: Vec<String>,
    leaves: BTreeMap<String, Vec<Leaf>>,
    /// The sites that were met, by their numbers on this thread, which are in the order of first meetings.
    seen: BTreeSet<usize>,
    /// The parts at each site that was asked about, by the site's number: patterns are matched once.
    parts_at: BTreeMap<usize, Rc<[usize]>>,
    first_error: Option<Error>,
    /// Where each call of a hooked method bound a name that it can bind in several places.
    bound: BTreeMap<(u64, &'static str), &'static Location<'static>>,
    /// Captured sites that were met more than once, because modules share weights or run several times.
    met_again: BTreeSet<String>,
    /// Which capture keeps each name. Two captures that would keep different things under one name are refused.
    keepers: BTreeMap<String, usize>,
    /// What gradient edits did, filled in by the backward pass.
    backward: Arc<BackwardLog>,
    /// Position of the first token of this forward in the whole sequence.
    pub(super) offset: usize,
    /// The tokens of this forward.
    pub(super) rows: Option<Arc<Rows>>,
    /// All tokens so far, those of earlier forwards included. Only a run with splices has them.
    pub(super) tokens: Option<Arc<Tokens>>,
}

impl Session {
    pub(super) fn new(parts: Vec<Part>, splices: Arc<Splices>, vocabulary: Vocabulary) -> Self {
        let none = vec![0; parts.len()];
        let effects = parts.iter().map(|_| Vec::new()).collect();
        Self {
            parts: parts.into(),
            splices,
            vocabulary,
            fired: none.clone(),
            effects,
            tracked: none,
            ..Self::default()
        }
    }

    /// Whether no site can matter to the run. A module of the user's own may bind a name twice, which its run reports.
    pub(super) fn is_idle(&self) -> bool {
        self.vocabulary == Vocabulary::Table && self.parts.is_empty() && self.splices.is_empty()
    }

    /// The parts at a site, as indices in the order they were added.
    fn here(&mut self, site: &str) -> Rc<[usize]> {
        let (parts, vocabulary) = (&self.parts, self.vocabulary);
        let find = || {
            let all = parts.iter().enumerate();
            all.filter(|(_, part)| part.is_at(site, vocabulary)).map(|(index, _)| index).collect()
        };
        Rc::clone(self.parts_at.entry(key::number(site)).or_insert_with(find))
    }

    /// Records that the site was met. Whether its tensor passes as it is, for nothing is there.
    pub(super) fn passes(&mut self, site: &str) -> bool {
        self.seen.insert(key::number(site));
        self.splices.is_empty() && self.here(site).is_empty()
    }

    /// Whether any part or splice is for this site.
    pub(super) fn wants(&mut self, site: &str) -> bool {
        self.splices.sits_at(site) || !self.here(site).is_empty()
    }

    /// Whether any part or splice changes the tensor at this site or its graph.
    pub(super) fn edits(&mut self, site: &str) -> bool {
        let here = self.here(site);
        self.splices.sits_at(site) || here.iter().any(|index| self.parts[*index].what.capture().is_none())
    }

    /// The parts of one kind that apply to a site, in the order they were added. Counts one firing of each.
    fn due<'a, T>(&mut self, parts: &'a [Part], site: &str, kind: fn(&'a What) -> Option<T>) -> Vec<(usize, T)> {
        let here = self.here(site);
        let due: Vec<_> = here.iter().filter_map(|index| Some((*index, kind(&parts[*index].what)?))).collect();
        for (index, _) in &due {
            self.fired[*index] += 1;
        }
        due
    }

    /// Records that the site was met. Returns the edits that apply there, in the order they were added.
    pub(super) fn meet(&mut self, site: &str) -> Vec<(usize, Edit)> {
        self.seen.insert(key::number(site));
        let parts = Arc::clone(&self.parts);
        self.due(&parts, site, What::edit).into_iter().map(|(index, edit)| (index, edit.clone())).collect()
    }

    /// Records how much the edit of a part changed a tensor.
    pub(super) fn note(&mut self, part: usize, effect: Pending) {
        self.effects[part].push(effect);
    }

    /// Adds the gradient edits to the graph. The backward pass meets the node added last first, so the edits are added
    /// in reverse to apply in the order they were given.
    fn with_gradient_edits(&mut self, at: &At<'_>, value: Activation) -> Result<Activation> {
        let parts = Arc::clone(&self.parts);
        let due = self.due(&parts, at.site, What::grad_edit);
        if due.is_empty() || !value.is_tracked() {
            return Ok(value);
        }
        let mut value = value;
        for (index, edit) in due.into_iter().rev() {
            self.tracked[index] += 1;
            value = match edit.backward() {
                Some(edit) => backward::with_hook(&value, &self.hook(edit, at, index))?,
                None => value.untracked(),
            };
        }
        Ok(value)
    }

    fn hook(&self, edit: Edit, at: &At<'_>, index: usize) -> Hook {
        let (rows, log, table) = (self.rows.clone(), Arc::clone(&self.backward), Arc::clone(self.splices.sites()));
        Hook { edit, site: at.site.into(), offset: at.offset, rows, table, log, index }
    }

    /// Adds the gradient's leaf if one is requested, and stores what captures keep. The gradient of a site is taken
    /// before a gradient edit there changes what flows on to earlier sites.
    pub(super) fn keep(&mut self, at: &At<'_>, value: Activation) -> Activation {
        let edited = self.with_gradient_edits(at, value.clone());
        let mut value = self.or_failed(edited, value);
        let parts = Arc::clone(&self.parts);
        if !self.due(&parts, at.site, What::grad).is_empty() {
            let with_leaf = self.with_leaf(at.site, &value);
            value = self.or_failed(with_leaf, value);
        }
        for (index, capture) in self.due(&parts, at.site, What::capture) {
            match capture.take(&value.detached(), at) {
                Ok(kept) => kept.into_iter().for_each(|(name, value)| self.store(index, name, value)),
                Err(error) => self.fail(error),
            }
        }
        value
    }

    fn with_leaf(&mut self, site: &str, value: &Activation) -> Result<Activation> {
        let (with_leaf, leaf) = leaf_added(value)?;
        let leaf = Leaf { tensor: leaf, dims: with_leaf.dims().to_vec() };
        self.leaves.entry(site.to_owned()).or_default().push(leaf);
        Ok(with_leaf)
    }

    fn store(&mut self, index: usize, name: String, value: Activation) {
        let keeper = *self.keepers.entry(name.clone()).or_insert(index);
        let is_whole = |index: usize| self.parts[index].what.capture().is_some_and(Capture::is_whole);
        if keeper != index && !(is_whole(keeper) && is_whole(index)) {
            return self.fail(Error::CapturedTwice { site: name });
        }
        if self.captured.insert(name.clone(), value).is_none() {
            self.order.push(name);
        } else if keeper == index {
            self.met_again.insert(name);
        }
    }

    /// Records where a call binds a tensor to a name.
    pub(super) fn bind_once(
        &mut self,
        site: String,
        name: &'static str,
        call: Call,
        place: &'static Location<'static>,
    ) {
        // A call that began before the run has no number of its own.
        if call.number == 0 {
            return;
        }
        if let Some(first) = self.bound.insert((call.number, name), place) {
            let (first, second) = (first.to_string(), place.to_string());
            self.fail(Error::BoundTwice { site, name, first, second });
        }
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.first_error.get_or_insert(error);
    }

    /// The value; or, on an error, which is recorded, `otherwise`.
    fn or_failed(&mut self, value: Result<Activation>, otherwise: Activation) -> Activation {
        value.unwrap_or_else(|error| {
            self.fail(error);
            otherwise
        })
    }

    /// Closes the run.
    ///
    /// # Errors
    ///
    /// The run's first error; [`Error::NeverFired`]; [`Error::Unreached`]; [`Error::Device`].
    pub(super) fn finish<R>(self, output: R) -> Result<Outcome<R>> {
        if let Some(error) = self.first_error {
            return Err(error);
        }
        for (part, fired) in self.parts.iter().zip(&self.fired) {
            if *fired == 0 {
                let seen: Vec<String> =
                    self.seen.iter().filter_map(|site| Some(key::text(*site)?.to_string())).collect();
                return Err(Error::never_fired(part.what.name(), part.sites.as_str(), &seen));
            }
        }
        let mut tracked = self.parts.iter().zip(&self.tracked);
        if let Some((part, _)) = tracked.find(|(part, tracked)| part.what.grad_edit().is_some() && **tracked == 0) {
            return Err(Error::Unreached { asked: part.sites.as_str().to_owned() });
        }
        let effects = effect::read(self.effects)?;
        for site in &self.met_again {
            warn_once(&format!("`{site}` was met more than once in one run: the cache keeps the last tensor"));
        }
        let table = Arc::clone(self.splices.sites());
        let cache = ActivationCache::new(self.captured, self.order).with_table(Arc::clone(&table));
        let effects = self.parts.iter().zip(effects).filter(|(part, _)| part.what.edit().is_some());
        let effects = effects.map(|(_, effect)| effect).collect();
        let Self { parts, fired, leaves, backward, .. } = self;
        Ok(Outcome { output, cache, fired, effects, leaves, parts, backward, n_layers: None, table })
    }
}

/// Burn cannot mark a tensor inside a graph, so a leaf of zeros is added and differentiated instead. The zeros are
/// negative because `x + (-0.0)` equals `x` to the bit, even for `x = -0.0`.
fn leaf_added(value: &Activation) -> Result<(Activation, Activation)> {
    let dims = value.dims();
    let device = value.device().clone().autodiff();
    let len: usize = dims.iter().product();
    let zeros = Tensor::<1>::full([len], -0.0_f32, (&device, value.dtype()));
    let leaf = zeros.require_grad();
    let sum = value.to_flat()? + leaf.clone();
    Ok((Activation::shaped(sum, dims)?, Activation::new(leaf)))
}
