//! What the model would say if it stopped here.

use arrakis_models::{ActivationCache, HookedTransformer, IntoTokens, Tokens, site};
use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::tools::shared::common;
use crate::tools::{ScoreTable, Tool};

/// Tokens a lens names at each point.
const TOP: usize = 5;

/// The residual stream before, inside and after every block, read as logits.
///
/// *What it tells you*: which tokens the stream already favours at each depth, through the model's own final
/// norm (scale recomputed, weight and bias included), unembedding and softcap. *How to read it*: rows are
/// `0_pre, 0_mid, 1_pre, …, final_post` from the embedding to the model's own logits, which the last row
/// equals to the bit; a token that climbs to rank 0 has been decided there. *When it misleads*: early streams
/// are written in a basis the unembedding was not trained to read (worst on Gemma, BLOOM, OPT; the tuned lens,
/// <https://arxiv.org/abs/2303.08112>, corrects for it), and what is readable need not be what is used.
/// *Source*: nostalgebraist, "interpreting GPT: the logit lens", 2020.
#[derive(Clone, Debug)]
pub struct LogitLens {
    model: HookedTransformer,
}

/// A token and how likely it is at one point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id.
    pub token: u32,
    /// Its text.
    pub text: String,
    /// Its logit.
    pub logit: f32,
    /// Its log-probability, in nats.
    pub log_prob: f32,
}

/// The likeliest tokens at each point of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lens {
    /// Each token's text, `[pos]`.
    pub tokens: Vec<String>,
    /// `0_pre, 0_mid, …, final_post`, `[step]`.
    pub labels: Vec<String>,
    /// `[step][pos][rank]`, likeliest first.
    pub top: Vec<Vec<Vec<Candidate>>>,
    /// Entropy of the distribution in nats, `[step][pos]`.
    pub entropy: Vec<Vec<f32>>,
}

/// One token's standing at each point of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetLens {
    /// Each token's text, `[pos]`.
    pub tokens: Vec<String>,
    /// `0_pre, 0_mid, …, final_post`, `[step]`.
    pub labels: Vec<String>,
    /// The token looked for.
    pub target: u32,
    /// How many logits are strictly larger, `[step][pos]`; 0 is the favourite.
    pub rank: Vec<Vec<usize>>,
    /// `[step][pos]`
    pub logit: Vec<Vec<f32>>,
    /// In nats, `[step][pos]`
    pub log_prob: Vec<Vec<f32>>,
}

impl Tool for LogitLens {
    const NAME: &'static str = "logit_lens";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl LogitLens {
    /// The five likeliest tokens at each point.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit, or more than one prompt.
    pub fn lens(&self, prompt: impl IntoTokens) -> Result<Lens> {
        self.lens_top(prompt, TOP)
    }

    /// The `k` likeliest tokens at each point; ties by id.
    ///
    /// # Errors
    ///
    /// As [`LogitLens::lens`].
    pub fn lens_top(&self, prompt: impl IntoTokens, k: usize) -> Result<Lens> {
        let tokens = common::one_row(Self::NAME, &self.model, prompt)?;
        let mut lens = Lens {
            tokens: common::labels(&self.model, &tokens),
            labels: Vec::new(),
            top: Vec::new(),
            entropy: Vec::new(),
        };
        self.each_step(&tokens, |label, logits| {
            let (logits, log_probs) = by_position(logits)?;
            lens.labels.push(label);
            lens.top.push(
                logits
                    .iter()
                    .zip(&log_probs)
                    .map(|(logits, log_probs)| self.candidates(logits, log_probs, k))
                    .collect(),
            );
            lens.entropy.push(log_probs.iter().map(|row| entropy(row)).collect());
            Ok(())
        })?;
        Ok(lens)
    }

    /// Rank, logit and log-probability of one token at each point.
    ///
    /// # Errors
    ///
    /// As [`LogitLens::lens`], and a token out of range.
    pub fn target(&self, prompt: impl IntoTokens, target: u32) -> Result<TargetLens> {
        common::check_token(&self.model, target)?;
        let tokens = common::one_row(Self::NAME, &self.model, prompt)?;
        let index = target as usize;
        let texts = common::labels(&self.model, &tokens);
        let mut lens = TargetLens {
            tokens: texts,
            labels: Vec::new(),
            target,
            rank: Vec::new(),
            logit: Vec::new(),
            log_prob: Vec::new(),
        };
        self.each_step(&tokens, |label, logits| {
            let (logits, log_probs) = by_position(logits)?;
            lens.labels.push(label);
            lens.rank.push(logits.iter().map(|row| row.iter().filter(|logit| **logit > row[index]).count()).collect());
            lens.logit.push(logits.iter().map(|row| row[index]).collect());
            lens.log_prob.push(log_probs.iter().map(|row| row[index]).collect());
            Ok(())
        })?;
        Ok(lens)
    }

