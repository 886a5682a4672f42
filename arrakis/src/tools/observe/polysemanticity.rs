//! How many classes of contexts each neuron fires for.

use arrakis_models::{HookedTransformer, IntoTokens, Tokens, site};

use crate::error::{Error, Result};
use crate::tools::place::Neuron;
use crate::tools::shared::effective_number::effective_number;
use crate::tools::shared::{common, finite};
use crate::tools::{Layer, Position, ScoreTable, Tool};

/// The number of classes that a neuron fires for.
///
/// # What it tells you
///
/// Prompts come in classes that you name, such as languages or topics. For each neuron (`mlp.post`), the mean of its
/// positive activation over the prompts of each class is turned into shares of the classes. The score is the exponential
/// of the entropy of those shares: an effective number of classes.
///
/// # How to read it
///
/// - 1: it fires for one class only. The number of classes: it fires for all of them equally.
/// - 0: it is never positive on these prompts, so they say nothing about it.
///
/// # When it misleads
///
/// - A score is about the classes given. A neuron with one meaning that two classes share scores 2; one that mixes two
///   meanings inside a class scores 1.
/// - Negative activations are left out. Activations such as GELU and gated MLPs have some.
/// - Few prompts a class leave the shares to chance.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `classes` | 1 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let tool: Polysemanticity = Bench::embedded()?.tool()?;
/// let prompts = ["When Mary and John went to the store", "When Tom and Anna went to the park", "Then, Mary and Tom had a long talk"];
/// let found = tool.classes(0, prompts.as_slice(), -1, &[0, 0, 1])?;
/// for neuron in found.lowest(3) {
///     println!("{} fires for {:.2} classes", neuron.label, neuron.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// The effective number of classes is the perplexity of Hill, "Diversity and evenness", 1973 (order 1). That neurons fire
/// for several unrelated contexts: Elhage et al., "Toy Models of Superposition", 2022.
#[derive(Clone, Debug)]
pub struct Polysemanticity {
    model: HookedTransformer,
}

impl Tool for Polysemanticity {
    const NAME: &'static str = "polysemanticity";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl Polysemanticity {
    /// The effective number of classes of every neuron of a layer, at one position of each prompt: `[1][neuron]`.
    /// `classes` has a number for each prompt.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, a layer or position out of range, fewer than two classes, another number of
    /// classes than prompts, a mixture of experts, numbers that are not finite.
    pub fn classes(
        &self,
        layer: impl Into<Layer>,
        prompts: impl IntoTokens,
        position: impl Into<Position>,
        classes: &[usize],
    ) -> Result<ScoreTable<Neuron>> {
        let layer = layer.into().index(self.model.config().n_layers)?;
        self.model.w_out(layer)?;
        let tokens = prompts.into_tokens(&self.model)?;
        let members = members(&tokens, classes)?;
        let rows = self.rows(layer, &tokens, position.into())?;
        let count = |neuron: usize| {
            let of_class = |rows_of: &Vec<usize>| {
                rows_of.iter().map(|row| rows[*row][neuron].max(0.0)).sum::<f64>() / rows_of.len() as f64
            };
            effective_number(members.iter().map(of_class))
        };
        let neurons: Vec<usize> = (0..self.model.config().d_mlp).collect();
        let values = neurons.iter().map(|neuron| count(*neuron)).collect();
        ScoreTable::new(Self::NAME, "effective number of classes", vec![layer], neurons, vec![values])
    }

    /// The neurons at the position, `[prompt][neuron]`.
    fn rows(&self, layer: usize, tokens: &Tokens, position: Position) -> Result<Vec<Vec<f64>>> {
        let positions = position.of(tokens)?;
        let post = self.model.capture(tokens, [site::mlp_post(layer)])?.get::<3>(site::mlp_post(layer))?;
        let [batch, pos, d_mlp] = post.dims();
        let rows = common::rows(post.reshape([batch * pos, d_mlp]))?;
        let own: Vec<Vec<f64>> = positions.iter().enumerate().map(|(row, at)| rows[row * pos + at].clone()).collect();
        finite::check_all(Self::NAME, &self.model, tokens, "a neuron", &own.concat())?;
        Ok(own)
    }
}

