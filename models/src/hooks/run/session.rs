//! The thread's current run, and the path of the module that is executing.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::observe;
use super::outcome::Fired;
use crate::error::{Error, Result};
use crate::hooks::capture::capture::Capture;
use crate::hooks::edit::backward::{BackwardLog, Hook};
use crate::hooks::edit::edit::Edit;
use crate::hooks::edit::effect::Pending;
use crate::hooks::edit::gradient::GradientEdit;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::pattern::SitePattern;
use crate::hooks::tensor::rows::Rows;

thread_local! {
    /// Whether any run or observer is active: the one thing a site without a run looks at.
    static ACTIVE: Cell<usize> = const { Cell::new(0) };
    static PATH: RefCell<String> = const { RefCell::new(String::new()) };
    static RUNS: RefCell<Vec<Rc<RefCell<Session>>>> = const { RefCell::new(Vec::new()) };
}

/// What one run wants and what it has met so far.
#[derive(Default)]
pub(in crate::hooks) struct Session {
    pub(in crate::hooks) captures: Vec<Capture>,
    pub(in crate::hooks) edits: Vec<(SitePattern, Edit)>,
    pub(in crate::hooks) grads: Vec<SitePattern>,
    pub(in crate::hooks) grad_edits: Vec<(SitePattern, GradientEdit)>,
    pub(in crate::hooks) captured: BTreeMap<String, Activation>,
    pub(in crate::hooks) order: Vec<String>,
    pub(in crate::hooks) leaves: BTreeMap<String, Vec<(Activation, Vec<usize>)>>,
    pub(in crate::hooks) fired: Fired,
    pub(in crate::hooks) seen: Vec<String>,
    pub(in crate::hooks) first_error: Option<Error>,
    /// Captured sites that were met more than once: modules that share weights or run in turns.
    pub(in crate::hooks) met_again: BTreeSet<String>,
    /// Which capture keeps each name: two that would keep different things under one name are refused.
    pub(in crate::hooks) keepers: BTreeMap<String, usize>,
    /// How much each edit changed, as tensors that are read when the run is over.
    pub(in crate::hooks) effects: Vec<Vec<Pending>>,
    /// Tensors that each edit of gradients met and a backward pass may come by.
    pub(in crate::hooks) tracked: Vec<usize>,
    /// What edits of gradients did, once a backward pass came by.
    pub(in crate::hooks) backward: Arc<BackwardLog>,
    /// Position of the first token of this forward in the whole sequence.
    pub(in crate::hooks) offset: usize,
    /// The tokens of this forward.
    pub(in crate::hooks) rows: Option<Arc<Rows>>,
}

/// Leaves the scope when dropped, a panic included.
#[derive(Debug)]
pub struct Scope {
    length_before: Option<usize>,
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(length) = self.length_before {
            observe::left(&PATH.with_borrow(Clone::clone));
            PATH.with_borrow_mut(|path| path.truncate(length));
        }
    }
}

/// Enters one segment of the path. Costs a thread-local read when no run is active.
pub fn enter(segment: fmt::Arguments<'_>) -> Scope {
    if ACTIVE.get() == 0 {
        return Scope { length_before: None };
    }
    let length = PATH.with_borrow_mut(|path| {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        write!(path, "{segment}").expect("BUG: writing to a string");
        length
    });
    observe::entered(&PATH.with_borrow(Clone::clone));
    Scope { length_before: Some(length) }
}

/// Marks the thread active for as long as it lives.
pub(in crate::hooks) struct Active {
    outer_path: String,
}

impl Active {
    pub(in crate::hooks) fn start() -> Self {
        ACTIVE.set(ACTIVE.get() + 1);
        Self { outer_path: PATH.take() }
    }

    /// Like [`Active::start`], for watching: the path goes on.
    pub(in crate::hooks) fn watch() -> Self {
        ACTIVE.set(ACTIVE.get() + 1);
        Self { outer_path: PATH.with_borrow(Clone::clone) }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        ACTIVE.set(ACTIVE.get() - 1);
        PATH.set(std::mem::take(&mut self.outer_path));
    }
}

