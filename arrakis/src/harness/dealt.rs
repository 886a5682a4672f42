//! A suite in a program that runs as one shard of a job: it runs its own claims.

use std::collections::BTreeMap;

use arrakis_models::ground::shard::{self, Next, Shard, Step};

use super::done::Done;
use crate::error::Result;
use crate::experiment::json;

/// Which claims run here, and what is known of the others.
#[derive(Debug)]
pub(super) enum Dealt {
    /// All of them.
    No,
    /// Those of a shard: every N-th name.
    Own { step: Step, shard: Shard, names: Vec<String> },
    /// None: this is what the shards found, by name.
    Known(BTreeMap<String, Done>),
}

impl Dealt {
    /// The claims with these names.
    ///
    /// # Errors
    ///
    /// A shard whose part is kept already, a merged run without all parts.
    pub(super) fn of(names: &[String]) -> Result<Self> {
        let (what, inputs) = (format!("a suite of {} claims", names.len()), format!("{names:?}"));
        let Some(step) = shard::begin(|| what, || Ok(inputs))? else { return Ok(Self::No) };
        match step.next()? {
            Next::Own(shard) => Ok(Self::Own { step, shard, names: names.to_vec() }),
            Next::All(parts) => {
                let read = |part: &Vec<u8>| {
                    let part = serde_json::from_slice(part).map_err(|error| step.unreadable(error))?;
                    json::from_value::<Vec<Done>>(&part).map_err(|error| step.unreadable(error))
                };
                let done: Vec<Vec<Done>> = parts.iter().map(read).collect::<Result<_, _>>()?;
                Ok(Self::Known(done.into_iter().flatten().map(|done| (done.name.clone(), done)).collect()))
            }
        }
    }

    /// Whether another shard runs the claim.
    pub(super) fn is_of_another(&self, name: &str) -> bool {
        match self {
            Self::Own { shard, names, .. } => {
                names.iter().position(|own| own == name).is_none_or(|place| !shard.has(place))
            }
            Self::No | Self::Known(_) => false,
        }
    }

    /// What a shard found for the claim.
    pub(super) fn take(&mut self, name: &str) -> Option<Done> {
        match self {
            Self::Known(done) => done.remove(name),
            Self::No | Self::Own { .. } => None,
        }
    }

    /// Keeps what this shard found, and says so.
    pub(super) fn keep(self, done: &[Done]) -> Option<arrakis_models::Error> {
        let Self::Own { step, .. } = self else { return None };
        let part = json::to_value(done).expect("BUG: verdicts are plain data");
        Some(step.keep(part.to_string().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use arrakis_models::ground::shard::{Parts, Role};

    use super::*;
    use crate::bench::Bench;
    use crate::runtime::Case;

    #[test]
    fn each_claim_runs_in_one_shard_and_is_known_to_the_merged_run() {
        let job = tempfile::tempdir().unwrap();
        let names = ["a", "b", "c"].map(str::to_owned);
        let failed = |name: &'static str| {
            Done::of(&Case::new("laws", name, Bench::embedded, move |_, _| Err(name.into())), Default::default)
        };
        for shard in Shard::all(2) {
            let folder = job.path().join(shard.folder());
            std::fs::create_dir_all(&folder).unwrap();
            let parts = Parts::new(Role::One(shard), job.path(), folder.join("1.jsonl")).of_program("test");
            parts.within(|| {
                let dealt = Dealt::of(&names).unwrap();
                let own: Vec<&str> = ["a", "b", "c"].into_iter().filter(|name| !dealt.is_of_another(name)).collect();
                assert_eq!(own, if shard.index == 0 { vec!["a", "c"] } else { vec!["b"] });
                let said = dealt.keep(&own.into_iter().map(failed).collect::<Vec<_>>()).unwrap().to_string();
                assert!(said.contains("its part of a suite of 3 claims is kept"), "{said}");
            });
        }
        let all = Parts::new(Role::All(2), job.path(), job.path().join("1.jsonl")).of_program("test");
        let mut known = all.within(|| Dealt::of(&names).unwrap());
        for name in ["a", "b", "c"] {
            assert_eq!(known.take(name).unwrap(), failed(name));
        }
        assert!(matches!(Dealt::of(&names).unwrap(), Dealt::No));
    }
}