    /// Logits `[batch, pos, d_vocab]` at each point, by label. All are kept: for long prompts use the other methods.
    ///
    /// # Errors
    ///
    /// A prompt that does not fit.
    pub fn logits(&self, prompt: impl IntoTokens) -> Result<Vec<(String, Tensor<3>)>> {
        let tokens = prompt.into_tokens(&self.model)?;
        let mut steps = Vec::new();
        self.each_step(&tokens, |label, logits| {
            steps.push((label, logits));
            Ok(())
        })?;
        Ok(steps)
    }

    /// Runs once, then hands over the logits of one point after the other.
    fn each_step(&self, tokens: &Tokens, mut take: impl FnMut(String, Tensor<3>) -> Result<()>) -> Result<()> {
        let steps = self.steps();
        let cache = self.model.capture(tokens, steps.iter().map(|(_, site)| site.clone()))?;
        steps.into_iter().try_for_each(|(label, site)| take(label, self.read(&cache, &site)?))
    }

    fn read(&self, cache: &ActivationCache, site: &str) -> Result<Tensor<3>> {
        Ok(self.model.net().forward_unembed(cache.get(site)?))
    }

    /// Labels and sites from the embedding to the end; the stream leaving a block is the one entering the next.
    fn steps(&self) -> Vec<(String, String)> {
        let n_layers = self.model.config().n_layers;
        let mid = common::has(&self.model, "resid_mid");
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

    fn candidates(&self, logits: &[f32], log_probs: &[f32], k: usize) -> Vec<Candidate> {
        let candidate = |id: usize| Candidate {
            token: id as u32,
            text: common::label(&self.model, id as u32),
            logit: logits[id],
            log_prob: log_probs[id],
        };
        common::largest(logits, k).into_iter().map(candidate).collect()
    }
}

/// `[pos][d_vocab]`
type Rows = Vec<Vec<f32>>;

/// Logits and log-probabilities of the first row, `[pos][d_vocab]` each.
fn by_position(logits: Tensor<3>) -> Result<(Rows, Rows)> {
    let [batch, pos, d_vocab] = logits.dims();
    let logits = logits.reshape([batch * pos, d_vocab]);
    Ok((common::rows(logits.clone())?, common::rows(activation::log_softmax(logits, 1))?))
}

fn entropy(log_probs: &[f32]) -> f32 {
    -log_probs.iter().filter(|log_prob| log_prob.is_finite()).map(|log_prob| log_prob.exp() * log_prob).sum::<f32>()
}

impl Lens {
    /// The likeliest token at each point, coloured by its probability: a panel for a figure.
    pub fn heatmap(&self) -> crate::plot::Heatmap {
        let first = |step: &Vec<Vec<Candidate>>, read: fn(&Candidate) -> String| {
            step.iter().map(|top| top.first().map(read).unwrap_or_default()).collect::<Vec<_>>()
        };
        let probabilities = self.top.iter().map(|step| {
            step.iter()
                .map(|top| top.first().map_or(f64::NAN, |best| f64::from(best.log_prob).exp()))
                .collect::<Vec<_>>()
        });
        let map = crate::plot::Heatmap::new(probabilities)
            .rows("stream", &self.labels)
            .columns("position", &self.tokens)
            .units("probability of the likeliest token");
        map.sequential().cell_text(self.top.iter().map(|step| first(step, |best| best.text.clone())))
    }
}

impl TargetLens {
    /// Log-probability in nats, `[step][pos]`.
    pub fn table(&self) -> ScoreTable {
        ScoreTable {
            units: format!("log p({}) (nats)", self.target),
            row_axis: "stream".into(),
            column_axis: "position".into(),
            row_labels: self.labels.clone(),
            col_labels: self.tokens.clone(),
            values: self.log_prob.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture, induction_model};

    fn bits(tensor: Tensor<3>) -> Vec<u32> {
        arrakis_models::device::read(tensor).unwrap().into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn the_induction_model_decides_in_its_last_block() {
        let tool = LogitLens::new(&induction_model()).unwrap();
        let lens = tool.target([9, 3, 5, 7, 3], 5).unwrap();
        assert_eq!(lens.labels, ["0_pre", "0_mid", "1_pre", "1_mid", "final_post"]);
        assert_eq!((lens.rank[0][4], lens.rank[4][4]), (1, 0));
        assert_eq!(tool.lens([9, 3, 5, 7, 3]).unwrap().top[4][4][0].token, 5);
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
        let lens = tool.lens_top([34, 17, 29], 120).unwrap();
        let best = &lens.top[6][2];
        for rank in [0, 1, 119] {
            assert_eq!(tool.target([34, 17, 29], best[rank].token).unwrap().rank[6][2], rank);
        }
        close(best.iter().map(|candidate| candidate.log_prob.exp()).sum(), 1.0, 1e-4);
        close(
            best.iter().map(|candidate| -candidate.log_prob * candidate.log_prob.exp()).sum(),
            lens.entropy[6][2],
            1e-4,
        );
    }

    #[test]
    fn a_token_out_of_range_is_named() {
        let error = LogitLens::new(&fixture("gpt2")).unwrap().target([1], 120).unwrap_err();
        assert_eq!(error.to_string(), "token 120 is out of range: there are 120, numbered from 0");
    }
}
