//! A sweep cut into shares that processes or machines run on their own, and put together again.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::result::{SweepResult, SweepWork};
use super::sweep::{Share, Sweep};
use crate::error::{Error, Result};
use crate::hooks::numbers;

/// One share of a sweep, ready to run: see [`Sweep::shard`].
#[derive(Debug)]
pub struct Shard<'a> {
    sweep: Sweep<'a>,
    key: SweepKey,
    share: Share,
}

/// What one share of a sweep found: to be kept as JSON, and merged by [`SweepResult::merge`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardResult {
    /// Which share it is, from 0.
    pub index: usize,
    /// How many shares there are.
    pub of: usize,
    /// What was run on these cases, and what running each alone would have been. The clean forward, which every shard
    /// runs, is counted.
    pub work: SweepWork,
    key: SweepKey,
    labels: Vec<String>,
    #[serde(with = "numbers::many")]
    clean: Vec<f64>,
    cases: Vec<ShardCase>,
}

/// What makes a sweep this one and no other: digests, but for the settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SweepKey {
    model: String,
    prompts: String,
    cases: String,
    last_only: bool,
    tokens_per_forward: usize,
}

/// One case's place in the whole sweep, and its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ShardCase {
    case: usize,
    #[serde(with = "numbers::many")]
    values: Vec<f64>,
    changed: bool,
}

impl<'a> Sweep<'a> {
    /// Share `index` of `of` of this sweep, to be run by itself: on another machine, or after the others. Every process
    /// describes the same sweep, runs its own shards, and keeps their results as JSON; [`SweepResult::merge`] gives what
    /// [`Sweep::run`] would, to the bit.
    ///
    /// Cases that start together stay together, as one forward runs them: a share is every `of`-th such group, and
    /// [`Sweep::tokens_per_forward`] bounds their size. Each shard runs the clean forward itself, and tries every edit on
    /// its tensors to find those groups.
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
    /// [`Error::OutOfRange`] for a shard that does not exist, [`Error::ClosureEdit`] of the first edit that is a closure,
    /// [`Error::Device`] when the weights, which are part of a sweep's identity, cannot be read.
    pub fn shard(self, index: usize, of: usize) -> Result<Shard<'a>> {
        if index >= of {
            return Err(Error::out_of_range("shard", index, of));
        }
        let cases = self.cases.iter().map(|case| case.to_json(self.model.device_name())).collect::<Result<Vec<_>>>()?;
        let tokens = &self.tokens;
        let prompts = serde_json::to_string(&(tokens.ids(), tokens.real(), tokens.positions(), tokens.types()));
        let key = SweepKey {
            model: self.model.fingerprint()?,
            prompts: digest(&[prompts.expect("BUG: tokens are plain data")]),
            cases: digest(&cases),
            last_only: self.last_only,
            tokens_per_forward: self.tokens_per_forward,
        };
        Ok(Shard { sweep: self, key, share: Share { index, of } })
    }
}

impl Shard<'_> {
    /// Runs the cases of the share; for the metric and errors see [`Sweep::run`].
    ///
    /// # Errors
    ///
    /// Those of [`Sweep::run`].
    pub fn run<E: From<Error>>(self, metric: impl FnMut(Tensor<3>) -> Result<Tensor<1>, E>) -> Result<ShardResult, E> {
        let Self { sweep, key, share } = self;
        let (found, own) = sweep.run_share(share, metric)?;
        let case = |case: usize| ShardCase { case, values: found.values[case].clone(), changed: found.changed[case] };
        let cases: Vec<ShardCase> = own.into_iter().map(case).collect();
        let SweepResult { labels, clean, work, .. } = found;
        Ok(ShardResult { index: share.index, of: share.of, work, key, labels, clean, cases })
    }
}

impl ShardResult {
    /// What of another sweep differs from this one.
    fn differs_in(&self, other: &Self) -> Option<&'static str> {
        let (own, key) = (&self.key, &other.key);
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let compared = [
            ("number of shards", self.of == other.of),
            ("model", own.model == key.model),
            ("prompts", own.prompts == key.prompts),
            ("list of cases", own.cases == key.cases && self.labels == other.labels),
            ("`last_only`", own.last_only == key.last_only),
            ("`tokens_per_forward`", own.tokens_per_forward == key.tokens_per_forward),
            ("clean metric", bits(&self.clean) == bits(&other.clean)),
        ];
        compared.into_iter().find(|(_, same)| !same).map(|(what, _)| what)
    }
}

