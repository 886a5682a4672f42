//! Matryoshka: a batch-top-k dictionary whose every prefix also reconstructs, so that general features come first and are
//! not absorbed by special ones.
//!
//! Source: Bussmann et al., <https://arxiv.org/abs/2503.17547>.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::batch_top_k::BatchTopK;
use super::encoder::{Encoder, Loss, Pre, check_coefficient};
use crate::dictionary::aux_k::AuxK;
use crate::dictionary::loss::{Losses, Term, squared_error, term};
use crate::dictionary::parameters::Parameters;
use crate::dictionary::pass::{Encoded, Pass};
use crate::error::{Error, Result};
use crate::kernels::{self, Slopes};

/// A batch-top-k encoder with nested widths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matryoshka {
    /// What is active.
    #[serde(flatten)]
    pub top: BatchTopK,
    /// How many latents each prefix has, ascending. The last is all of them.
    pub widths: Vec<usize>,
}

impl Encoder for Matryoshka {
    fn check(&self, d_sae: usize) -> Result<()> {
        let ascend = self.widths.windows(2).all(|pair| pair[0] < pair[1]) && self.widths.first() != Some(&0);
        if !ascend || self.widths.last() != Some(&d_sae) {
            let fix = format!("give ascending widths from 1, of which the last is {d_sae}");
            return Err(Error::Setting { setting: "widths", value: format!("{:?}", self.widths), fix });
        }
        self.top.check(d_sae)
    }

    fn pre(&self, parameters: &Parameters, x: Tensor<2>) -> Pre {
        self.top.pre(parameters, x)
    }

    fn activate(&self, parameters: &Parameters, pre: Pre) -> Tensor<2> {
        self.top.activate(parameters, pre)
    }

    fn rescaled(&self, parameters: &Parameters, acts: Tensor<2>) -> Tensor<2> {
        self.top.rescaled(parameters, acts)
    }
}

/// The squared error of every prefix, and the dead latents' term. Terms: `mse_loss` (all latents),
/// `inner_mse_loss_{width}`, `auxiliary_reconstruction_loss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatryoshkaLoss {
    /// Factors of the squared errors, one for each width; empty: 1 each, as in `SAELens`. With `1/n` each it is their
    /// mean.
    pub weights: Vec<f64>,
    /// What dead latents are trained on.
    pub aux: Option<AuxK>,
    /// Whether the dead latents of each level predict what its prefix leaves over, instead of what all leave over.
    pub aux_by_level: bool,
}

/// Weights of 1 and `SAELens`'s term for dead latents.
impl Default for MatryoshkaLoss {
    fn default() -> Self {
        Self { weights: Vec::new(), aux: Some(AuxK::sae_lens()), aux_by_level: false }
    }
}

impl Loss for MatryoshkaLoss {
    type Of = Matryoshka;

    fn check(&self, of: &Matryoshka, _: usize) -> Result<()> {
        if !self.weights.is_empty() && self.weights.len() != of.widths.len() {
            let fix = format!("there are {} widths; give a weight for each, or none", of.widths.len());
            return Err(Error::Setting { setting: "weights", value: format!("{:?}", self.weights), fix });
        }
        self.weights.iter().try_for_each(|weight| check_coefficient("weights", *weight))?;
        self.aux.as_ref().map_or(Ok(()), AuxK::check)
    }

    fn revives(&self) -> bool {
        self.aux.is_some()
    }

    fn losses(&self, of: &Matryoshka, pass: &Pass<'_>) -> Losses {
        let pass = &pass.compared(of.top.rescale_acts_by_decoder_norm);
        let pre_acts = pass.parameters.pre_acts(pass.x.clone());
        let acts = of.top.of_batch(pre_acts.clone());
        let prefixes = prefixes(of, pass, &acts);
        let reconstruction = prefixes.last().expect("BUG: the widths were checked").clone();
        let mut terms = self.errors(of, pass, &prefixes);
        if let Some(aux) = &self.aux {
            let value = if self.aux_by_level {
                by_level(aux, of, pass, &pre_acts, &prefixes)
            } else {
                aux.loss(pass, &pre_acts, &reconstruction)
            };
            terms.push(term("auxiliary_reconstruction_loss", value));
        }
        Encoded { pre_acts, acts }.losses(reconstruction, terms)
    }
}

