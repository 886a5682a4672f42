//! What the model would predict if it stopped at each depth.

use arrakis_models::{ActivationCache, HookedTransformer, IntoTokens, Tokens, site};
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::plot::Heatmap;
use crate::tools::place::{StepPosition, TokenAt};
use crate::tools::shared::{common, finite};
use crate::tools::{Answer, ScoreTable, Tool};

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
///   tuned lens, <https://arxiv.org/abs/2303.08112>, corrects for it.
/// - The model need not use what the lens can read.
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

/// A token and its likelihood at one point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The token's id.
    pub token: u32,
    /// The token's text.
    pub text: String,
    /// The token's logit, in nats.
    pub logit: f64,
    /// The token's log-probability, in nats.
    pub log_prob: f64,
}

/// The likeliest tokens at each point of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lens {
    /// `[step][pos][rank]`, likeliest first.
    pub top: Vec<Vec<Vec<Candidate>>>,
    /// Entropy of the distribution in nats, `[step][pos]`.
    pub entropy: ScoreTable<StepPosition>,
}

/// One token's rank, logit and log-probability at each point of the stream, averaged over prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetLens {
    /// The token looked for.
    pub target: u32,
    /// How many logits are strictly larger, `[step][pos]`; 0 for the likeliest token.
    pub rank: ScoreTable<StepPosition>,
    /// The logit in nats, `[step][pos]`.
    pub logit: ScoreTable<StepPosition>,
    /// The log-probability in nats, `[step][pos]`.
    pub log_prob: ScoreTable<StepPosition>,
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
        let tokens = common::one_row(Self::NAME, &self.model, prompt)?;
        let (mut steps, mut top, mut entropies) = (Vec::new(), Vec::new(), Vec::new());
        self.each_step(&tokens, |step, read| {
            let at = |(logits, log_probs): (&Vec<f64>, &Vec<f64>)| self.candidates(logits, log_probs, k);
            top.push(read.logits.iter().zip(&read.log_probs).map(at).collect());
            entropies.push(read.log_probs.iter().map(|row| entropy(row)).collect());
            steps.push(step);
            Ok(())
        })?;
        let positions = common::positions(&self.model, &tokens);
        Ok(Lens { top, entropy: ScoreTable::new(Self::NAME, "entropy (nats)", steps, positions, entropies)? })
    }

    /// Rank, logit and log-probability of one token at each point, averaged over prompts of one length: `[step][pos]`.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model, prompts of different lengths, an answer that is not one token of the
    /// model, logits that are NaN or plus infinity.
    pub fn target(&self, prompts: impl IntoTokens, answer: impl Into<Answer>) -> Result<TargetLens> {
        let target = answer.into().id(&self.model)?;
        let name = Answer::from(target).label(&self.model);
        let tokens = common::aligned(Self::NAME, &self.model, prompts)?;
        let index = target as usize;
        let (mut steps, mut ranks, mut logits, mut log_probs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        self.each_step(&tokens, |step, read| {
            ranks.extend(by_cell(&tokens, &read.logits, |row| rank(row, index)));
            logits.extend(by_cell(&tokens, &read.logits, |row| row[index]));
            log_probs.extend(by_cell(&tokens, &read.log_probs, |row| row[index]));
            steps.push(step);
            Ok(())
        })?;
        let positions = common::positions(&self.model, &tokens);
        let table = |units: String, cells: Vec<Vec<f64>>| {
            ScoreTable::of_prompts(Self::NAME, units, steps.clone(), positions.clone(), cells)
        };
        Ok(TargetLens {
            target,
            rank: table(format!("rank of {name}"), ranks)?,
            logit: table(format!("logit({name})"), logits)?,
            log_prob: table(format!("log p({name}) (nats)"), log_probs)?,
        })
    }

    /// The logits at each point by label, each `[batch, pos, d_vocab]`. All of them are kept in memory, so use the
    /// other methods for long prompts.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model.
    pub fn logits(&self, prompts: impl IntoTokens) -> Result<Vec<(String, Tensor<3>)>> {
        let tokens = prompts.into_tokens(&self.model)?;
        let steps = self.steps();
        let cache = self.model.capture(&tokens, steps.iter().map(|(_, site)| site.clone()))?;
        steps.into_iter().map(|(label, site)| Ok((label, self.unembedded(&cache, &site)?))).collect()
    }

    /// Runs once, then passes the reading of each point to `take`, in order.
    fn each_step(&self, tokens: &Tokens, mut take: impl FnMut(String, Read) -> Result<()>) -> Result<()> {
        let steps = self.steps();
        let cache = self.model.capture(tokens, steps.iter().map(|(_, site)| site.clone()))?;
        for (label, site) in steps {
            let read = Read::of(self.unembedded(&cache, &site)?)?;
            if let Some(value) = read.fault() {
                finite::check(Self::NAME, &self.model, tokens, &format!("a logit of `{label}`"), value)?;
            }
            take(label, read)?;
        }
        Ok(())
    }

    fn unembedded(&self, cache: &ActivationCache, site: &str) -> Result<Tensor<3>> {
        Ok(self.model.net().forward_unembed(cache.get(site)?))
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

    fn candidates(&self, logits: &[f64], log_probs: &[f64], k: usize) -> Vec<Candidate> {
        let candidate = |id: usize| Candidate {
            token: id as u32,
            text: common::label(&self.model, id as u32),
            logit: logits[id],
            log_prob: log_probs[id],
        };
        common::largest(logits, k).into_iter().map(candidate).collect()
    }
}

/// The reading of one point, each field `[batch * pos][d_vocab]`.
struct Read {
    logits: Vec<Vec<f64>>,
    log_probs: Vec<Vec<f64>>,
}

impl Read {
    fn of(logits: Tensor<3>) -> Result<Self> {
        let [batch, pos, d_vocab] = logits.dims();
        let logits = logits.reshape([batch * pos, d_vocab]);
        Ok(Self { log_probs: common::rows(activation::log_softmax(logits.clone(), 1))?, logits: common::rows(logits)? })
    }

    /// The first number that leaves no valid distribution. A logit of minus infinity is valid: that token cannot occur.
    fn fault(&self) -> Option<f64> {
        self.log_probs.iter().chain(&self.logits).flatten().copied().find(|x| x.is_nan() || *x == f64::INFINITY)
    }
}

/// How many logits are strictly larger.
fn rank(logits: &[f64], index: usize) -> f64 {
    logits.iter().filter(|logit| **logit > logits[index]).count() as f64
}

/// One number for each position, `[pos][prompt]`, from rows in the order of prompts.
fn by_cell(tokens: &Tokens, rows: &[Vec<f64>], read: impl Fn(&[f64]) -> f64) -> Vec<Vec<f64>> {
    let pos = tokens.pos();
    (0..pos).map(|at| (0..tokens.batch()).map(|prompt| read(&rows[prompt * pos + at])).collect()).collect()
}

/// The entropy in nats. A token of probability zero adds nothing.
fn entropy(log_probs: &[f64]) -> f64 {
    -log_probs.iter().filter(|p| **p > f64::NEG_INFINITY).map(|log_prob| log_prob.exp() * log_prob).sum::<f64>()
}

impl Lens {
    /// The likeliest token at each point, coloured by its probability, as a panel for a figure.
    pub fn heatmap(&self) -> Heatmap {
        let best = |read: fn(&Candidate) -> f64| {
            let of_step = move |step: &Vec<Vec<Candidate>>| {
                step.iter().map(|top| top.first().map_or(f64::NAN, read)).collect::<Vec<_>>()
            };
            self.top.iter().map(of_step).collect::<Vec<_>>()
        };
        let texts = self.top.iter().map(|step| {
            step.iter().map(|top| top.first().map(|best| best.text.clone()).unwrap_or_default()).collect::<Vec<_>>()
        });
        let table = ScoreTable { values: best(|best| best.log_prob.exp()), ..self.entropy.clone() };
        table.heatmap().units("probability of the likeliest token").sequential().cell_text(texts)
    }

    /// The tokens, `[pos]`.
    pub fn tokens(&self) -> &[TokenAt] {
        &self.entropy.columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!((rank(&[1.0, 1.0], 0), rank(&[1.0, 1.0], 1)), (0.0, 0.0), "neither of two tied tokens loses rank");
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
        let masked = Read { logits: vec![vec![0.0, f64::NEG_INFINITY]], log_probs: vec![vec![0.0, f64::NEG_INFINITY]] };
        assert!(
            masked.fault().is_none() && entropy(&masked.log_probs[0]) == 0.0,
            "a token that cannot occur is not a fault"
        );
    }

    #[test]
    fn a_token_out_of_range_is_named() {
        let error = LogitLens::new(&fixture("gpt2")).unwrap().target([1], 120).unwrap_err();
        assert_eq!(error.to_string(), "token 120 is out of range: there are 120, numbered from 0");
    }
}