impl SweepResult {
    /// The whole sweep from all of its shards, in any order: what [`Sweep::run`] gives, to the bit. The work is what the
    /// shards did, their clean forwards included.
    ///
    /// # Errors
    ///
    /// - [`Error::NoShards`], [`Error::ShardMissing`], [`Error::ShardTwice`]; [`Error::OutOfRange`] of a shard beyond the last
    /// - [`Error::ShardForeign`] saying what differs
    /// - [`Error::ShardCase`] of a case that is not in exactly one shard
    pub fn merge(shards: impl IntoIterator<Item = ShardResult>) -> Result<Self> {
        let mut shards: Vec<ShardResult> = shards.into_iter().collect();
        let Some(first) = shards.first().cloned() else { return Err(Error::NoShards) };
        for shard in &shards {
            if let Some(what) = first.differs_in(shard) {
                return Err(Error::ShardForeign { index: shard.index, of: shard.of, what });
            }
        }
        shards.sort_by_key(|shard| shard.index);
        complete(&shards, first.of)?;
        let (values, changed) = gathered(&shards, &first)?;
        let work = SweepWork::of_shards(shards.iter().map(|shard| shard.work));
        Ok(Self { labels: first.labels, clean: first.clean, values, changed, work })
    }
}

/// Whether sorted shards are all there are, each once.
fn complete(shards: &[ShardResult], of: usize) -> Result<()> {
    if let Some(shard) = shards.iter().find(|shard| shard.index >= of) {
        return Err(Error::out_of_range("shard", shard.index, of));
    }
    if let Some(pair) = shards.windows(2).find(|pair| pair[0].index == pair[1].index) {
        return Err(Error::ShardTwice { index: pair[0].index, of });
    }
    match (0..of).find(|index| shards.get(*index).is_none_or(|shard| shard.index != *index)) {
        Some(index) => Err(Error::ShardMissing { index, of }),
        None => Ok(()),
    }
}