/// The prompts of each class.
fn members(tokens: &Tokens, classes: &[usize]) -> Result<Vec<Vec<usize>>> {
    let refuse = |problem: String| Err(Error::Tool { tool: Polysemanticity::NAME, problem });
    if classes.len() != tokens.batch() {
        return refuse(format!("got {} classes for {} prompts; give one for each", classes.len(), tokens.batch()));
    }
    let mut named = classes.to_vec();
    named.sort_unstable();
    named.dedup();
    if named.len() < 2 {
        return refuse("all prompts are in one class; give prompts of at least two".to_owned());
    }
    Ok(named.iter().map(|class| (0..classes.len()).filter(|row| classes[*row] == *class).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, close, fixture, passes, planted};
    use arrakis_models::TransformerConfig;
    use arrakis_models::config::ActivationKind;

    impl Readings for Polysemanticity {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let rows = [&cases.prompt, &cases.other].map(|tokens| tokens.ids()[0].clone()).to_vec();
            vec![Reading::table("classes", self.classes(0, rows, 2, &[0, 1]))]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            let rows = [&cases.prompt, &cases.other].map(|tokens| tokens.ids()[0].clone()).to_vec();
            vec![Call::new("classes", move || self.classes(-1, rows, 1, &[0, 1]))]
        }
    }

    #[test]
    fn by_hand() {
        close(effective_number([3.0, 0.0]), 1.0, 1e-12);
        close(effective_number([2.0, 2.0, 2.0]), 3.0, 1e-12);
        let shares = [0.75_f64, 0.25];
        close(effective_number([3.0, 1.0]), (-shares.iter().map(|p| p * p.ln()).sum::<f64>()).exp(), 1e-12);
        close(effective_number([0.0, 0.0]), 0.0, 0.0);
    }

    /// Neuron 0 reads token 1, neuron 1 reads tokens 1 and 3, neuron 2 reads all four, neuron 3 none.
    #[test]
    fn a_planted_neuron_with_one_meaning_ranks_below_those_with_several() {
        let mut config = TransformerConfig::plain("planted", 1, 6, 1, 6, 4);
        (config.d_mlp, config.activation, config.norm_eps) = (4, ActivationKind::Relu, 1e-5);
        let reads = [vec![1], vec![1, 3], vec![1, 2, 3, 4], vec![]];
        let model = planted(&config, |name, row, column| match name {
            "embed.weight" => f32::from(u8::from(row == column)),
            "blocks.0.mlp.w_in.weight" => f32::from(u8::from(reads[column].contains(&row))),
            _ => 0.0,
        });
        let tool = Polysemanticity::new(&model).unwrap();
        let prompts: Vec<Vec<u32>> = vec![vec![1], vec![2], vec![3], vec![4]];
        let (found, forwards) = passes("embed", || tool.classes(0, prompts, -1, &[7, 8, 9, 10]).unwrap());
        assert_eq!(forwards, 1);
        let by_hand = &found.values[0];
        // The norm leaves -1/5 of a token's own number at the others, so a neuron with two tokens also fires less.
        assert!(by_hand[0] < by_hand[1] && by_hand[1] < by_hand[2], "{by_hand:?}");
        close(by_hand[0], 1.0, 1e-6);
        close(by_hand[1], 2.0, 1e-6);
        close(by_hand[2], 4.0, 1e-6);
        close(by_hand[3], 0.0, 0.0);
    }

    #[test]
    fn mistakes_are_named() {
        let tool = Polysemanticity::new(&fixture("gpt2")).unwrap();
        let said =
            |classes: &[usize]| tool.classes(0, vec![vec![1, 2], vec![3, 4]], -1, classes).unwrap_err().to_string();
        assert_eq!(said(&[0]), "polysemanticity: got 1 classes for 2 prompts; give one for each");
        assert_eq!(said(&[3, 3]), "polysemanticity: all prompts are in one class; give prompts of at least two");
    }
}
