//! For how many different things a neuron fires.

use std::collections::BTreeMap;

use arrakis_models::{IntoTokens, site};

use super::{Sparsity, refuse};
use crate::error::Result;
use crate::tools::place::Neuron;
use crate::tools::shared::effective_number::effective_number;
use crate::tools::shared::token_rows::{TokenRow, each_token};
use crate::tools::{Layer, ScoreTable, Tool};

/// A neuron's `k` largest positive activations and the tokens they occur at, largest first.
type Top = Vec<(f32, u32)>;

impl Sparsity {
    /// The effective number of different tokens among the `k` largest positive activations of each neuron (`mlp.post`) of
    /// a layer, each weighted by its activation: `[1][neuron]`. 1 is a neuron whose largest activations are all at one
    /// token, `k` one with as many tokens, 0 one that never fires.
    ///
    /// # Errors
    ///
    /// A layer out of range, a `k` of 0, no prompts, a mixture of experts, activations that are not finite.
    pub fn find_polysemantic_neurons<P: IntoTokens>(
        &self,
        batches: impl IntoIterator<Item = P>,
        layer: impl Into<Layer>,
        k: usize,
    ) -> Result<ScoreTable<Neuron>> {
        let layer = self.dense_layer(layer)?;
        if k == 0 {
            return Err(refuse("the number of largest activations is 0; give at least 1".into()));
        }
        let mut tops: Vec<Top> = vec![Vec::new(); self.model.config().d_mlp];
        let at = site::mlp_post(layer).into();
        each_token(Self::NAME, &self.model, batches, &at, |_, TokenRow { id, values, .. }| {
            tops.iter_mut().zip(*values).for_each(|(top, value)| keep(top, *value, *id, k));
            Ok(())
        })?;
        let scores = tops.iter().map(by_token).collect();
        of_neurons(layer, format!("effective number of tokens of {k}"), scores)
    }

    fn dense_layer(&self, layer: impl Into<Layer>) -> Result<usize> {
        let layer = layer.into().index(self.model.config().n_layers)?;
        self.model.w_out(layer)?;
        Ok(layer)
    }
}

fn of_neurons(layer: usize, units: String, scores: Vec<f64>) -> Result<ScoreTable<Neuron>> {
    ScoreTable::new(Sparsity::NAME, units, vec![layer], (0..scores.len()).collect(), vec![scores])
}

/// Puts an activation where it belongs; of equal ones the earlier stays first.
fn keep(top: &mut Top, value: f32, id: u32, k: usize) {
    if value <= 0.0 || top.len() == k && top[k - 1].0 >= value {
        return;
    }
    let place = top.partition_point(|(kept, _)| *kept >= value);
    top.insert(place, (value, id));
    top.truncate(k);
}

fn by_token(top: &Top) -> f64 {
    let mut shares: BTreeMap<u32, f64> = BTreeMap::new();
    for (value, id) in top {
        *shares.entry(*id).or_default() += f64::from(*value);
    }
    effective_number(shares.into_values())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, planted};
    use arrakis_models::transformer::{ActivationKind, NormPlacement};
    use arrakis_models::{HookedTransformer, TransformerConfig};

    /// Neuron 0 fires for token 0, neuron 1 equally for tokens 1, 2 and 3, neuron 2 never.
    fn planted_neurons() -> HookedTransformer {
        let mut config = TransformerConfig::plain("planted", 1, 4, 1, 4, 8);
        (config.d_mlp, config.activation) = (3, ActivationKind::Relu);
        (config.norm_placement, config.final_norm) = (NormPlacement::PostOutput, false);
        planted(&config, |name, row, column| match name {
            "embed.weight" => f32::from(u8::from(row == column)),
            "blocks.0.mlp.w_in.weight" => f32::from(u8::from((row == 0) == (column == 0) && column < 2)),
            _ => 0.0,
        })
    }

    #[test]
    fn a_planted_monosemantic_neuron_ranks_below_a_polysemantic_one() {
        let tool = Sparsity::new(&planted_neurons()).unwrap();
        let found = tool.find_polysemantic_neurons([[0_u32, 1, 2, 3], [3, 2, 1, 0]], 0, 6).unwrap();
        let scores = &found.values[0];
        close(scores[0], 1.0, 1e-12);
        close(scores[1], 3.0, 1e-6);
        assert_eq!((scores[2], found.highest(1)[0].neuron), (0.0, 1));
        // Its two largest activations are at two tokens.
        close(tool.find_polysemantic_neurons([[1_u32, 2, 3]], 0, 2).unwrap().values[0][1], 2.0, 1e-6);
    }

    #[test]
    fn the_largest_are_kept_in_order() {
        let mut top = Top::new();
        for (value, id) in [(1.0, 0), (3.0, 1), (-2.0, 2), (3.0, 3), (2.0, 4), (0.5, 5)] {
            keep(&mut top, value, id, 3);
        }
        assert_eq!(top, [(3.0, 1), (3.0, 3), (2.0, 4)]);
    }

    #[test]
    fn mistakes_are_named() {
        let tool = Sparsity::new(&planted_neurons()).unwrap();
        let error = tool.find_polysemantic_neurons([[0_u32]], 0, 0).unwrap_err().to_string();
        assert_eq!(error, "sparsity: the number of largest activations is 0; give at least 1");
        let error = tool.find_polysemantic_neurons([[0_u32]], 1, 1).unwrap_err().to_string();
        assert_eq!(error, "layer 1 is out of range: there are 1, numbered from 0");
    }
}
