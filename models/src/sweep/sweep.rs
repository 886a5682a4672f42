//! A sweep: its description and its execution.

use burn::tensor::Tensor;

use super::case::{Known, Start, SweepCase};
use super::clean::Clean;
use super::forward::Forward;
use super::group::Group;
use super::grouping;
use super::result::{SweepResult, SweepWork};
use super::share::{Share, share};
use super::size::Size;
use crate::device;
use crate::error::{Error, Result};
use crate::hooks::{Edit, SitePattern};
use crate::model::{HookedTransformer, IntoTokens};
use crate::progress;
use crate::tokens::Tokens;

/// A sweep being described; see [`HookedTransformer::sweep`].
#[derive(Debug)]
pub struct Sweep<'a> {
    pub(super) model: &'a HookedTransformer,
    pub(super) tokens: Tokens,
    pub(super) cases: Vec<SweepCase>,
    pub(super) last_only: bool,
    /// The limit that was set.
    pub(super) tokens_per_forward: Option<usize>,
    quiet: bool,
}

/// What a share found.
pub(super) struct Shared {
    /// The other cases keep the clean result.
    pub(super) result: SweepResult,
    /// The cases of the share.
    pub(super) own: Vec<usize>,
    /// The work of the whole sweep on one machine.
    pub(super) planned: SweepWork,
}

impl HookedTransformer {
    /// Starts a sweep of edits over a prompt or a batch of prompts.
    ///
    /// # Errors
    ///
    /// Those of the prompt.
    pub fn sweep(&self, prompt: impl IntoTokens) -> Result<Sweep<'_>> {
        let tokens = prompt.into_tokens(self)?;
        Ok(Sweep { model: self, tokens, cases: Vec::new(), last_only: false, tokens_per_forward: None, quiet: false })
    }
}

