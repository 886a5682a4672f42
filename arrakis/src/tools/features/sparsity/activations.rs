//! The fraction of tokens at which a feature is zero or near zero.

use std::collections::BTreeMap;

use arrakis_models::{IntoTokens, SitePattern, site};
use serde::{Deserialize, Serialize};

use super::{Sparsity, refuse};
use crate::error::Result;
use crate::tools::place::Neuron;
use crate::tools::shared::score_table::mean;
use crate::tools::shared::token_rows::{TokenRow, each_token};
use crate::tools::{ScoreTable, Tool};

/// How often each feature of a site is zero or near zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteSparsity {
    /// The site.
    pub site: String,
    /// A number of at most this size counts as near zero.
    pub threshold: f64,
    /// The number of tokens.
    pub tokens: u64,
    /// The fraction of tokens at which each feature is exactly zero, `[feature]`.
    pub zero: Vec<f64>,
    /// The fraction of tokens at which each feature is near zero, `[feature]`.
    pub near_zero: Vec<f64>,
}

impl SiteSparsity {
    /// The fraction of all numbers that are exactly zero.
    pub fn mean_zero(&self) -> f64 {
        mean(&self.zero)
    }

    /// The fraction of all numbers that are near zero.
    pub fn mean_near_zero(&self) -> f64 {
        mean(&self.near_zero)
    }
}

/// Counts of one site.
#[derive(Default)]
struct Counts {
    tokens: u64,
    zero: Vec<u64>,
    near: Vec<u64>,
}

impl Counts {
    fn add(&mut self, values: &[f32], threshold: f64) {
        self.tokens += 1;
        self.zero.resize(values.len(), 0);
        self.near.resize(values.len(), 0);
        for (at, value) in values.iter().enumerate() {
            self.zero[at] += u64::from(*value == 0.0);
            self.near[at] += u64::from(f64::from(value.abs()) <= threshold);
        }
    }

    fn fractions(self, site: String, threshold: f64) -> SiteSparsity {
        let share = |counts: Vec<u64>| counts.into_iter().map(|count| count as f64 / self.tokens as f64).collect();
        SiteSparsity { site, threshold, tokens: self.tokens, zero: share(self.zero), near_zero: share(self.near) }
    }
}

impl Sparsity {
    /// The fraction of tokens, padding left out, at which each feature of the sites is exactly zero, and at which its
    /// size is at most `threshold` (in the activation's units). Sites come in the order of a forward pass. A site's
    /// features are the numbers on the axes after the position axis.
    ///
    /// # Errors
    ///
    /// A threshold that is negative or not finite, no prompts, an unknown site, a site whose axes depend on the prompt
    /// (`attn.pattern`), prompts that do not fit the model, activations that are not finite.
    pub fn compute_activation_sparsity<P: IntoTokens>(
        &self,
        batches: impl IntoIterator<Item = P>,
        sites: impl Into<SitePattern>,
        threshold: f64,
    ) -> Result<Vec<SiteSparsity>> {
        if !(threshold >= 0.0 && threshold.is_finite()) {
            return Err(refuse(format!("the threshold is {threshold}; give a number of 0 or above")));
        }
        let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
        each_token(Self::NAME, &self.model, batches, &sites.into(), |_, TokenRow { site, values, .. }| {
            if !counts.contains_key(*site) {
                counts.insert((*site).to_owned(), Counts::default());
            }
            counts.entry((*site).to_owned()).or_default().add(values, threshold);
            Ok(())
        })?;
        let order = self.model.sites();
        let found = order.into_iter().filter_map(|site| Some(counts.remove(&site)?.fractions(site, threshold)));
        Ok(found.collect())
    }

