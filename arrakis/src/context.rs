//! The running calls of this thread, outermost first.
//!
//! An attribute imported under another name cannot be merged with the others when it is expanded. Both then become
//! nested calls of one function, and the inner call joins the frame of the outer one.

use std::cell::RefCell;
use std::rc::Rc;

use crate::experiment::{Record, Run};

/// One call of one function.
pub(crate) struct Frame {
    /// The function's full path.
    pub(crate) function: String,
    /// Which attributes have joined, one bit for each.
    pub(crate) attributes: u8,
    /// The record as of the start of the call; written if the call is logged.
    pub(crate) record: Option<Record>,
    pub(crate) logged: bool,
    /// What the call has left so far.
    pub(crate) run: Run,
    /// What failed after the body.
    pub(crate) problems: Vec<String>,
}

thread_local! {
    static FRAMES: RefCell<Vec<Rc<RefCell<Frame>>>> = const { RefCell::new(Vec::new()) };
}

/// The frame of a call, and whether this call opened it. Closed when dropped.
pub(crate) struct Entered {
    pub(crate) frame: Rc<RefCell<Frame>>,
    pub(crate) opened: bool,
}

impl Entered {
    /// Joins the innermost frame if it belongs to this function and has none of these attributes yet.
    pub(crate) fn new(function: String, attributes: u8) -> Self {
        FRAMES.with_borrow_mut(|frames| {
            if let Some(top) = frames.last().filter(|top| joins(&top.borrow(), &function, attributes)) {
                top.borrow_mut().attributes |= attributes;
                return Self { frame: Rc::clone(top), opened: false };
            }
            let (run, problems) = (Run::default(), Vec::new());
            let frame = Frame { function, attributes, record: None, logged: false, run, problems };
            let frame = Rc::new(RefCell::new(frame));
            frames.push(Rc::clone(&frame));
            Self { frame, opened: true }
        })
    }
}

fn joins(top: &Frame, function: &str, attributes: u8) -> bool {
    top.function == function && top.attributes & attributes == 0
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.opened {
            FRAMES.with_borrow_mut(Vec::pop);
        }
    }
}

/// Ids of the records of the logged calls around the innermost one, outermost first.
pub(crate) fn parents() -> Vec<String> {
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
