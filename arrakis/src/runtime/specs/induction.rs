//! `induction`: how much each head attends to what followed the current token before.

use super::array::mean;
use super::attention_stats::{by_head, head_map};
use super::captured::Captured;
use super::spec::{PlotSpec, Spec};
use super::takes::Takes;
use crate::error::Result;
use crate::plot::Panel;
use crate::tools::observe::head_detector::{HeadKind, detection_pattern};

/// `[layer][head]`: the mean of the induction stripe, over the queries whose token occurred before, and over prompts.
pub(super) struct Induction;

impl Spec for Induction {
    fn sites(&self) -> &'static [&'static str] {
        &["blocks.*.attn.pattern"]
    }

    fn takes(&self) -> Takes {
        Takes::Attention
    }

    fn options(&self) -> &'static [&'static str] {
        &["heads"]
    }

    fn averages(&self) -> bool {
        true
    }

    fn panels(&self, asked: &PlotSpec, run: &Captured<'_>) -> Result<Vec<Panel>> {
        let stripe = |ids: &[u32]| detection_pattern(HeadKind::Induction, ids);
        let repeats = |prompt: usize| stripe(&run.ids(prompt)).concat().contains(&1.0);
        if !(0..run.tokens.batch()).any(repeats) {
            let problem = "no token of the prompt occurs again after another: give a text that repeats";
            return Err(asked.refuse(problem));
        }
        let values = by_head(asked, run, |pattern, ids| {
            let queries = pattern.rows().into_iter().zip(stripe(ids)).filter(|(_, looks)| looks.contains(&1.0));
            let mut on_stripe = queries
                .map(|(weights, looks)| weights.iter().zip(looks).map(|(weight, look)| weight * look).sum())
                .peekable();
            on_stripe.peek().is_some().then(|| mean(on_stripe))
        })?;
        let title = asked.joint_title("induction stripe");
        Ok(vec![head_map(asked, run, values, title, "mean attention weight")?])
    }
}
