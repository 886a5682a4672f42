//! Work cut into shards, for job arrays: `arrakis run --shard` starts a program as one of them, `arrakis merge` gives what one
//! machine would.
//!
//! In a shard, these do their own part, keep it, and end with an error that says so
//! ([`Error::Part`](arrakis_models::Error::Part)):
//!
//! - a sweep of eight cases or more, and so the scans of the tools: its cases
//! - a [corpus pass](crate::corpus::Pass): its batches
//! - a [suite of claims](crate::hypothesis_suite): its claims
//! - [`each`]: its items
//!
//! Everything else runs on every shard. What is inside a claim or an item of [`each`] is not cut again. An experiment that was
//! cut has no value yet, so its record is that of an error, and names the shard; `arrakis merge` runs the program once more
//! with all parts and then it has the record of one machine. A program with several steps, each of which needs the one
//! before, takes a round of all shards for each: a loop over prompts is one step if it is written with [`each`].

pub use arrakis_models::ground::shard::Shard;
use arrakis_models::ground::shard::{self, Next, Parts, Step};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::experiment::json;

/// The shard that this program runs as; `None` on one machine and in a merged run.
pub fn here() -> Option<Shard> {
    Parts::shard_here()
}

/// The values of a function for each item, in order. In a shard of a job, every N-th item is run, and what is inside runs
/// whole.
///
/// ```
/// use arrakis::prelude::*;
///
/// let model = arrakis::models::HookedAutoModel::embedded()?;
/// let prompts = ["Mary gave a drink to", "John went to the"];
/// let losses = arrakis::shards::each(&prompts, |prompt| Ok::<_, Error>(model.forward(*prompt)?.dims()[1]))?;
/// assert_eq!(losses.len(), 2);
/// # Ok::<_, Error>(())
/// ```
///
/// # Errors
///
/// - those of the function
/// - in a shard [`Error::Part`](arrakis_models::Error::Part) when its items are done
/// - items or values that cannot be written as JSON or read back
pub fn each<I: Serialize, T: Serialize + DeserializeOwned, E: From<Error>>(
    items: &[I],
    mut of: impl FnMut(&I) -> Result<T, E>,
) -> Result<Vec<T>, E> {
    let Some(step) = step(items)? else { return items.iter().map(of).collect() };
    match step.next().map_err(Error::from)? {
        Next::All(parts) => Ok(joined(&step, &parts, items.len())?),
        Next::Own(own) => {
            let _whole = Parts::pause();
            let mut found: Vec<(usize, Value)> = Vec::new();
            for (place, item) in items.iter().enumerate().filter(|(place, _)| own.has(*place)) {
                found.push((place, written(&of(item)?)?));
            }
            let part = serde_json::to_vec(&found).expect("BUG: values are plain data");
            Err(Error::from(step.keep(&part)).into())
        }
    }
}

fn step<I: Serialize>(items: &[I]) -> Result<Option<Step>> {
    if Parts::active()?.is_none() {
        return Ok(None);
    }
    let inputs = json::canonical(&written(items)?);
    Ok(shard::begin(|| format!("{} items", items.len()), || Ok(inputs))?)
}

fn written<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
    let refuse = |error| Error::Value { of: "each", problem: format!("an item or a value cannot be written: {error}") };
    json::to_value(value).map_err(refuse)
}

fn joined<T: DeserializeOwned>(step: &Step, parts: &[Vec<u8>], count: usize) -> Result<Vec<T>> {
    let mut found: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for part in parts {
        let part: Vec<(usize, Value)> = serde_json::from_slice(part).map_err(|error| step.unreadable(error))?;
        for (place, value) in part {
            let value = json::from_value(&value).map_err(|error| step.unreadable(error))?;
            *found.get_mut(place).ok_or_else(|| step.unreadable("it has an item more"))? = Some(value);
        }
    }
    let whole: Option<Vec<T>> = found.into_iter().collect();
    whole.ok_or_else(|| step.unreadable("an item is missing").into())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use arrakis_models::ground::shard::Role;

    use super::*;

    #[test]
    fn items_are_dealt_out_and_come_back_in_order() {
        let job = tempfile::tempdir().unwrap();
        let items = [1.0, 0.0, -1.0, 4.0];
        let ran = RefCell::new(Vec::new());
        let inverse = |item: &f64| {
            ran.borrow_mut().push(*item);
            // Inside an item nothing is cut.
            each(&["a"; 9], |_| Ok::<_, Error>(1_u8))?;
            Ok::<f64, Error>(1.0 / item)
        };
        for shard in Shard::all(3) {
            let folder = job.path().join(shard.folder());
            std::fs::create_dir_all(&folder).unwrap();
            let parts = Parts::new(Role::One(shard), job.path(), folder.join("1.jsonl")).of_program("test");
            let said = parts.within(|| each(&items, inverse)).unwrap_err().to_string();
            assert!(said.starts_with(&format!("this is shard {shard}: its part of 4 items is kept")), "{said}");
        }
        assert_eq!(ran.take(), [1.0, 4.0, 0.0, -1.0]);
        let all = Parts::new(Role::All(3), job.path(), job.path().join("1.jsonl")).of_program("test");
        let merged = all.within(|| each(&items, inverse)).unwrap();
        assert_eq!((merged, ran.take()), (vec![1.0, f64::INFINITY, -1.0, 0.25], vec![]));
        assert_eq!(each(&items, inverse).unwrap().len(), 4);
    }
}
