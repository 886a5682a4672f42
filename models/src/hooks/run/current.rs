//! The active runs of this thread, which hooked modules ask and report to.

use std::cell::RefCell;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::active::{Active, Idle, is_active};
use super::call::Call;
use super::observe;
use super::path::{Root, full_name, with_full_name};
use super::session::Session;
use super::splices::Splices;
use crate::error::Result;
use crate::hooks::edit::effect::Pending;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::rows::Rows;
use crate::tokens::Tokens;

thread_local! {
    static RUNS: RefCell<Vec<Rc<RefCell<Session>>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` with `session` as the thread's innermost run.
pub(super) fn within<R>(session: &Rc<RefCell<Session>>, body: impl FnOnce() -> R) -> R {
    struct Pop;
    impl Drop for Pop {
        fn drop(&mut self) {
            RUNS.with_borrow_mut(Vec::pop);
        }
    }
    let is_idle = session.borrow().is_idle() && !observe::is_observed();
    let (_listening, _root) = (if is_idle { Err(Idle::start()) } else { Ok(Active::start()) }, Root::new());
    RUNS.with_borrow_mut(|runs| runs.push(Rc::clone(session)));
    let _pop = Pop;
    if !is_idle {
        observe::began();
    }
    body()
}

fn innermost() -> Option<Rc<RefCell<Session>>> {
    RUNS.with_borrow(|runs| runs.last().cloned())
}

/// Whether the run captures, edits or differentiates the site `name` of the current scope. A module computes a costly
/// side tensor (`attn.result`) only then.
pub fn asked(name: &str) -> bool {
    if !is_active() {
        return false;
    }
    innermost().is_some_and(|session| with_full_name(name, |full| session.borrow_mut().wants(full)))
}

/// Whether the run changes the site `name` of the current scope (an edit, a gradient's leaf, a gradient edit).
pub fn edited(name: &str) -> bool {
    if !is_active() {
        return false;
    }
    innermost().is_some_and(|session| with_full_name(name, |full| session.borrow_mut().edits(full)))
}

/// Sets where in the sequence the next forward starts, and which tokens it runs on.
pub(crate) fn set_rows(offset: usize, rows: Option<Rows>) {
    if let Some(session) = innermost() {
        let mut session = session.borrow_mut();
        session.offset = offset;
        session.rows = rows.map(Arc::new);
    }
}

/// Sets which tokens the run is of, those of earlier forwards included. They are asked for where something is spliced in.
pub(crate) fn set_tokens(tokens: impl FnOnce() -> Tokens) {
    if let Some(session) = innermost() {
        let mut session = session.borrow_mut();
        session.tokens = (!session.splices.is_empty()).then(|| Arc::new(tokens()));
    }
}

/// The tokens of the run, those of earlier forwards included.
pub(crate) fn tokens() -> Option<Arc<Tokens>> {
    innermost()?.borrow().tokens.clone()
}

/// Notes that a call of a hooked method binds a tensor to `name`. The run fails if it has done so before.
pub(super) fn bind_once(name: &'static str, call: Call, place: &'static Location<'static>) {
    if let Some(session) = innermost() {
        session.borrow_mut().bind_once(full_name(name), name, call, place);
    }
}

/// Passes a tensor through the site `name` of the current scope.
pub(super) fn site<const D: usize>(name: &'static str, tensor: Tensor<D>) -> Tensor<D> {
    if !is_active() {
        return tensor;
    }
    let session = innermost();
    let passes = |session: &Rc<RefCell<Session>>| with_full_name(name, |full| session.borrow_mut().passes(full));
    if !observe::is_observed() && session.as_ref().is_some_and(passes) {
        return tensor;
    }
    let full = full_name(name);
    let Some(session) = session else {
        observe::passed(&full, &tensor);
        return tensor;
    };
    let splices = Arc::clone(&session.borrow().splices);
    let tensor = match spliced(&splices, &full, tensor.clone()) {
        Ok(spliced) => spliced,
        Err(error) => {
            session.borrow_mut().fail(error);
            return tensor;
        }
    };
    observe::passed(&full, &tensor);
    if !splices.shows(&full) {
        return tensor;
    }
    let due = session.borrow_mut().meet(&full);
    let (offset, rows) = (session.borrow().offset, session.borrow().rows.clone());
    let at = At { site: &full, offset, rows: rows.as_deref(), table: splices.sites() };
    // The session is not borrowed while an edit runs, because an edit may itself run a model.
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
        session.note(index, effect);
    }
    session.keep(&at, value).tensor().expect("BUG: edits keep the shape")
}

/// The tensor that the forward goes on with where modules are spliced in; they run while the session is not borrowed.
fn spliced<const D: usize>(splices: &Splices, site: &str, tensor: Tensor<D>) -> Result<Tensor<D>> {
    if splices.is_empty() {
        return Ok(tensor);
    }
    splices.apply(site, Activation::new(tensor))?.tensor()
}