impl Sweep<'_> {
    /// Adds one case: an edit at one site, or at all sites that fit a pattern.
    #[must_use]
    pub fn case(self, label: impl Into<String>, site: impl Into<SitePattern>, edit: impl Into<Edit>) -> Self {
        self.cases([SweepCase::new(label, site, edit)])
    }

    /// Adds many cases.
    #[must_use]
    pub fn cases(mut self, cases: impl IntoIterator<Item = SweepCase>) -> Self {
        self.cases.extend(cases);
        self
    }

    /// For a metric that reads only the last position. It receives logits `[batch, 1, d_vocab]`, and no others are
    /// computed.
    ///
    /// Rows must not be padded on the right.
    #[must_use]
    pub fn last_only(mut self) -> Self {
        self.last_only = true;
        self
    }

    /// Tokens (rows × positions, kept positions included) that one forward may hold. Without it, the number follows from the
    /// sizes of the model and of the prompts ([`HookedTransformer::rows_per_forward`]). It changes no result.
    #[must_use]
    pub fn tokens_per_forward(mut self, tokens: usize) -> Self {
        self.tokens_per_forward = Some(tokens.max(1));
        self
    }

    /// Shows no progress bar.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs all cases. `metric` receives logits `[batch, pos, d_vocab]` of the prompts under one case and returns one
    /// number per prompt, `[batch]`. Its error, of any type, becomes the sweep's.
    ///
    /// Results are in the order the cases were added, and equal running each case alone. In a program that `arrakis run` starts
    /// as a shard, a sweep of eight cases or more does its own share of them.
    ///
    /// # Errors
    ///
    /// An unknown site before anything runs, an edit's own error, the metric's own error, or a metric of another shape. In a
    /// shard [`Error::Part`] when its share is done.
    pub fn run<E: From<Error>>(self, metric: impl FnMut(Tensor<3>) -> Result<Tensor<1>, E>) -> Result<SweepResult, E> {
        match self.step()? {
            None => Ok(self.run_share(Share::ALL, metric)?.result),
            Some(step) => self.run_dealt(step, metric),
        }
    }

    /// Runs the cases of one share.
    pub(super) fn run_share<E: From<Error>>(
        self,
        dealt: Share,
        mut metric: impl FnMut(Tensor<3>) -> Result<Tensor<1>, E>,
    ) -> Result<Shared, E> {
        self.check_padding()?;
        let starts = self.starts()?;
        let clean = Clean::run(self.model, &self.tokens, &self.cases, &starts, self.last_only)?;
        let clean_metric = self.measure(&mut metric, self.visible(clean.logits.clone()))?;
        let mut result = SweepResult::new(&self.cases, clean_metric, clean.n_layers, &self.tokens);
        let size = self.size();
        let groups = grouping::groups(&clean, &self.cases, starts, &self.tokens, &size)?;
        let planned = result.work.planned(&groups, clean.n_layers, &self.tokens);
        let groups = share(groups, dealt);
        let own: Vec<usize> = groups.iter().flat_map(|group| &group.cases).map(|case| case.index).collect();
        let bar = self.bar(own.len());
        for group in groups {
            result.work.add_alone(&group, clean.n_layers, &self.tokens);
            if group.unchanged {
                group.cases.iter().for_each(|case| result.keep_clean(case.index));
            } else {
                for part in size.that_fit(group) {
                    self.run_group(&clean, &part, &mut metric, &mut result)?;
                    bar.inc(part.cases.len() as u64);
                }
            }
        }
        bar.finish_and_clear();
        Ok(Shared { result, own, planned })
    }

    fn run_group<E: From<Error>>(
        &self,
        clean: &Clean,
        group: &Group,
        metric: &mut impl FnMut(Tensor<3>) -> Result<Tensor<1>, E>,
        result: &mut SweepResult,
    ) -> Result<(), E> {
        let (model, cases, tokens, last_only) = (self.model, &self.cases, &self.tokens, self.last_only);
        let logits = Forward { model, clean, cases, tokens, last_only }.run(group)?;
        result.work.add(group, clean.n_layers, &self.tokens);
        let rows = self.tokens.batch();
        for (at, case) in group.cases.iter().enumerate() {
            let own = logits.clone().narrow(0, at * rows, rows);
            let whole = self.with_prefix(own, clean, group.from_position);
            result.keep(case.index, self.measure(metric, whole)?);
        }
        Ok(())
    }

    fn size(&self) -> Size<'_> {
        let (model, tokens, last_only) = (self.model, &self.tokens, self.last_only);
        Size { model, tokens, last_only, limit: self.tokens_per_forward }
    }

    /// Where each case starts.
    fn starts(&self) -> Result<Vec<Start>> {
        let mut known = Known::new(self.model.sites());
        let table = self.model.site_table();
        self.cases.iter().map(|case| case.start(&mut known, &table)).collect()
    }

    /// Puts the clean run's logits before those of the resumed positions.
    fn with_prefix(&self, logits: Tensor<3>, clean: &Clean, from: usize) -> Tensor<3> {
        if self.last_only || from == 0 {
            return logits;
        }
        Tensor::cat(vec![clean.logits.clone().narrow(1, 0, from), logits], 1)
    }

    fn visible(&self, logits: Tensor<3>) -> Tensor<3> {
        let pos = logits.dims()[1];
        if self.last_only { logits.narrow(1, pos - 1, 1) } else { logits }
    }

    fn measure<E: From<Error>>(
        &self,
        metric: &mut impl FnMut(Tensor<3>) -> Result<Tensor<1>, E>,
        logits: Tensor<3>,
    ) -> Result<Vec<f64>, E> {
        let values = device::read(metric(logits)?)?;
        if values.len() != self.tokens.batch() {
            let what = "numbers from the sweep's metric, one for each prompt".into();
            return Err(Error::Count { what, expected: self.tokens.batch(), actual: values.len() }.into());
        }
        // All NaNs become the same NaN: their sign and payload depend on the machine, and JSON does not keep them.
        Ok(values.into_iter().map(|value| if value.is_nan() { f64::NAN } else { f64::from(value) }).collect())
    }

    fn check_padding(&self) -> Result<()> {
        if self.last_only && self.tokens.real().iter().any(|row| row.last() == Some(&false)) {
            return Err(Error::Setting {
                setting: "last_only",
                value: "true".into(),
                fix: "some rows are padded on the right; pad them on the left, or leave `last_only` off".into(),
            });
        }
        Ok(())
    }

    fn bar(&self, cases: usize) -> indicatif::ProgressBar {
        if self.quiet { progress::hidden() } else { progress::bar("sweep", "edits", cases) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::Intervention;
    use crate::sweep::testing::{metric, model};

    /// Every kind of case: heads, positions, the embedding, several sites at once, the final norm.
    fn cases() -> Vec<SweepCase> {
        let mut cases = Vec::new();
        for layer in 0..3 {
            for head in 0..3 {
                cases.push(SweepCase::new(
                    format!("L{layer}H{head}"),
                    crate::site::z(layer),
                    Intervention::zero().head(head),
                ));
            }
            for position in [0, 1, 2] {
                let edit = Intervention::scale(1.5).positions([position]);
                cases.push(SweepCase::new(format!("{layer}@{position}"), crate::site::resid_pre(layer), edit));
                let edit = Intervention::scale(0.5).positions([position]);
                cases.push(SweepCase::new(format!("k{layer}@{position}"), crate::site::k(layer), edit));
            }
        }
        cases.push(SweepCase::new("embed", "embed", Intervention::scale(2.0)));
        cases.push(SweepCase::new("all z", "*.z", Intervention::zero().head(0)));
        cases.push(SweepCase::new("final", "ln_final.normalized", Intervention::scale(2.0)));
        cases.push(SweepCase::new("nothing", crate::site::z(1), Intervention::scale(1.0)));
        cases
    }

    #[test]
    fn a_sweep_equals_each_edit_alone() {
        let model = model();
        let rows = [vec![1, 2, 3, 4, 5], vec![6, 7, 8]];
        for tokens in [
            Tokens::padded(&rows, crate::Side::Left, 0).unwrap(),
            Tokens::new(vec![vec![1, 2, 3, 4, 5], vec![1, 2, 9, 4, 5]]).unwrap(),
        ] {
            for limit in [1, 25, 2048] {
                let sweep = model.sweep(&tokens).unwrap().cases(cases()).tokens_per_forward(limit).quiet();
                let found = sweep.run(metric).unwrap();
                let last = model.sweep(&tokens).unwrap().cases(cases()).last_only().quiet().run(metric).unwrap();
                for (index, case) in cases().into_iter().enumerate() {
                    let (site, edit) = case.edits[0].clone();
                    let alone =
                        device::read(metric(model.run_with_hooks(&tokens, [(site, edit)]).unwrap()).unwrap()).unwrap();
                    for (row, value) in alone.iter().enumerate() {
                        let (got, got_last) = (found.values[index][row], last.values[index][row]);
                        assert!(
                            (got - f64::from(*value)).abs() < 1e-4 && (got_last - f64::from(*value)).abs() < 1e-4,
                            "{}: {got} {got_last} {value}",
                            case.label
                        );
                    }
                }
                assert!(found.work.saved() > 0.3, "{:?}", found.work);
                assert_eq!(found.changed.iter().filter(|changed| !**changed).count(), 1);
            }
        }
    }

    /// Each row's kept keys and values count as many tokens as the row has.
    #[test]
    fn a_forward_holds_no_more_tokens_than_it_may() {
        let model = model();
        let case = |at: usize| {
            let edit = Intervention::scale(1.0 + at as f32).positions([-1]);
            SweepCase::new(at.to_string(), crate::site::resid_pre(1), edit)
        };
        let sweep = model.sweep([1, 2, 3, 4, 5]).unwrap().cases((1..=20).map(case)).tokens_per_forward(10).quiet();
        let found = sweep.run(metric).unwrap();
        assert_eq!((found.work.forwards, found.work.block_tokens), (11, 3 * 5 + 20 * 2));
    }

    /// By hand: 3 heads in each of 3 layers are one forward beside the clean one, and each case runs the blocks from its own.
    #[test]
    fn cases_of_later_layers_join_the_forward_of_earlier_ones() {
        let model = model();
        let heads = |limit: usize| {
            let head = |at: usize| {
                let edit = Intervention::zero().head(at % 3);
                SweepCase::new(at.to_string(), crate::site::z(at / 3), edit)
            };
            let sweep = model.sweep([1, 2, 3, 4, 5]).unwrap().cases((0..9).map(head)).tokens_per_forward(limit).quiet();
            crate::hooks::count_passes(|| sweep.run(metric).unwrap())
        };
        let (whole, passes) = heads(2048);
        let blocks = 3 + 3 * (3 + 2 + 1);
        assert_eq!((whole.work.forwards, passes.forwards, whole.work.block_tokens), (2, 2, 5 * blocks));
        let (apart, passes) = heads(1);
        assert_eq!((apart.work.forwards, passes.forwards, apart.work.block_tokens), (10, 10, 5 * blocks));
        let bits = |found: &SweepResult| found.values.iter().flatten().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&whole), bits(&apart), "the size of a forward changes no bit");
    }

    /// Cases at every position in one sweep: those that are near each other start together, and no result changes.
    #[test]
    fn near_positions_share_a_forward() {
        let model = model();
        let cases = || {
            (0..12).flat_map(|position| {
                let edit = Intervention::scale(1.5).positions([position]);
                (0..3).map(move |layer| {
                    SweepCase::new(format!("{layer}@{position}"), crate::site::mlp_out(layer), edit.clone())
                })
            })
        };
        let ids: Vec<u32> = (1..13).collect();
        let run = |limit: usize| {
            let sweep = model.sweep(ids.as_slice()).unwrap().cases(cases()).tokens_per_forward(limit).quiet();
            crate::hooks::count_passes(|| sweep.run(metric).unwrap())
        };
        let ((whole, passes), (apart, _)) = (run(2048), run(1));
        assert_eq!((whole.work.forwards, apart.work.forwards), (passes.forwards, 1 + 36));
        assert!(whole.work.forwards < 6 && whole.work.saved() > 0.5, "{:?}", whole.work);
        for (whole, apart) in whole.values.iter().zip(&apart.values) {
            assert!((whole[0] - apart[0]).abs() < 1e-5, "{whole:?} {apart:?}");
        }
    }

    #[test]
    fn an_edit_after_the_blocks_runs_no_block() {
        let model = model();
        let edit = Intervention::scale(2.0);
        let found =
            model.sweep([1, 2]).unwrap().case("final", "ln_final.normalized", edit).quiet().run(metric).unwrap();
        assert_eq!((found.work.forwards, found.work.block_tokens), (2, 3 * 2));
        assert!(found.changed[0] && found.values[0] != found.clean);
    }

    #[test]
    fn an_unknown_site_is_refused_before_anything_runs() {
        let model = model();
        let sweep = model.sweep([1, 2]).unwrap().case("x", "blocks.0.attn.zz", Intervention::zero()).quiet();
        let error = sweep.run(metric).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no site fits `blocks.0.attn.zz`; did you mean `blocks.0.attn.z`? `sites()` lists them all"
        );
    }
}