/// Runs `body` with `session` as the thread's innermost run.
pub(in crate::hooks) fn within<R>(session: &Rc<RefCell<Session>>, body: impl FnOnce() -> R) -> R {
    struct Pop;
    impl Drop for Pop {
        fn drop(&mut self) {
            RUNS.with_borrow_mut(Vec::pop);
        }
    }
    let _active = Active::start();
    RUNS.with_borrow_mut(|runs| runs.push(Rc::clone(session)));
    let _pop = Pop;
    body()
}

fn innermost() -> Option<Rc<RefCell<Session>>> {
    RUNS.with_borrow(|runs| runs.last().cloned())
}

fn full_name(name: &str) -> String {
    PATH.with_borrow(|path| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") })
}

/// Whether the run captures, edits or differentiates the site `name` of the current scope: a module
/// computes a costly side tensor (`attn.result`) only then.
pub fn asked(name: &str) -> bool {
    if ACTIVE.get() == 0 {
        return false;
    }
    let full = full_name(name);
    innermost().is_some_and(|session| session.borrow().wants(&full))
}

/// Whether the run changes the site `name` of the current scope (an edit, or a gradient's leaf).
pub fn edited(name: &str) -> bool {
    if ACTIVE.get() == 0 {
        return false;
    }
    let full = full_name(name);
    innermost().is_some_and(|session| {
        let session = session.borrow();
        session.edits.iter().any(|(pattern, _)| pattern.matches(&full))
            || session.grads.iter().any(|pattern| pattern.matches(&full))
            || session.grad_edits.iter().any(|(pattern, _)| pattern.matches(&full))
    })
}

/// Tells the innermost run where in the sequence the coming forward starts, and what tokens it runs on.
pub(crate) fn set_rows(offset: usize, rows: Option<Rows>) {
    if let Some(session) = innermost() {
        let mut session = session.borrow_mut();
        session.offset = offset;
        session.rows = rows.map(Arc::new);
    }
}

/// Passes a tensor through the site `name` of the current scope.
pub(in crate::hooks) fn site<const D: usize>(name: &'static str, tensor: Tensor<D>) -> Tensor<D> {
    if ACTIVE.get() == 0 {
        return tensor;
    }
    let full = full_name(name);
    observe::passed(&full, &tensor);
    let Some(session) = innermost() else { return tensor };
    let due = session.borrow_mut().meet(&full);
    let (offset, rows) = (session.borrow().offset, session.borrow().rows.clone());
    let at = At { site: &full, offset, rows: rows.as_deref() };
    // The session is not borrowed while an edit runs: an edit may itself run a model.
    let mut effects = Vec::new();
    let result = due.into_iter().try_fold(Activation::new(tensor.clone()), |value, (index, edit)| {
        let new = edit.apply(value.clone(), &at)?;
        if edit.is_measured() {
            effects.push((index, Pending::of(&value, &new)?));
        }
        Ok(new)
    });
    let value = match result {
        Ok(value) => value,
        Err(error) => {
            session.borrow_mut().fail(error);
            return tensor;
        }
    };
    let mut session = session.borrow_mut();
    for (index, effect) in effects {
        session.effects[index].push(effect);
    }
    session.keep(&at, value).tensor().expect("BUG: edits keep the shape")
}

impl Session {
    fn wants(&self, name: &str) -> bool {
        self.captures.iter().any(|capture| capture.sites.matches(name))
            || self.grads.iter().any(|pattern| pattern.matches(name))
            || self.edits.iter().any(|(pattern, _)| pattern.matches(name))
            || self.grad_edits.iter().any(|(pattern, _)| pattern.matches(name))
    }

    /// Notes that the site was met; gives the edits that apply there, in the order they were registered.
    fn meet(&mut self, name: &str) -> Vec<(usize, Edit)> {
        if !self.seen.iter().any(|seen| seen == name) {
            self.seen.push(name.to_owned());
        }
        let mut due = Vec::new();
        for (index, (pattern, edit)) in self.edits.iter().enumerate() {
            if pattern.matches(name) {
                self.fired.edits[index] += 1;
                due.push((index, edit.clone()));
            }
        }
        due
    }

    /// Has the gradient edited on its way back. What is added to the graph last is met first: in reverse, edits apply in
    /// the order they were registered.
    fn with_gradient_edits(&mut self, at: &At<'_>, value: Activation) -> Result<Activation> {
        let mut value = value;
        let tracked = !self.grad_edits.is_empty() && value.is_tracked();
        for (index, (pattern, edit)) in self.grad_edits.iter().enumerate().rev() {
            if pattern.matches(at.site) {
                self.fired.grad_edits[index] += 1;
                if tracked {
                    self.tracked[index] += 1;
                    value = match edit.edit() {
                        Some(edit) => value.with_gradient_hook(&self.hook(edit, at, index))?,
                        None => value.untracked(),
                    };
                }
            }
        }
        Ok(value)
    }

    fn hook(&self, edit: Edit, at: &At<'_>, index: usize) -> Hook {
        let (rows, log) = (self.rows.clone(), Arc::clone(&self.backward));
        Hook { edit, site: at.site.into(), offset: at.offset, rows, log, index }
    }

    /// Adds the gradient's leaf where one is asked for, and keeps what captures want. The gradient of a site is taken
    /// before an edit of gradients there changes what flows on to earlier sites.
    fn keep(&mut self, at: &At<'_>, value: Activation) -> Activation {
        let mut value = self.with_gradient_edits(at, value.clone()).unwrap_or_else(|error| {
            self.fail(error);
            value
        });
        if let Some(index) = self.grads.iter().position(|pattern| pattern.matches(at.site)) {
            self.fired.grads[index] += 1;
            match leaf_added(&value) {
                Ok((with_leaf, leaf)) => {
                    let leaves = self.leaves.entry(at.site.to_owned()).or_default();
                    leaves.push((leaf, with_leaf.dims().to_vec()));
                    value = with_leaf;
                }
                Err(error) => self.fail(error),
            }
        }
        for index in 0..self.captures.len() {
            if self.captures[index].sites.matches(at.site) {
                self.fired.captures[index] += 1;
                match self.captures[index].take(&value.detached(), at) {
                    Ok(kept) => kept.into_iter().for_each(|(name, value)| self.store(index, name, value)),
                    Err(error) => self.fail(error),
                }
            }
        }
        value
    }

    fn store(&mut self, capture: usize, name: String, value: Activation) {
        let keeper = *self.keepers.entry(name.clone()).or_insert(capture);
        if keeper != capture && !(self.captures[keeper].is_whole() && self.captures[capture].is_whole()) {
            return self.fail(Error::CapturedTwice { site: name });
        }
        if self.captured.insert(name.clone(), value).is_none() {
            self.order.push(name);
        } else if keeper == capture {
            self.met_again.insert(name);
        }
    }

    fn fail(&mut self, error: Error) {
        self.first_error.get_or_insert(error);
    }
}

/// Burn cannot mark a tensor inside a graph, so a leaf of zeros is added and differentiated instead.
/// The zeros are negative: `x + (-0.0)` is `x` to the bit, for `x = -0.0` as well.
fn leaf_added(value: &Activation) -> Result<(Activation, Activation)> {
    let dims = value.dims();
    let device = value.device().clone().autodiff();
    let len: usize = dims.iter().product();
    let zeros = Tensor::<1>::full([len], -0.0_f32, (&device, value.dtype()));
    let leaf = zeros.require_grad();
    let sum = value.to_flat()? + leaf.clone();
    Ok((Activation::shaped(sum, dims)?, Activation::new(leaf)))
}
