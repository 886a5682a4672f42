//! All numbers of a dictionary in one pass, and of the baselines beside it.

use std::fmt;

use arrakis_models::dictionary::Dictionary;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::metrics::{Coded, DecoderCosines, Density, ExplainedVariance, Faithfulness, Recovery, Sparsity};
use crate::corpus::site_name::full_name;
use crate::corpus::{Batch, Pass, Reducer, State};
use crate::error::Result;
use crate::fmt::short;

/// Anything that makes latents of activations, and activations of latents.
pub trait Coder {
    /// Latents `[token, d_sae]` and output `[token, d_out]` of activations `[token, d_in]`, in the units of the site.
    ///
    /// # Errors
    ///
    /// Activations of another width.
    fn code(&self, x: Tensor<2>) -> Result<(Tensor<2>, Tensor<2>)>;

    /// What one unit of each latent writes, `[d_sae, d_out]`, in the units of the site.
    fn directions(&self) -> Tensor<2>;

    /// A digest of everything that decides what it gives. A pass that goes on from a file, or in parts, goes on with the same one.
    ///
    /// # Errors
    ///
    /// A device that fails.
    fn fingerprint(&self) -> Result<String>;
}

impl Coder for Dictionary {
    fn code(&self, x: Tensor<2>) -> Result<(Tensor<2>, Tensor<2>)> {
        Ok((self.encode(x.clone())?, self.apply(x)?))
    }

    fn directions(&self) -> Tensor<2> {
        Self::directions(self)
    }

    fn fingerprint(&self) -> Result<String> {
        Ok(Self::fingerprint(self)?)
    }
}

/// The numbers of a dictionary over a corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Tokens.
    pub tokens: u64,
    /// Mean active latents, and their spread over tokens.
    pub l0: [f64; 2],
    /// Mean sum of the latents' sizes, in their units.
    pub l1: f64,
    /// The share of the variance that is kept.
    pub explained_variance: f64,
    /// Mean squared distance of a token, in squared units of the site.
    pub mse: f64,
    /// Mean `‖x̂‖ / ‖x‖`.
    pub l2_ratio: f64,
    /// `E‖x̂‖² / E(x · x̂)`.
    pub relative_bias: f64,
    /// Mean cosine of output and target.
    pub cosine: f64,
    /// The firing rate of each latent, `[d_sae]`.
    pub rates: Vec<f64>,
    /// Latents that never fired on these tokens.
    pub silent: usize,
    /// The mean cosine of a direction with the nearest one; `None` for a single latent.
    pub nearest_cosine: Option<f64>,
    /// What the dictionary costs the model; `None` if it was not run with it.
    pub recovery: Option<Recovery>,
}

/// A reducer that judges a dictionary.
pub struct Judge<'a> {
    coder: &'a dyn Coder,
    from: String,
    into: String,
    sums: Sums,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    sparsity: Sparsity,
    variance: ExplainedVariance,
    faithfulness: Faithfulness,
    density: Density,
}

impl Sums {
    fn join(&mut self, other: &Self) {
        self.sparsity.join(&other.sparsity);
        self.variance.join(&other.variance);
        self.faithfulness.join(&other.faithfulness);
        self.density.join(&other.density);
    }
}

impl<'a> Judge<'a> {
    /// Of a dictionary that reads one site and predicts another; for an autoencoder they are one.
    pub fn new(coder: &'a dyn Coder, from: &str, into: &str) -> Self {
        Self { coder, from: full_name(from), into: full_name(into), sums: Sums::default() }
    }

    /// What was found.
    ///
    /// # Errors
    ///
    /// No token was seen, activations that do not vary, a decoder that is not finite.
    pub fn judgement(&self) -> Result<Judgement> {
        let Sums { sparsity, variance, faithfulness, density } = &self.sums;
        let (rates, directions) = (density.rates()?, self.coder.directions());
        let several = directions.dims()[0] > 1;
        Ok(Judgement {
            tokens: density.tokens(),
            l0: [sparsity.l0()?, sparsity.l0_spread()?],
            l1: sparsity.l1()?,
            explained_variance: variance.share()?,
            mse: variance.mse()?,
            l2_ratio: faithfulness.l2_ratio()?,
            relative_bias: faithfulness.relative_bias()?,
            cosine: faithfulness.cosine()?,
            silent: rates.iter().filter(|rate| **rate == 0.0).count(),
            rates,
            nearest_cosine: several.then(|| DecoderCosines::of(directions)).transpose()?.map(|found| found.mean()),
            recovery: None,
        })
    }

    /// Takes in activations and their targets, `[token, d]`.
    ///
    /// # Errors
    ///
    /// Those of [`Coder::code`] and of [`Coded::new`].
    pub fn add(&mut self, x: Tensor<2>, target: Tensor<2>) -> Result<()> {
        let (latents, output) = self.coder.code(x)?;
        let coded = Coded::new(target, output, latents)?;
        self.sums.sparsity.add(&coded);
        self.sums.variance.add(&coded);
        self.sums.faithfulness.add(&coded);
        self.sums.density.add(&coded);
        Ok(())
    }
}

impl Reducer for Judge<'_> {
    fn name(&self) -> String {
        let coder = self.coder.fingerprint().unwrap_or_else(|error| format!("what cannot be read: {error}"));
        format!("judge of {coder} from {} into {}", self.from, self.into)
    }

    fn sites(&self) -> Vec<String> {
        vec![self.from.clone(), self.into.clone()]
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        // A number that is not finite is named with its document.
        batch.rows(&self.from)?;
        batch.rows(&self.into)?;
        self.add(batch.tensor(&self.from)?, batch.tensor(&self.into)?)
    }

    fn state(&self) -> Result<State> {
        State::of(&self.sums)
    }

    fn restore(&mut self, state: State) -> Result<()> {
        self.sums = state.data()?;
        Ok(())
    }

    fn is_joinable(&self) -> bool {
        self.sums.density.tokens() == 0
    }

    fn join(&mut self, state: State) -> Result<()> {
        self.sums.join(&state.data()?);
        Ok(())
    }
}