impl MatryoshkaLoss {
    fn errors(&self, of: &Matryoshka, pass: &Pass<'_>, prefixes: &[Tensor<2>]) -> Vec<Term> {
        let levels = of.widths.iter().zip(prefixes).enumerate().rev();
        let last = of.widths.len() - 1;
        levels
            .map(|(level, (width, prefix))| {
                let weight = self.weights.get(level).copied().unwrap_or(1.0);
                let name = if level == last { "mse_loss".to_owned() } else { format!("inner_mse_loss_{width}") };
                term(name, squared_error(prefix.clone(), pass.target.clone()) * weight)
            })
            .collect()
    }
}

/// The latents from one width to the next.
fn levels(of: &Matryoshka) -> impl Iterator<Item = (usize, usize)> + '_ {
    let starts = std::iter::once(0).chain(of.widths.iter().copied());
    starts.zip(&of.widths).map(|(start, end)| (start, end - start))
}

/// The reconstruction of every prefix, `[rows, d_out]`.
fn prefixes(of: &Matryoshka, pass: &Pass<'_>, acts: &Tensor<2>) -> Vec<Tensor<2>> {
    let rows = acts.dims()[0];
    let bias = pass.parameters.b_dec.clone().unsqueeze::<2>().expand([rows, pass.target.dims()[1]]);
    let mut sum = pass.parameters.skipped(bias, pass.x.clone());
    let mut found = Vec::new();
    for (start, length) in levels(of) {
        let decoder = pass.parameters.w_dec.clone().narrow(0, start, length);
        sum = sum + kernels::decode(acts.clone().narrow(1, start, length), decoder, None, Slopes::Active);
        found.push(pass.undo.apply(sum.clone()));
    }
    found
}

/// The sum over levels of the dead latents' term, each for the residual of its prefix.
fn by_level(aux: &AuxK, of: &Matryoshka, pass: &Pass<'_>, pre_acts: &Tensor<2>, prefixes: &[Tensor<2>]) -> Tensor<1> {
    let decoder = pass.parameters.w_dec.clone();
    let mut sum = Tensor::zeros([1], &pre_acts.device());
    for ((start, length), prefix) in levels(of).zip(prefixes) {
        let residual = (pass.target.clone() - prefix.clone()).detach();
        let dead = pass.dead.get(start..start + length).unwrap_or_default();
        let own = pre_acts.clone().narrow(1, start, length);
        let own_decoder = decoder.clone().narrow(0, start, length);
        let write = |acts: Tensor<2>| kernels::decode(acts, own_decoder, None, Slopes::Active);
        sum = sum + aux.of_residual(pass, dead, &own, residual, write);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::Objective;
    use crate::dictionary::testing::{batch, close, read, tiny};

    fn of(widths: &[usize]) -> Matryoshka {
        let top = BatchTopK { k: 2.0, rescale_acts_by_decoder_norm: false, threshold: 0.0 };
        Matryoshka { top, widths: widths.to_vec() }
    }

    /// `dictionary_learning` weighs by 1/G and takes the mean, which divides by G twice.
    #[test]
    fn even_weights_give_the_mean_of_the_prefixes_errors() {
        let dictionary = tiny(of(&[1, 2]), [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]);
        let losses = |weights: &[f64]| {
            let objective = MatryoshkaLoss { weights: weights.to_vec(), ..MatryoshkaLoss::default() };
            dictionary.losses(&Objective::from(objective), &batch([[3.0, 2.0], [-1.0, 4.0]])).unwrap()
        };
        // The first latent alone leaves 2² and 1 + 4², both together leave 0 and 1.
        let one = losses(&[]);
        close(&read(one.term("inner_mse_loss_1").unwrap().clone()), &[10.5]);
        close(&read(one.term("mse_loss").unwrap().clone()), &[0.5]);
        close(&read(one.total()), &[11.0]);
        close(&read(losses(&[0.5, 0.5]).total()), &[5.5]);
    }

    #[test]
    fn widths_must_ascend_to_all_latents() {
        for widths in [&[][..], &[2, 1], &[1], &[0, 2], &[1, 1, 2]] {
            let error = of(widths).check(2).unwrap_err().to_string();
            assert_eq!(error, format!("`widths` is {widths:?}: give ascending widths from 1, of which the last is 2"));
        }
        let loss = MatryoshkaLoss { weights: vec![1.0], ..MatryoshkaLoss::default() };
        let error = loss.check(&of(&[1, 2]), 2).unwrap_err().to_string();
        assert_eq!(error, "`weights` is [1.0]: there are 2 widths; give a weight for each, or none");
    }
}
