//! The calls that are running on this thread, outermost first.
//!
//! Attributes that could not be joined when they were expanded (one was imported under another name)
//! are calls of one function inside each other: the inner one joins the frame of the outer one.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use crate::experiment::Record;
use crate::hypothesis::Verdict;
use crate::profile::Profile;

/// One call of one function.
pub(super) struct Frame {
    /// The function's full path.
    pub(super) function: String,
    /// Which attributes have joined, one bit each.
    pub(super) layers: u8,
    /// The record; written where the call is logged.
    pub(super) record: Option<Record>,
    pub(super) logged: bool,
    pub(super) figures: Vec<PathBuf>,
    pub(super) profile: Option<Profile>,
    pub(super) verdict: Option<Verdict>,
    pub(super) problems: Vec<String>,
}

thread_local! {
    static FRAMES: RefCell<Vec<Rc<RefCell<Frame>>>> = const { RefCell::new(Vec::new()) };
}

/// The frame of a call, and whether this call opened it; closed when dropped.
pub(super) struct Entered {
    pub(super) frame: Rc<RefCell<Frame>>,
    pub(super) opened: bool,
}

impl Entered {
    /// Joins the innermost frame where it is this function's and has none of these attributes yet.
    pub(super) fn new(function: String, layers: u8) -> Self {
        FRAMES.with_borrow_mut(|frames| {
            if let Some(top) = frames.last().filter(|top| joins(&top.borrow(), &function, layers)) {
                top.borrow_mut().layers |= layers;
                return Self { frame: Rc::clone(top), opened: false };
            }
            let frame = Frame {
                function,
                layers,
                record: None,
                logged: false,
                figures: Vec::new(),
                profile: None,
                verdict: None,
                problems: Vec::new(),
            };
            let frame = Rc::new(RefCell::new(frame));
            frames.push(Rc::clone(&frame));
            Self { frame, opened: true }
        })
    }
}

fn joins(top: &Frame, function: &str, layers: u8) -> bool {
    top.function == function && top.layers & layers == 0
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.opened {
            FRAMES.with_borrow_mut(Vec::pop);
        }
    }
}

/// Ids of the records of the logged calls around the innermost one, outermost first.
pub(super) fn parents() -> Vec<String> {
    FRAMES.with_borrow(|frames| {
        let around = &frames[..frames.len().saturating_sub(1)];
        let logged = around.iter().filter(|frame| frame.borrow().logged);
        logged.filter_map(|frame| frame.borrow().record.as_ref().map(|record| record.id.clone())).collect()
    })
}

/// The seed of the innermost call.
pub(crate) fn current_seed() -> Option<u64> {
    FRAMES
        .with_borrow(|frames| frames.last().and_then(|frame| frame.borrow().record.as_ref().map(|record| record.seed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_attribute_of_the_same_function_joins_and_a_call_of_itself_does_not() {
        let outer = Entered::new("f".into(), 1);
        let inner = Entered::new("f".into(), 2);
        let recursion = Entered::new("f".into(), 1);
        let other = Entered::new("g".into(), 2);
        assert_eq!([outer.opened, inner.opened, recursion.opened, other.opened], [true, false, true, true]);
        assert!(Rc::ptr_eq(&outer.frame, &inner.frame));
        drop((other, recursion, inner, outer));
        assert!(FRAMES.with_borrow(Vec::is_empty));
    }
}