/// Judges several dictionaries of one site in one pass, without running the model with them.
///
/// # Errors
///
/// Those of [`Pass::run`] and of [`Judge::judgement`].
pub fn judge(pass: &Pass<'_>, from: &str, into: &str, coders: &[&dyn Coder]) -> Result<Vec<Judgement>> {
    let mut judges: Vec<Judge<'_>> = coders.iter().map(|coder| Judge::new(*coder, from, into)).collect();
    let mut reducers: Vec<&mut dyn Reducer> = judges.iter_mut().map(|judge| judge as &mut dyn Reducer).collect();
    pass.run(&mut reducers)?;
    judges.iter().map(Judge::judgement).collect()
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens, l0: [l0, spread], explained_variance, silent, rates, cosine, .. } = self;
        writeln!(f, "{tokens} tokens, {} latents of which {silent} never fired", rates.len())?;
        writeln!(f, "L0 {} ± {}", short(*l0), short(*spread))?;
        writeln!(f, "explained variance {}, cosine {}", short(*explained_variance), short(*cosine))?;
        let Some(recovery) = &self.recovery else { return Ok(()) };
        let said = |found: Result<f64>| found.map_or_else(|error| error.to_string(), short);
        writeln!(f, "loss recovered {}", said(recovery.loss_recovered()))?;
        writeln!(f, "divergence recovered {}", said(recovery.divergence_recovered()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Corpus;
    use crate::dictionary::baselines::random_dictionary;
    use crate::tools::testing::close;
    use arrakis_models::ground::shard::{Parts, Role, Shard};
    use arrakis_models::{HookedAutoModel, TransformerConfig};

    const SITE: &str = "blocks.1.resid_post";

    #[test]
    fn one_pass_judges_several_as_each_by_hand() {
        let model = HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap();
        let documents: Vec<Vec<u32>> = (1..9).map(|n| (0..2 * n).map(|at| (at * n * 7 + at) % 20).collect()).collect();
        let corpus = Corpus::tokens(documents.clone());
        let own = [3, 4].map(|seed| random_dictionary(&[0.1; 12], 20, 3, seed, model.device()).unwrap());
        let pass = Pass::new(&model, &corpus).batch_tokens(20).quiet();
        let found = judge(&pass, "resid_post1", "blocks.1.hook_resid_post", &[&own[0], &own[1]]).unwrap();
        for (dictionary, found) in own.iter().zip(&found) {
            let mut by_hand = Judge::new(dictionary, SITE, SITE);
            for ids in &documents {
                let x: Tensor<3> = model.capture(ids, [SITE]).unwrap().get(SITE).unwrap();
                let x = x.reshape([ids.len(), 12]);
                by_hand.add(x.clone(), x).unwrap();
            }
            let expected = by_hand.judgement().unwrap();
            assert_eq!((found.tokens, found.l0, &found.rates), (72, expected.l0, &expected.rates));
            close(found.explained_variance, expected.explained_variance, 1e-6);
            close(found.nearest_cosine.unwrap(), expected.nearest_cosine.unwrap(), 1e-12);
            assert!(found.l0[0] <= 3.0 && found.to_string().starts_with("72 tokens, 20 latents of which "));
        }
        assert_ne!(found[0].mse, found[1].mse);
        let names = own.each_ref().map(|coder| Judge::new(coder, SITE, SITE).name());
        assert_ne!(names[0], names[1], "a pass that goes on must tell dictionaries of one size apart");
        let said = judge(&pass, "blocks.1.mlp.post", SITE, &[&own[0]]).unwrap_err().to_string();
        assert!(said.contains("`d_in` should be 12 long, is 48"), "{said}");
    }

    #[test]
    fn a_judge_of_any_number_of_shards_has_the_bits_of_one_machine() {
        let model = HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap();
        let documents = (1..30).map(|n| (0..2 + n % 13).map(|at| (at * n * 7 + at) % 20).collect::<Vec<u32>>());
        let (corpus, own) =
            (Corpus::tokens(documents), random_dictionary(&[0.1; 12], 20, 3, 3, model.device()).unwrap());
        let pass = || Pass::new(&model, &corpus).batch_tokens(16).quiet();
        let run = |judge: &mut Judge<'_>| pass().run(&mut [judge]);
        let mut whole = Judge::new(&own, SITE, SITE);
        assert!(run(&mut whole).unwrap().forwards > 7);
        for of in [1, 2, 3, 7] {
            let job = tempfile::tempdir().unwrap();
            for shard in Shard::all(of) {
                let folder = job.path().join(shard.folder());
                std::fs::create_dir_all(&folder).unwrap();
                let parts = Parts::new(Role::One(shard), job.path(), folder.join("1.jsonl")).of_program("test");
                let said = parts.within(|| run(&mut Judge::new(&own, SITE, SITE))).unwrap_err().to_string();
                assert!(
                    said.starts_with(&format!("this is shard {shard}: its part of a corpus pass is kept")),
                    "{said}"
                );
            }
            let all = Parts::new(Role::All(of), job.path(), job.path().join("1.jsonl")).of_program("test");
            let mut merged = Judge::new(&own, SITE, SITE);
            all.within(|| run(&mut merged)).unwrap();
            assert_eq!(merged.state().unwrap(), whole.state().unwrap(), "{of} shards");
            assert_eq!(merged.judgement().unwrap(), whole.judgement().unwrap());
        }
    }
}
