//! A sweep in a program that runs as one shard of a job: it does its own share of the cases.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::result::{SweepResult, SweepWork};
use super::shard::ShardResult;
use super::sweep::Sweep;
use crate::error::{Error, Result};
use crate::ground::shard::{self, Next, Parts, Step};
use crate::ground::warnings::warn_once;

/// A sweep of fewer cases runs whole on every shard: the forward without edits would be most of the work.
const LEAST: usize = 8;

/// What a shard keeps of a sweep.
#[derive(Serialize, Deserialize)]
struct Part {
    shard: ShardResult,
    /// The work of the whole sweep on one machine.
    planned: SweepWork,
}

impl Sweep<'_> {
    /// The step of this sweep, if this process shares it with others.
    pub(super) fn step(&self) -> Result<Option<Step>> {
        let Some(parts) = Parts::active()?.filter(|parts| self.cases.len() >= LEAST.max(parts.of())) else {
            return Ok(None);
        };
        let key = match self.key() {
            Ok(key) => serde_json::to_string(&key).expect("BUG: a key is plain data"),
            Err(error @ Error::ClosureEdit { .. }) => {
                warn_once(&format!(
                    "a sweep is not cut into {} shards, so each of them runs it whole: {error}",
                    parts.of()
                ));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        shard::begin(|| format!("a sweep of {} cases", self.cases.len()), || Ok(key))
    }

    /// Runs the share of this shard, or gives the whole from the shares of all.
    pub(super) fn run_dealt<E: From<Error>>(
        self,
        step: Step,
        metric: impl FnMut(Tensor<3>) -> Result<Tensor<1>, E>,
    ) -> Result<SweepResult, E> {
        match step.next()? {
            Next::All(parts) => Ok(joined(&step, &parts)?),
            Next::Own(own) => {
                let (shard, planned) = self.shard(own.index, own.of)?.run_planned(metric)?;
                let part = serde_json::to_vec(&Part { shard, planned }).expect("BUG: a part is plain data");
                Err(step.keep(&part).into())
            }
        }
    }
}

/// What [`Sweep::run`] gives on one machine.
fn joined(step: &Step, parts: &[Vec<u8>]) -> Result<SweepResult> {
    let read = |part: &Vec<u8>| serde_json::from_slice::<Part>(part).map_err(|error| step.unreadable(error));
    let parts: Vec<Part> = parts.iter().map(read).collect::<Result<_>>()?;
    let work = parts.first().map(|part| part.planned).unwrap_or_default();
    Ok(SweepResult { work, ..SweepResult::merge(parts.into_iter().map(|part| part.shard))? })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::ground::shard::{Role, Shard};
    use crate::hooks::{Edit, Intervention};
    use crate::sweep::testing::{metric, model, sweep};

    fn parts(role: Role, job: &Path) -> Arc<Parts> {
        let log = match role {
            Role::One(shard) => job.join(shard.folder()).join("1.jsonl"),
            Role::All(_) => job.join("1.jsonl"),
        };
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        Parts::new(role, job, log).of_program("test")
    }

    #[test]
    fn a_sweep_of_any_number_of_shards_has_the_bytes_of_one_machine() {
        let model = model();
        let bytes = |found: &SweepResult| serde_json::to_string(found).unwrap();
        let whole = bytes(&sweep(&model).run(metric).unwrap());
        for of in [1, 2, 3, 7] {
            let job = tempfile::tempdir().unwrap();
            for shard in Shard::all(of) {
                let own = || sweep(&model).run(metric).unwrap_err();
                let said = parts(Role::One(shard), job.path()).within(own).to_string();
                assert!(said.starts_with(&format!("this is shard {shard}: its part of a sweep of 16 cases")), "{said}");
            }
            let merged = parts(Role::All(of), job.path())
                .within(|| crate::hooks::count_passes(|| sweep(&model).run(metric).unwrap()));
            assert_eq!((bytes(&merged.0), merged.1.forwards), (whole.clone(), 0), "{of} shards");
        }
    }

    #[test]
    fn small_sweeps_and_closures_run_whole() {
        let (model, job) = (model(), tempfile::tempdir().unwrap());
        let shard = parts(Role::One(Shard { index: 1, of: 2 }), job.path());
        let small = || model.sweep([1, 2]).unwrap().case("a", "embed", Intervention::zero()).quiet();
        let clip =
            || sweep(&model).case("clipped", "embed", Edit::new(|x: Tensor<3>| x.clamp(-1.0, 1.0)).named("clip"));
        assert_eq!(shard.within(|| small().run(metric)).unwrap(), small().run(metric).unwrap());
        let (own, whole) = (shard.within(|| clip().run(metric)).unwrap(), clip().run(metric).unwrap());
        assert_eq!(serde_json::to_string(&own).unwrap(), serde_json::to_string(&whole).unwrap());
    }

    #[test]
    fn a_part_that_is_not_one_is_named() {
        let (model, job) = (model(), tempfile::tempdir().unwrap());
        let shard = Shard { index: 0, of: 1 };
        parts(Role::One(shard), job.path()).within(|| sweep(&model).run(metric).unwrap_err());
        let folder = job.path().join("0-of-1/parts");
        let part = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        std::fs::write(&part, "{}").unwrap();
        let error = parts(Role::All(1), job.path()).within(|| sweep(&model).run(metric).unwrap_err()).to_string();
        assert!(error.starts_with("`part` is not one of a sweep of 16 cases: missing field"), "{error}");
    }
}
