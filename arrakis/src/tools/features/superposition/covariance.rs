//! The covariance of a site over prompts of any lengths.

use arrakis_models::{IntoTokens, SitePattern};
use burn::tensor::{Device, Tensor, TensorData};

use super::{Superposition, refuse};
use crate::corpus::Covariance;
use crate::error::Result;
use crate::tools::Tool;
use crate::tools::shared::token_rows::{TokenRow, each_token};

/// Tokens that are added at once.
const BLOCK: usize = 512;

impl Superposition {
    /// The mean and covariance of a site over every token that is not padding. It keeps `d²` numbers and a few hundred
    /// tokens at a time; [`Covariance`] states how exact it is, with blocks of 512 tokens. For a large corpus run a
    /// [`Pass`](crate::corpus::Pass) with [`Covariance`]; the components can be taken of either.
    ///
    /// # Errors
    ///
    /// Those of [`Superposition::activations`], and fewer than two tokens.
    pub fn compute_activation_covariance<P: IntoTokens>(
        &self,
        batches: impl IntoIterator<Item = P>,
        site: impl Into<SitePattern>,
    ) -> Result<Covariance> {
        let site = self.one_site(site)?;
        let (mut found, mut pending, mut width) = (Covariance::new(site.as_str()), Vec::new(), 0);
        each_token(Self::NAME, &self.model, batches, &site, |_, TokenRow { values, .. }| {
            width = values.len();
            pending.extend_from_slice(values);
            if pending.len() >= BLOCK * width { add(&mut found, &mut pending, width) } else { Ok(()) }
        })?;
        add(&mut found, &mut pending, width)?;
        if found.count() < 2 {
            return Err(refuse("a covariance needs at least two tokens; give longer prompts or more of them".into()));
        }
        Ok(found)
    }
}

/// Adds tokens of `width` numbers each, and takes them out of the list.
pub(super) fn add(found: &mut Covariance, tokens: &mut Vec<f32>, width: usize) -> Result<()> {
    let tokens = std::mem::take(tokens);
    if tokens.is_empty() {
        return Ok(());
    }
    let shape = [tokens.len() / width, width];
    found.add(Tensor::from_data(TensorData::new(tokens, shape), &Device::flex()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture, passes, planted};
    use arrakis_models::{Side, Tokens, TransformerConfig};

    /// `numpy.cov([[1, 2], [3, 5], [5, 2], [7, 11]], rowvar=False)` is `[[20/3, 8], [8, 18]]`, the means are 4 and 5.
    #[test]
    fn by_hand() {
        let points = [[1.0, 2.0], [3.0, 5.0], [5.0, 2.0], [7.0, 11.0]];
        let config = TransformerConfig::plain("points", 1, 2, 1, 4, 4);
        let model =
            planted(&config, |name, row, column| if name == "embed.weight" { points[row][column] } else { 0.0 });
        let tool = Superposition::new(&model).unwrap();
        let batches = [vec![0_u32, 1, 2], vec![3]];
        let (found, forwards) = passes("embed", || tool.compute_activation_covariance(batches, "embed").unwrap());
        assert_eq!(forwards, 2, "one for each batch");
        let numbers = [found.mean().to_vec(), found.covariance().unwrap().concat()].concat();
        for (a, b) in numbers.iter().zip([4.0, 5.0, 20.0 / 3.0, 8.0, 8.0, 18.0]) {
            close(*a, b, 1e-5);
        }
    }

    #[test]
    fn unequal_lengths_and_padding_give_the_covariance_of_all_tokens() {
        let tool = Superposition::new(&fixture("llama")).unwrap();
        let rows = [vec![34, 17, 29, 49], vec![82, 5], vec![61, 3, 99]];
        let site = "blocks.1.resid_post";
        let padded = Tokens::padded(&rows, Side::Left, 0).unwrap();
        let streamed = tool.compute_activation_covariance([padded], site).unwrap();
        let tokens = tool.activations(rows.to_vec(), site).unwrap();
        assert_eq!((streamed.count(), tokens.len(), streamed.mean().len()), (9, 9, 32));
        let mean = |d: usize| tokens.iter().map(|token| token[d]).sum::<f64>() / 9.0;
        let covariance = streamed.covariance().unwrap();
        for (i, j) in [(0, 0), (3, 17), (31, 2)] {
            let products = tokens.iter().map(|token| (token[i] - mean(i)) * (token[j] - mean(j)));
            close(covariance[i][j], products.sum::<f64>() / 8.0, 1e-4);
        }
    }

    #[test]
    fn one_token_has_no_covariance() {
        let tool = Superposition::new(&fixture("gpt2")).unwrap();
        let error = tool.compute_activation_covariance([[1_u32]], "embed").unwrap_err().to_string();
        assert_eq!(error, "superposition: a covariance needs at least two tokens; give longer prompts or more of them");
    }
}