    /// The fraction of tokens at which each neuron (`mlp.post`) is near zero: `[layer][neuron]`.
    ///
    /// # Errors
    ///
    /// Those of [`Sparsity::compute_activation_sparsity`], and a mixture of experts, which has no such site.
    pub fn neurons<P: IntoTokens>(
        &self,
        batches: impl IntoIterator<Item = P>,
        threshold: f64,
    ) -> Result<ScoreTable<Neuron>> {
        let found = self.compute_activation_sparsity(batches, site::every(site::mlp_post).as_str(), threshold)?;
        let values: Vec<Vec<f64>> = found.into_iter().map(|site| site.near_zero).collect();
        let (layers, neurons) = ((0..values.len()).collect(), (0..self.model.config().d_mlp).collect());
        let units = format!("fraction of tokens at most {threshold} from zero");
        ScoreTable::new(Self::NAME, units, layers, neurons, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture, planted};
    use arrakis_models::transformer::ActivationKind;
    use arrakis_models::{HookedTransformer, Side, Tokens, TransformerConfig};

    /// Neuron `n` reads `x[n]`, and token `t` writes `1` where its binary digits are one.
    fn digits() -> HookedTransformer {
        let mut config = TransformerConfig::plain("planted", 1, 3, 1, 8, 8);
        (config.d_mlp, config.activation) = (3, ActivationKind::Relu);
        (config.norm_placement, config.final_norm) = (arrakis_models::transformer::NormPlacement::PostOutput, false);
        planted(&config, |name, row, column| match name {
            "embed.weight" => f32::from(u8::from(row >> column & 1 == 1)),
            "blocks.0.mlp.w_in.weight" => f32::from(u8::from(row == column)),
            _ => 0.0,
        })
    }

    #[test]
    fn the_sparsity_of_known_vectors_is_exact() {
        // Tokens 1, 2, 3 and 6 are 100, 010, 110 and 011, lowest digit first.
        let batches = [Tokens::padded(&[vec![1, 2, 3], vec![6]], Side::Left, 0).unwrap()];
        let found = Sparsity::new(&digits()).unwrap().compute_activation_sparsity(batches, "*.mlp.post", 0.5).unwrap();
        assert_eq!((found[0].tokens, found[0].zero.as_slice()), (4, &[0.5, 0.25, 0.75][..]));
        assert_eq!(found[0].near_zero, found[0].zero);
        assert_eq!((found[0].mean_zero(), found[0].site.as_str()), (0.5, "blocks.0.mlp.post"));
    }

    #[test]
    fn batches_of_any_lengths_and_padding_count_the_same_tokens() {
        let tool = Sparsity::new(&fixture("llama")).unwrap();
        let rows = [vec![34, 17, 29, 49], vec![82, 5], vec![61]];
        let alone = tool.neurons(rows.to_vec(), 0.05).unwrap();
        let padded = tool.neurons([Tokens::padded(&rows, Side::Left, 0).unwrap()], 0.05).unwrap();
        assert_eq!(alone.values.len(), 3);
        for (a, b) in alone.values.concat().iter().zip(padded.values.concat()) {
            // A number at the threshold may round to either side.
            close(*a, b, 1.0 / 7.0 + 1e-9);
        }
        close(mean(&alone.values.concat()), mean(&padded.values.concat()), 1e-2);
        let wider = tool.neurons(rows.to_vec(), 0.1).unwrap();
        assert!(wider.values.concat().iter().zip(alone.values.concat()).all(|(wide, narrow)| *wide >= narrow));
    }

    #[test]
    fn mistakes_are_named() {
        let tool = Sparsity::new(&fixture("gpt2")).unwrap();
        let said = |sites: &str, threshold| {
            tool.compute_activation_sparsity([[1_u32, 2]], sites, threshold).unwrap_err().to_string()
        };
        assert_eq!(said("*.mlp.post", -1.0), "sparsity: the threshold is -1; give a number of 0 or above");
        assert_eq!(
            said("blocks.0.attn.pattern", 0.0),
            "sparsity: `blocks.0.attn.pattern` has other axes for each prompt; give a site with one vector for each token"
        );
        assert!(said("*.mlp.pots", 0.0).contains("did you mean"));
        let error = tool.neurons(Vec::<Tokens>::new(), 0.0).unwrap_err().to_string();
        assert_eq!(error, "sparsity: there are no prompts; give at least one");
    }
}
