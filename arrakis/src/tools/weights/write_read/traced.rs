//! How far a position can be traced back through the patterns of all layers.

use arrakis_models::{IntoTokens, Tokens, site};
use burn::tensor::Tensor;

use super::{WriteRead, attention_flow};
use crate::error::Result;
use crate::tools::place::QueryKey;
use crate::tools::shared::{common, finite};
use crate::tools::{ScoreTable, Tool};

impl WriteRead {
    /// Attention rollout, averaged over prompts of one length: `[query][key]`.
    ///
    /// How much of each position's final stream can be traced to each input position, if attention and the residual
    /// connection carry half each. Rows sum to 1, or to less where attention sinks take a part.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model, prompts of different lengths, attention weights that are not finite.
    pub fn rollout(&self, prompts: impl IntoTokens) -> Result<ScoreTable<QueryKey>> {
        let tokens = common::aligned(Self::NAME, &self.model, prompts)?;
        let layers = self.mixed(&tokens)?.into_iter();
        let rolled = layers.reduce(|rolled, layer| layer.matmul(rolled)).expect("BUG: a model has a layer");
        let [_, pos, _] = rolled.dims();
        let values = common::rows(rolled.mean_dim(0).reshape([pos, pos]))?;
        finite::check_all(Self::NAME, &self.model, &tokens, "an attention weight", &values.concat())?;
        let positions = common::positions(&self.model, &tokens);
        ScoreTable::new(Self::NAME, "rollout", positions.clone(), positions, values)
    }

    /// Attention flow, averaged over prompts of one length: `[query][key]`.
    ///
    /// The most that could flow from each position after the last layer to each input position, if attention and the
    /// residual connection are pipes with the capacities of [`WriteRead::rollout`]; each row is divided by its sum. Where
    /// rollout multiplies weights along a way, flow takes the narrowest one. It solves `positions²` maximum flows.
    ///
    /// # Errors
    ///
    /// Those of [`WriteRead::rollout`].
    pub fn attention_flow(&self, prompts: impl IntoTokens) -> Result<ScoreTable<QueryKey>> {
        let tokens = common::aligned(Self::NAME, &self.model, prompts)?;
        let (batch, pos) = (tokens.batch(), tokens.pos());
        let layers: Vec<Vec<f64>> = self.mixed(&tokens)?.into_iter().map(common::numbers).collect::<Result<_>>()?;
        finite::check_all(Self::NAME, &self.model, &tokens, "an attention weight", &layers.concat())?;
        let mut values = vec![vec![0.0; pos]; pos];
        for prompt in 0..batch {
            let own = |layer: &Vec<f64>| {
                layer[prompt * pos * pos..][..pos * pos].chunks(pos).map(<[f64]>::to_vec).collect::<Vec<_>>()
            };
            let flows = attention_flow::of(&layers.iter().map(own).collect::<Vec<_>>());
            let sums = values.iter_mut().flatten().zip(flows.iter().flatten());
            sums.for_each(|(sum, flow)| *sum += flow / batch as f64);
        }
        let positions = common::positions(&self.model, &tokens);
        ScoreTable::new(Self::NAME, "attention flow", positions.clone(), positions, values)
    }

    /// Half the mean pattern of each layer plus half the residual connection: for each layer `[batch, query, key]`.
    fn mixed(&self, tokens: &Tokens) -> Result<Vec<Tensor<3>>> {
        let cache = self.model.capture(tokens, [site::every(site::pattern)])?;
        let [batch, pos] = [tokens.batch(), tokens.pos()];
        let eye = Tensor::<2>::eye(pos, self.model.device()).unsqueeze::<3>().expand([batch, pos, pos]);
        let of_layer = |layer: usize| {
            let mean = cache.get::<4>(site::pattern(layer))?.mean_dim(1).reshape([batch, pos, pos]);
            Ok((mean + eye.clone()) * 0.5)
        };
        (0..self.model.config().n_layers).map(of_layer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture};

    #[test]
    fn rows_sum_to_one_and_see_no_later_position() {
        let tool = WriteRead::new(&fixture("gpt_neox")).unwrap();
        let prompts = vec![vec![34, 17, 29, 49], vec![5, 61, 80, 3]];
        let [rollout, flow] = [tool.rollout(prompts.clone()), tool.attention_flow(prompts)].map(Result::unwrap);
        for (query, row) in rollout.values.iter().chain(&flow.values).enumerate() {
            let query = query % 4;
            close(row.iter().sum::<f64>(), 1.0, 1e-5);
            assert!(row.iter().all(|weight| *weight >= 0.0) && row[query + 1..].iter().all(|weight| *weight == 0.0));
        }
        assert!(flow.values[3][0] > 0.0 && rollout.values != flow.values);
    }
}
