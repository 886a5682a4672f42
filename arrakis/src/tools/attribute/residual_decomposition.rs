//! The residual stream as a sum of named parts.

mod feature_attribution;
mod residuals;
mod stack;

pub use residuals::Residuals;
pub use stack::ResidStack;

use arrakis_models::{HookedTransformer, IntoTokens, site};
use burn::tensor::Tensor;

use crate::error::{Error, Result};
use crate::tools::Tool;
use crate::tools::shared::stream::Stream;
use crate::tools::shared::{common, finite};

/// What each component writes into the residual stream, as tensors.
///
/// # What it tells you
///
/// The stream at any depth as a sum of named parts (embeddings, attention and MLP of each block, single heads,
/// accumulated biases), or the stream itself at each depth.
///
/// # How to read it
///
/// - Decompositions are [`ResidStack`]s: `[component, batch, pos, d_model]`, with a label for each component.
/// - They sum to the stream exactly, so a linear projection of the stream is the sum of its projected parts.
/// - [`ResidualDecomposition::feature_attribution`] is the gradient of a metric times the stream, feature by feature.
/// - A depth is given as a layer and means the stream entering it. `-1` means the stream leaving the last block.
///
/// # When it misleads
///
/// - A large part may be cancelled by a later one.
/// - [`Residuals::logit_attrs`] leaves out the final norm's own weight, as `TransformerLens` does. Fold it in first, or
///   use [`DirectLogitAttribution`](crate::tools::DirectLogitAttribution).
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `run` | 1 | 0 |
/// | `feature_attribution` | 1 | 1 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let decomposition: ResidualDecomposition = Bench::embedded()?.tool()?;
/// let run = decomposition.run("When Mary and John went to the store,")?;
/// let moved = run.movement("blocks.0.resid_pre", "blocks.0.resid_post")?;
/// println!("the first block moves the last position by {:.2} of its length", moved[0][moved[0].len() - 1]);
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; definitions of `TransformerLens` 2.18's
/// `ActivationCache`.
#[derive(Clone, Debug)]
pub struct ResidualDecomposition {
    model: HookedTransformer,
}

/// Which parts of the blocks [`Residuals::decompose_resid`] lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parts {
    /// Attention and MLP.
    #[default]
    All,
    /// Attention only.
    Attn,
    /// MLP only.
    Mlp,
}

/// Where [`Residuals::accumulated_resid`] reads the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depths {
    /// Before each block.
    Blocks,
    /// Before each block, and between attention and MLP where blocks are not parallel.
    #[default]
    BlocksAndMiddles,
}

/// What [`Residuals::stack_head_results`] lists after the heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remainder {
    /// Nothing.
    #[default]
    Without,
    /// A last component, `remainder`: everything that no head wrote.
    With,
}

/// The norm that [`Residuals::apply_ln`] applies to components.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NormBefore {
    /// The final norm, before the unembedding.
    #[default]
    Unembedding,
    /// The norm before a layer's attention.
    Attention(usize),
    /// The norm before a layer's MLP.
    Mlp(usize),
}

impl Tool for ResidualDecomposition {
    const NAME: &'static str = "residual_decomposition";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl ResidualDecomposition {
    /// Runs the model once and keeps what decompositions need.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model, an architecture whose stream is not a sum (the error says why), a stream
    /// that is not finite.
    pub fn run(&self, prompts: impl IntoTokens) -> Result<Residuals> {
        let tokens = prompts.into_tokens(&self.model)?;
        let stream = Stream::run(Self::NAME, &self.model, tokens, [])?;
        let last: Tensor<3> = stream.cache.get(site::resid_post(stream.n_layers() - 1))?;
        finite::check(Self::NAME, &self.model, &stream.tokens, "the stream", common::number(last.abs().sum())?)?;
        Ok(Residuals { stream })
    }
}

fn refuse(problem: String) -> Error {
    Error::Tool { tool: ResidualDecomposition::NAME, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model};
    use arrakis_models::device;

    const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

    impl Readings for ResidualDecomposition {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let run = self.run(&cases.prompt);
            let stack = |run: Result<Residuals>| common::numbers(run?.full_decomposition(-1)?.sum());
            let moved = run.as_ref().map_err(ToString::to_string);
            let moved = moved.and_then(|run| {
                let moved = run.movement("blocks.0.resid_pre", "blocks.0.resid_post");
                moved.map(|moved| moved.concat()).map_err(|error| error.to_string())
            });
            let features = self.feature_attribution(&cases.prompt, &cases.metric);
            let features = features.and_then(|found| common::numbers(found.values));
            vec![
                Reading::numbers("movement", moved),
                Reading::numbers("full_decomposition", stack(run)),
                Reading::numbers("feature_attribution", features),
            ]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            vec![
                Call::new("run", || self.run(&cases.prompt)?.full_decomposition(-1)),
                Call::new("feature_attribution", || self.feature_attribution(&cases.prompt, &cases.metric)),
            ]
        }
    }

    fn apart(a: Tensor<3>, b: Tensor<3>) -> f32 {
        device::read((a - b).abs().max()).unwrap()[0]
    }

    #[test]
    fn the_planted_copy_head_writes_its_token() {
        let run = ResidualDecomposition::new(&induction_model()).unwrap().run([3, 5, 7, 3]).unwrap();
        let written =
            device::read(run.stack_head_results(-1, Remainder::Without).unwrap().component("L1H0").unwrap()).unwrap();
        let last = &written[3 * 48..];
        let (best, _) = last.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        assert_eq!(best, 5);
    }

    #[test]
    fn every_decomposition_sums_to_the_stream() {
        for name in ["gpt2", "gpt_neo", "gpt_neox", "llama"] {
            let run = ResidualDecomposition::new(&fixture(name)).unwrap().run(PROMPT).unwrap();
            let stream = run.accumulated_resid(-1, Depths::BlocksAndMiddles).unwrap();
            let whole = stream.component("final_post").unwrap();
            close(apart(run.decompose_resid(-1, Parts::All).unwrap().sum(), whole.clone()), 0.0, 1e-5);
            close(apart(run.stack_head_results(-1, Remainder::With).unwrap().sum(), whole.clone()), 0.0, 1e-5);
            close(apart(run.full_decomposition(-1).unwrap().sum(), whole), 0.0, 1e-5);
            let entering = stream.component("1_pre").unwrap();
            close(apart(run.full_decomposition(1).unwrap().sum(), entering), 0.0, 1e-5);
        }
    }

    #[test]
    fn a_stream_does_not_move_between_a_site_and_itself() {
        let run = ResidualDecomposition::new(&fixture("llama")).unwrap().run(PROMPT).unwrap();
        assert_eq!(run.movement("blocks.0.resid_post", "blocks.1.resid_pre").unwrap(), [[0.0; 5]]);
        assert!(run.movement("blocks.0.resid_pre", "blocks.0.resid_post").unwrap()[0].iter().all(|moved| *moved > 0.0));
    }

    #[test]
    fn mistakes_are_named() {
        let run = ResidualDecomposition::new(&fixture("gpt2")).unwrap().run(PROMPT).unwrap();
        let stack = run.decompose_resid(-1, Parts::All).unwrap();
        assert_eq!(
            stack.component("1_atn_out").unwrap_err().to_string(),
            "residual_decomposition: no component `1_atn_out`; did you mean `1_attn_out`?"
        );
        assert_eq!(
            run.accumulated_resid(4, Depths::Blocks).unwrap_err().to_string(),
            "layer 4 is out of range: there are 4, numbered from 0"
        );
    }
}
