//! What the model would predict if it stopped at each depth.

use arrakis_models::{HookedTransformer, IntoTokens, site};
use burn::tensor::Tensor;

pub use crate::tools::shared::lens::{Candidate, Lens, TargetLens};

use crate::error::Result;
use crate::tools::shared::common;
use crate::tools::shared::lens::LensReader;
use crate::tools::{Answer, Tool};

/// The residual stream before, inside and after every block, read as logits.
///
/// # What it tells you
///
/// Which tokens the stream already favours at each depth, through the model's own final norm (scale recomputed, weight
/// and bias included), unembedding and softcap.
///
/// # How to read it
///
/// - Rows are `0_pre, 0_mid, 1_pre, …, final_post`, from the embedding to the end of the last block. The last row
///   equals the model's own logits, bit for bit.
/// - Where a token first reaches rank 0, the stream favours it over all others.
///
/// # When it misleads
///
/// - Early streams are written in a basis the unembedding was not trained to read (worst on Gemma, BLOOM, OPT). The
///   tuned lens ([`TunedLens`](crate::tools::TunedLens)) corrects for it.
/// - The model need not use what the lens can read.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `top`, `target`, `logits` | 1 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let lens: LogitLens = Bench::embedded()?.tool()?;
/// let prompt = "When Mary and John went to the store, John gave a drink to";
/// let mary = lens.target(prompt, " Mary")?;
/// for (step, ranks) in mary.rank.rows.iter().zip(&mary.rank.values) {
///     println!("{step}: rank {}", ranks[ranks.len() - 1]);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// nostalgebraist, "interpreting GPT: the logit lens", 2020.
#[derive(Clone, Debug)]
pub struct LogitLens {
    model: HookedTransformer,
}

impl Tool for LogitLens {
    const NAME: &'static str = "logit_lens";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl LogitLens {
    /// The `k` likeliest tokens at each point, `[step][pos][rank]`; ties by id.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model, more than one prompt, logits that are NaN or plus infinity.
    pub fn top(&self, prompt: impl IntoTokens, k: usize) -> Result<Lens> {
        self.reader().top(prompt, k)
    }

    /// Rank, logit and log-probability of one token at each point, averaged over prompts of one length: `[step][pos]`.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model, prompts of different lengths, an answer that is not one token of the
    /// model, logits that are NaN or plus infinity.
    pub fn target(&self, prompts: impl IntoTokens, answer: impl Into<Answer>) -> Result<TargetLens> {
        self.reader().target(prompts, answer)
    }

    /// The logits at each point by label, each `[batch, pos, d_vocab]`. All of them are kept in memory, so use the
    /// other methods for long prompts.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model.
    pub fn logits(&self, prompts: impl IntoTokens) -> Result<Vec<(String, Tensor<3>)>> {
        self.reader().logits(prompts)
    }

    fn reader(&self) -> LensReader<'_, impl Fn(usize, Tensor<3>) -> Tensor<3>> {
        LensReader { tool: Self::NAME, model: &self.model, steps: self.steps(), translate: |_, resid| resid }
    }

    /// Labels and sites from the embedding to the end. The stream leaving a block is the one entering the next.
    fn steps(&self) -> Vec<(String, String)> {
        let n_layers = self.model.config().n_layers;
        let mid = common::has(&self.model, site::resid_mid);
        let mut steps = Vec::new();
        for layer in 0..n_layers {
            steps.push((format!("{layer}_pre"), site::resid_pre(layer).to_string()));
            if mid {
                steps.push((format!("{layer}_mid"), site::resid_mid(layer).to_string()));
            }
        }
        steps.push(("final_post".to_owned(), site::resid_post(n_layers - 1).to_string()));
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model, not_finite};

    impl Readings for LogitLens {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let (lens, target) = (self.top(&cases.prompt, 1), self.target(&cases.prompt, 63));
            vec![
                Reading::table("rank", target.as_ref().map(|target| target.rank.clone())),
                Reading::table("log_prob", target.map(|target| target.log_prob)),
                Reading::panel("heatmap", lens.as_ref().map(Lens::heatmap)),
                Reading::table("entropy", lens.map(|lens| lens.entropy)),
            ]
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            vec![
                Call::new("top", || self.top(cases.first(), 1)),
                Call::new("target", || self.target(&cases.prompt, 63)),
                Call::new("logits", || self.logits(&cases.prompt)),
            ]
        }
    }

    fn bits(tensor: Tensor<3>) -> Vec<u32> {
        arrakis_models::device::read(tensor).unwrap().into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn the_induction_model_decides_in_its_last_block() {
        let tool = LogitLens::new(&induction_model()).unwrap();
        let rank = tool.target([9, 3, 5, 7, 3], 5).unwrap().rank;
        assert_eq!(rank.rows, ["0_pre", "0_mid", "1_pre", "1_mid", "final_post"]);
        assert_eq!((rank.values[0][4], rank.values[4][4]), (1.0, 0.0));
        assert_eq!(tool.top([9, 3, 5, 7, 3], 5).unwrap().top[4][4][0].token, 5);
    }

    #[test]
    fn the_last_step_is_the_models_logits_to_the_bit() {
        for name in ["gpt2", "gpt_neo", "gpt_neox", "llama"] {
            let model = fixture(name);
            let prompt = [34, 17, 29, 49, 82];
            let (label, last) = LogitLens::new(&model).unwrap().logits(prompt).unwrap().pop().unwrap();
            assert_eq!(label, "final_post");
            assert_eq!(bits(last), bits(model.forward(prompt).unwrap()), "{name}");
        }
    }

    #[test]
    fn a_rank_counts_the_strictly_larger() {
        let tool = LogitLens::new(&fixture("gpt2")).unwrap();
        let lens = tool.top([34, 17, 29], 120).unwrap();
        let best = &lens.top[6][2];
        for place in [0, 1, 119] {
            let rank = tool.target([34, 17, 29], best[place].token).unwrap().rank;
            assert_eq!(rank.values[6][2], place as f64);
        }
        close(best.iter().map(|candidate| candidate.log_prob.exp()).sum::<f64>(), 1.0, 1e-4);
        let entropy: f64 = best.iter().map(|candidate| -candidate.log_prob * candidate.log_prob.exp()).sum();
        close(entropy, lens.entropy.values[6][2], 1e-4);
    }

    #[test]
    fn a_batch_is_the_mean_of_its_prompts() {
        let tool = LogitLens::new(&fixture("gpt2")).unwrap();
        let rows = [vec![1, 2, 3], vec![4, 5, 6]];
        let both = tool.target(rows.to_vec(), 63).unwrap().log_prob;
        let each = rows.map(|row| tool.target(row, 63).unwrap().log_prob.values[3][2]);
        close(both.values[3][2], f64::midpoint(each[0], each[1]), 1e-5);
        close(both.per_prompt[3 * 3 + 2][1], each[1], 1e-5);
    }

    #[test]
    fn logits_that_are_nan_have_no_rank() {
        let error = LogitLens::new(&not_finite()).unwrap().target([1, 2], 3).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "logit_lens: a logit of `0_mid` is NaN at the end of a run whose first site that is not finite is `blocks.0."
            ),
            "{error}"
        );
    }

    #[test]
    fn a_token_out_of_range_is_named() {
        let error = LogitLens::new(&fixture("gpt2")).unwrap().target([1], 120).unwrap_err();
        assert_eq!(error.to_string(), "token 120 is out of range: there are 120, numbered from 0");
    }
}
