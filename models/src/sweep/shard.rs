//! A sweep cut into shards that separate processes or machines run.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::result::{SweepResult, SweepWork};
use super::share::Share;
use super::sweep::{Shared, Sweep};
use crate::error::{Error, Result};
use crate::hooks::numbers;

/// One share of a sweep, ready to run; see [`Sweep::shard`].
#[derive(Debug)]
pub struct Shard<'a> {
    sweep: Sweep<'a>,
    key: SweepKey,
    share: Share,
}

/// The results of one share of a sweep. They serialise to JSON, and [`SweepResult::merge`] merges them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardResult {
    /// Which share it is, from 0.
    pub index: usize,
    /// How many shares there are.
    pub of: usize,
    /// The work done on these cases, and the work of running each alone. Includes the clean forward, which every shard
    /// runs.
    pub work: SweepWork,
    pub(super) key: SweepKey,
    pub(super) labels: Vec<String>,
    #[serde(with = "numbers::many")]
    pub(super) clean: Vec<f64>,
    pub(super) cases: Vec<ShardCase>,
}

/// The identity of a sweep: digests of its parts, and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SweepKey {
    pub(super) model: String,
    pub(super) prompts: String,
    pub(super) cases: String,
    pub(super) last_only: bool,
    pub(super) tokens_per_forward: Option<usize>,
}

/// One case's index in the whole sweep, and its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ShardCase {
    pub(super) case: usize,
    #[serde(with = "numbers::many")]
    pub(super) values: Vec<f64>,
    pub(super) changed: bool,
}

impl<'a> Sweep<'a> {
    /// Share `index` of `of` of this sweep, to run separately: on another machine, or after the others. Every process
    /// describes the same sweep, runs its own shards and keeps their results as JSON. [`SweepResult::merge`] then gives
    /// what [`Sweep::run`] would, to the bit.
    ///
    /// A share is every `of`-th case, in the order in which they run. To find that, each shard runs the clean forward itself
    /// and tries every edit on its tensors. On the CPU a row has the same bits beside any others. On other devices the
    /// products of batches of other sizes may have other bits, so there a share is every `of`-th forward, with the
    /// same batch as on one machine: a sweep of few forwards then has few shards with work, and
    /// [`Sweep::tokens_per_forward`] makes them smaller.
    ///
    /// ```
    /// use arrakis_models::{Error, HookedAutoModel, Intervention, ShardResult, SweepResult, site};
    /// use burn::tensor::Tensor;
    ///
    /// let model = HookedAutoModel::embedded()?;
    /// let shard = |index: usize| -> Result<ShardResult, Error> {
    ///     let mut sweep = model.sweep("Mary gave a drink to")?.quiet();
    ///     for head in 0..4 {
    ///         sweep = sweep.case(format!("L0H{head}"), site::z(0), Intervention::zero().head(head));
    ///     }
    ///     sweep.shard(index, 2)?.run(|logits: Tensor<3>| Ok::<_, Error>(logits.max().reshape([1])))
    /// };
    /// let whole = SweepResult::merge([shard(0)?, shard(1)?])?;
    /// assert_eq!(whole.labels, ["L0H0", "L0H1", "L0H2", "L0H3"]);
    /// # Ok::<_, Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a shard that does not exist, [`Error::ClosureEdit`] for the first edit that is a closure,
    /// [`Error::Device`] when the weights, which are part of a sweep's identity, cannot be read.
    pub fn shard(self, index: usize, of: usize) -> Result<Shard<'a>> {
        if index >= of {
            return Err(Error::out_of_range("shard", index, of));
        }
        let (key, whole_groups) = (self.key()?, !self.model.device_name().starts_with("cpu"));
        Ok(Shard { sweep: self, key, share: Share { index, of, whole_groups } })
    }

    /// What the sweep is of.
    pub(super) fn key(&self) -> Result<SweepKey> {
        let cases = self.cases.iter().map(|case| case.to_json(self.model.device_name())).collect::<Result<Vec<_>>>()?;
        let tokens = &self.tokens;
        let prompts = serde_json::to_string(&(tokens.ids(), tokens.real(), tokens.positions(), tokens.types()));
        Ok(SweepKey {
            model: self.model.fingerprint()?,
            prompts: digest(&[prompts.expect("BUG: tokens are plain data")]),
            cases: digest(&cases),
            last_only: self.last_only,
            tokens_per_forward: self.tokens_per_forward,
        })
    }
}

impl Shard<'_> {
    /// Runs the cases of the share. The metric is that of [`Sweep::run`].
    ///
    /// # Errors
    ///
    /// Those of [`Sweep::run`].
    pub fn run<E: From<Error>>(self, metric: impl FnMut(Tensor<3>) -> Result<Tensor<1>, E>) -> Result<ShardResult, E> {
        Ok(self.run_planned(metric)?.0)
    }

    /// Runs the cases, and returns the work of the whole sweep on one machine too.
    pub(super) fn run_planned<E: From<Error>>(
        self,
        metric: impl FnMut(Tensor<3>) -> Result<Tensor<1>, E>,
    ) -> Result<(ShardResult, SweepWork), E> {
        let Self { sweep, key, share } = self;
        let Shared { result: found, own, planned } = sweep.run_share(share, metric)?;
        let case = |case: usize| ShardCase { case, values: found.values[case].clone(), changed: found.changed[case] };
        let cases: Vec<ShardCase> = own.into_iter().map(case).collect();
        let SweepResult { labels, clean, work, .. } = found;
        Ok((ShardResult { index: share.index, of: share.of, work, key, labels, clean, cases }, planned))
    }
}

fn digest(texts: &[String]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    format!("{:x}", digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::{Edit, Intervention};
    use crate::sweep::testing::{metric, model, shards, sweep};

    #[test]
    fn shards_share_the_cases_out() {
        let model = model();
        let counts: Vec<usize> = shards(&model, 3).iter().map(|shard| shard.cases.len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 16);
        assert!(counts.iter().all(|count| *count > 2), "{counts:?}");
    }

    #[test]
    fn closures_and_shards_that_do_not_exist_are_refused() {
        let model = model();
        let clip = Edit::new(|x: Tensor<3>| x.clamp(-1.0, 1.0)).named("clip");
        let error = sweep(&model).case("clipped", "embed", clip).shard(0, 2).unwrap_err().to_string();
        assert!(error.starts_with("the edit `clip` is a closure"), "{error}");
        let error = sweep(&model).shard(3, 3).unwrap_err().to_string();
        assert_eq!(error, "shard 3 is out of range: there are 3, numbered from 0");
    }

    /// A metric's error is the sweep's, of the metric's own type.
    #[test]
    fn a_metric_fails_with_an_error_of_its_own() {
        #[derive(Debug)]
        enum Own {
            Model,
            Asked,
        }
        impl From<Error> for Own {
            fn from(_: Error) -> Self {
                Self::Model
            }
        }
        let model = model();
        let mut calls = 0;
        let failed = sweep(&model).run(|logits| {
            calls += 1;
            if calls > 3 { Err(Own::Asked) } else { Ok(metric(logits)?) }
        });
        assert!(matches!(failed, Err(Own::Asked)) && calls == 4);
        let failed = sweep(&model).case("x", "nowhere", Intervention::zero()).run(|_| Err(Own::Asked));
        assert!(matches!(failed, Err(Own::Model)));
    }
}
