//! Merging the shards of a sweep.

use super::result::{SweepResult, SweepWork};
use super::shard::{ShardCase, ShardResult};
use crate::error::{Error, Result};

impl ShardResult {
    /// The first thing in which the sweep of another shard differs from that of this one.
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
    /// The whole sweep from all of its shards, in any order. It equals what [`Sweep::run`](super::Sweep::run) gives, to
    /// the bit. The work is that of all shards, including their clean forwards.
    ///
    /// # Errors
    ///
    /// - [`Error::NoShards`], [`Error::ShardMissing`], [`Error::ShardTwice`]
    /// - [`Error::OutOfRange`] for a shard after the last
    /// - [`Error::ShardForeign`] for a shard of another sweep, naming the difference
    /// - [`Error::ShardCase`] for a case that is not in exactly one shard
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

/// Checks that sorted shards are complete, each once.
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

/// Values and changes of each case of the sweep to which `first` belongs.
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

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use super::*;
    use crate::hooks::Intervention;
    use crate::model::HookedAutoModel;
    use crate::site;
    use crate::sweep::testing::{metric, model, shards, sweep};
    use crate::transformer::TransformerConfig;

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
            assert!(own.forwards >= whole.work.forwards + again, "{own:?}");
            assert_eq!(own.block_tokens, whole.work.block_tokens + again * 3 * 2 * 5);
            assert_eq!(own.forwards_alone, whole.work.forwards_alone);
            assert_eq!(own.block_tokens_alone, whole.work.block_tokens_alone);
        }
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
}
