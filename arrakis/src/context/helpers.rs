//! Tells the running calls which helpers they use.

use std::borrow::Cow;

use super::frames::{Shared, here, lock};
use super::{seen, stacks};
use crate::experiment::UsedHelper;

/// Whether a running call is to be told that a helper is used here, by the type name of a closure in its body: a method of a trait
/// is another helper for each type. It is told once for each thread.
pub(crate) fn lacks(body: &'static str) -> bool {
    let address = body.as_ptr().addr();
    if seen::is_open() {
        return seen::is_new(address, 0);
    }
    stacks::now().is_some_and(|now| rayon::current_thread_index().is_some() && seen::is_new(address, now))
}

/// Tells the running calls that these helpers, with their texts, are used here.
pub(crate) fn tell(helpers: impl IntoIterator<Item = (UsedHelper, Cow<'static, str>)>) {
    let frames = here();
    let frames = if frames.is_empty() { stacks::only() } else { Ok(frames) };
    match frames {
        Ok(frames) => add(&frames, helpers),
        Err(frames) => {
            for (helper, _) in helpers {
                for frame in &frames {
                    lock(frame).beside.insert(ambiguous(&helper.path));
                }
            }
        }
    }
}

/// Tells the running calls of this thread.
pub(crate) fn tell_here(helpers: impl IntoIterator<Item = (UsedHelper, Cow<'static, str>)>) {
    add(&here(), helpers);
}

/// Tells the calls around the innermost one of this thread.
pub(crate) fn tell_around(helpers: impl IntoIterator<Item = (UsedHelper, Cow<'static, str>)>) {
    let mut frames = here();
    frames.pop();
    add(&frames, helpers);
}

/// Whether there is a call around the innermost one of this thread.
pub(crate) fn is_inside_another() -> bool {
    here().len() > 1
}

fn add(frames: &[Shared], helpers: impl IntoIterator<Item = (UsedHelper, Cow<'static, str>)>) {
    for (helper, text) in helpers {
        for frame in frames {
            lock(frame).helpers.entry(helper.clone()).or_insert_with(|| text.clone());
        }
    }
}

fn ambiguous(path: &str) -> String {
    format!(
        "the helper `{path}` ran on a thread of rayon while several experiments were running: it is not counted as a part of \
         this one; run the work in `bench.handle().within(..)`"
    )
}

#[cfg(test)]
mod tests {
    use super::super::frames::Entered;
    use super::*;

    fn helper(path: &str) -> (UsedHelper, Cow<'static, str>) {
        (UsedHelper { path: path.into(), hash: "00".into(), file: "a.rs".into(), line: 1 }, "fn".into())
    }

    fn told(call: &Entered) -> Vec<String> {
        call.frame().helpers.keys().map(|helper| helper.path.clone()).collect()
    }

    #[test]
    fn every_running_call_of_the_thread_is_told() {
        let outer = Entered::new("m::f::{{closure}}", 1, 0);
        let inner = Entered::new("m::g::{{closure}}", 1, 0);
        tell([helper("m::a")]);
        tell_around([helper("m::g")]);
        assert!(is_inside_another());
        assert_eq!((told(&outer), told(&inner)), (vec!["m::a".into(), "m::g".into()], vec!["m::a".into()]));
        drop(inner);
        tell([helper("m::b")]);
        assert_eq!(told(&outer), ["m::a", "m::b", "m::g"]);
        assert!(!is_inside_another());
    }
}
