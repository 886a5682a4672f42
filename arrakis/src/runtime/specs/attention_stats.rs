//! `attention_stats`: how spread, how far and how much on the first token each head attends.

use super::array::{Array, mean};
use super::captured::Captured;
use super::labels::labels;
use super::spec::{PlotSpec, Spec};
use super::takes::Takes;
use crate::error::Result;
use crate::plot::{Heatmap, Panel};
use crate::tools::observe::attention_patterns::statistics::{Statistic, distance, entropy, first, over_queries};

/// Three panels, each `[layer][head]`, averaged over prompts and over the queries after the first, which in a causal
/// model can only attend to itself:
///
/// - the entropy of the weights, in nats
/// - the mean distance from query to key, in tokens
/// - the weight on the first token
pub(super) struct AttentionStats;

impl Spec for AttentionStats {
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
        if (0..run.tokens.batch()).any(|prompt| run.ids(prompt).len() < 2) {
            return Err(asked.refuse("every prompt needs at least 2 tokens"));
        }
        let statistics: [(&str, &str, Statistic); 3] = [
            ("entropy", "entropy (nats)", entropy),
            ("distance", "distance (tokens)", distance),
            ("weight on the first token", "attention weight", first),
        ];
        let panel = |(what, units, statistic): (&str, &str, Statistic)| {
            let values = by_head(asked, run, |pattern, _| Some(over_queries(&pattern.rows(), statistic)))?;
            let title = asked.title.as_ref().map_or_else(|| what.to_owned(), |title| format!("{title}: {what}"));
            head_map(asked, run, values, title, units)
        };
        statistics.into_iter().map(panel).collect()
    }
}

/// A number of each head's pattern, averaged over the prompts that have it: `[site][head]`.
pub(super) fn by_head(
    asked: &PlotSpec,
    run: &Captured<'_>,
    number: impl Fn(&Array, &[u32]) -> Option<f64>,
) -> Result<Vec<Vec<f64>>> {
    let row = |site: &String| {
        let prompts: Vec<Vec<Array>> = run.prompts(site)?.iter().map(Array::parts).collect();
        let of_head = |head: usize| {
            let each = prompts.iter().enumerate();
            mean(each.filter_map(|(prompt, heads)| number(&heads[head], &run.ids(prompt))))
        };
        Ok(asked.chosen_heads(prompts[0].len())?.into_iter().map(of_head).collect())
    };
    asked.sites.iter().map(row).collect()
}

/// Heads as a heatmap with their own names.
pub(super) fn head_map(
    asked: &PlotSpec,
    run: &Captured<'_>,
    values: Vec<Vec<f64>>,
    title: String,
    units: &str,
) -> Result<Panel> {
    let heads = asked.chosen_heads(run.model.config().n_heads)?;
    let map = Heatmap::new(values).rows("layer", labels(&asked.sites));
    Ok(map.columns("head", heads.iter().map(|head| format!("H{head}"))).titled(title).units(units).into())
}