/// Values and changes of each case of the sweep that `first` is a share of.
fn gathered(shards: &[ShardResult], first: &ShardResult) -> Result<(Vec<Vec<f64>>, Vec<bool>)> {
    let mut found: Vec<Vec<&ShardCase>> = vec![Vec::new(); first.labels.len()];
    for shard in shards {
        for case in &shard.cases {
            let place = found.get_mut(case.case).filter(|_| case.values.len() == first.clean.len());
            let foreign = || Error::ShardForeign { index: shard.index, of: shard.of, what: "list of cases" };
            place.ok_or_else(foreign)?.push(case);
        }
    }
    let once = |(case, (found, label)): (usize, (Vec<&ShardCase>, &String))| match found.as_slice() {
        [one] => Ok((one.values.clone(), one.changed)),
        several => Err(Error::ShardCase { case, label: label.clone(), times: several.len(), of: first.of }),
    };
    found.into_iter().zip(&first.labels).enumerate().map(once).collect()
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
    use crate::model::{HookedAutoModel, HookedTransformer};
    use crate::site;
    use crate::sweep::SweepCase;
    use crate::tokens::{Side, Tokens};
    use crate::transformer::TransformerConfig;

    fn model() -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap()
    }

    /// Heads, positions, the embedding, two sites at once, an edit that changes nothing, and a metric that is not a number.
    fn sweep(model: &HookedTransformer) -> Sweep<'_> {
        let rows = [vec![1, 2, 3, 4, 5], vec![6, 7, 8]];
        let mut cases = Vec::new();
        for layer in 0..3 {
            for head in 0..3 {
                cases.push(SweepCase::new(format!("L{layer}H{head}"), site::z(layer), Intervention::zero().head(head)));
            }
            let edit = Intervention::add(vec![0.5; 12], 2.0).positions([-1]);
            cases.push(SweepCase::new(format!("{layer}"), site::resid_pre(layer), edit));
        }
        cases.push(SweepCase::new("embed", "embed", Intervention::scale(2.0)));
        cases.push(
            SweepCase::new("two", site::z(1), Intervention::zero()).and(site::mlp_out(2), Intervention::set(0.1)),
        );
        cases.push(SweepCase::new("nothing", site::z(1), Intervention::scale(1.0)));
        cases.push(SweepCase::new("infinite", "logits", Intervention::set(f32::NEG_INFINITY)));
        // The cases as another process reads them.
        let cases: Vec<SweepCase> = serde_json::from_str(&serde_json::to_string(&cases).unwrap()).unwrap();
        let tokens = Tokens::padded(&rows, Side::Left, 0).unwrap();
        model.sweep(tokens).unwrap().cases(cases).tokens_per_forward(20).quiet()
    }

    #[allow(clippy::unnecessary_wraps, reason = "a sweep's metric may fail")]
    fn metric(logits: Tensor<3>) -> Result<Tensor<1>> {
        let [batch, pos, _] = logits.dims();
        let last = logits.narrow(1, pos - 1, 1);
        Ok((last.clone().narrow(2, 3, 1) - last.narrow(2, 7, 1)).reshape([batch]))
    }

    fn shards(model: &HookedTransformer, of: usize) -> Vec<ShardResult> {
        (0..of).map(|index| sweep(model).shard(index, of).unwrap().run(metric).unwrap()).collect()
    }

    /// Labels, the bits of every number, and what changed.
    fn bits(of: &SweepResult) -> (Vec<String>, Vec<u64>, Vec<bool>) {
        let numbers = of.clean.iter().chain(of.values.iter().flatten());
        (of.labels.clone(), numbers.map(|number| number.to_bits()).collect(), of.changed.clone())
    }

    #[test]
    fn merged_shards_are_the_whole_to_the_bit_through_json() {
        let model = model();
        let whole = sweep(&model).run(metric).unwrap();
        assert!(whole.values.iter().flatten().any(|value| value.is_nan()) && whole.changed.contains(&false));
        for of in 1..=7 {
            let mut texts: Vec<String> =
                shards(&model, of).iter().map(|shard| serde_json::to_string(shard).unwrap()).collect();
            texts.reverse();
            let merged = SweepResult::merge(texts.iter().map(|text| serde_json::from_str(text).unwrap())).unwrap();
            assert_eq!(bits(&merged), bits(&whole), "{of} shards");
            let (own, again) = (merged.work, of - 1);
            assert_eq!(own.forwards, whole.work.forwards + again);
            assert_eq!(own.block_tokens, whole.work.block_tokens + again * 3 * 2 * 5);
            assert_eq!(own.forwards_alone, whole.work.forwards_alone);
            assert_eq!(own.block_tokens_alone, whole.work.block_tokens_alone);
        }
    }

    #[test]
    fn shards_share_the_cases_out() {
        let model = model();
        let counts: Vec<usize> = shards(&model, 3).iter().map(|shard| shard.cases.len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 16);
        assert!(counts.iter().all(|count| *count > 2), "{counts:?}");
    }

    #[test]
    fn missing_doubled_and_foreign_shards_are_refused_by_name() {
        let model = model();
        let said = |shards: Vec<ShardResult>| SweepResult::merge(shards).unwrap_err().to_string();
        let all = shards(&model, 3);
        assert_eq!(said(Vec::new()), "no shard was given: merge what `Sweep::shard` gave");
        assert_eq!(said(all[..2].to_vec()), "shard 2 of 3 is missing: run it with `sweep.shard(2, 3)`");
        let twice = [&all[..], &all[1..2]].concat();
        assert_eq!(said(twice), "shard 1 of 3 is given twice: merge each once");
        let with = |other: ShardResult| said(vec![all[0].clone(), all[1].clone(), other]);
        let differs = |index: usize, of: usize, what: &str| {
            format!("shard {index} of {of} is of another sweep: its {what} differs from that of the first shard")
        };
        let two = sweep(&model).shard(1, 2).unwrap().run(metric).unwrap();
        assert_eq!(with(two), differs(1, 2, "number of shards"));
        let narrow = sweep(&model).tokens_per_forward(10).shard(2, 3).unwrap().run(metric).unwrap();
        assert_eq!(with(narrow), differs(2, 3, "`tokens_per_forward`"));
        let longer = sweep(&model).case("one more", site::z(0), Intervention::zero()).shard(2, 3).unwrap();
        assert_eq!(with(longer.run(metric).unwrap()), differs(2, 3, "list of cases"));
        let doubled = |logits: Tensor<3>| metric(logits).map(|values| values * 2.0);
        let other = sweep(&model).shard(2, 3).unwrap().run(doubled).unwrap();
        assert_eq!(with(other), differs(2, 3, "clean metric"));
        let config = TransformerConfig::plain("test", 3, 12, 3, 20, 16);
        let another = HookedAutoModel::lively(&config, 2).unwrap();
        let other = sweep(&another).shard(2, 3).unwrap().run(metric).unwrap();
        assert_eq!(with(other), differs(2, 3, "model"));
    }

    #[test]
    fn a_case_that_is_in_two_shards_is_refused_by_name() {
        let mut all = shards(&model(), 2);
        let doubled = all[0].cases[0].clone();
        let (case, label) = (doubled.case, all[0].labels[doubled.case].clone());
        all[1].cases.push(doubled);
        let error = SweepResult::merge(all).unwrap_err().to_string();
        assert!(error.starts_with(&format!("case {case} (`{label}`) was run by 2 of the 2 shards")), "{error}");
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
