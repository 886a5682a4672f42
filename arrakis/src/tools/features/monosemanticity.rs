//! A sparse dictionary of a site: trained, judged, and looked at feature by feature.

mod effects;
mod features;
mod finite;
mod index;
mod label;
mod page;
mod recipe;
mod refuse;
mod watched;

pub use effects::LogitEffects;
pub use features::{Feature, Features};
pub use label::{Label, Where};
pub use recipe::DictionaryRecipe;

use arrakis_models::HookedTransformer;
use arrakis_models::dictionary::{Dictionary, DictionaryConfig, Init};
use arrakis_models::ground::warnings::warn_once;
use burn::tensor::Tensor;
use serde_json::json;

use super::feature_viz::ExampleSearch;
use crate::corpus::{Corpus, Covariance, Pass};
use crate::dictionary::baselines::{Basis, random_dictionary};
use crate::dictionary::metrics::Recovery;
use crate::dictionary::train::{Learner, Trained, Trainer};
use crate::dictionary::{Activations, Coder, Judgement, judge};
use crate::error::Result;
use crate::tools::Tool;
use crate::tools::observe::k_prober::{Examples, KProber, SparseProbes, sparse_probes};
use refuse::{own, refuse};

/// Features of a site: sparse directions that its activations are sums of, and what each one stands for.
///
/// # What it tells you
///
/// - [`Monosemanticity::train`]: a dictionary of a site, from a corpus.
/// - [`Monosemanticity::judge`]: how much it keeps, how sparse it is, and what it costs the model.
///   [`Monosemanticity::baselines`]: the same for directions that nobody trained.
/// - [`Monosemanticity::probes`]: how well one latent tells a label, beside neurons, components and random directions, and on
///   shuffled labels.
/// - [`Monosemanticity::features`]: for each latent the text that it is active on, the tokens that it promotes, the latents
///   that it is active with, and a name made of these. They are figures, pages, and an index of pages.
/// - [`Monosemanticity::logit_effects`]: what directions write into the logits.
///
/// Positions that a dictionary was not trained on ([`DictionaryRecipe::skip_first`]) are left out everywhere. One that was trained
/// by other means says so in its metadata: `seqpos_slice` is `[1, null]` if it left out the first token.
///
/// Dictionaries of others, loaded with
/// [`Dictionary::from_pretrained`](arrakis_models::dictionary::Dictionary), are judged and shown in the same way.
///
/// # How to read it
///
/// - Explained variance and L0 belong together: a larger L0 buys more variance. Compare with the baselines at the same L0.
/// - Loss recovered is 1 if the model loses nothing, and 0 if the output is as bad as zeros.
/// - A name is that of the tokens at or before the examples. Test it on text that the examples are not from.
///
/// # When it misleads
///
/// - The highest activations show the clearest cases. Look at the quantiles too.
/// - Another seed finds other features: see [`Seeds`](crate::dictionary::train::Seeds) before a claim about one.
/// - Logit effects are direct ones only: later layers also read the feature.
/// - A feature that can be read need not be used. Steer with it, and compare with a direction of the same length.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `train` | `epochs · batches` | `steps` |
/// | `judge` | `4 · batches` | 0 |
/// | `baselines` | `2 · batches` | 0 |
/// | `features` | `batches` | 0 |
/// | `probes`, `logit_effects` | 0 | 0 |
///
/// `batches` are those of a pass over the corpus, `epochs` how often it is read. A corpus whose activations fit the recipe's
/// memory is run once. A backward goes through the dictionary alone.
///
/// # Example
///
/// ```
/// use arrakis::corpus::Corpus;
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let tool: Monosemanticity = Bench::embedded()?.tool()?;
/// let corpus = Corpus::texts(["When Mary and John went to the store, John gave a drink to Mary", "The war lasted long"]);
/// let recipe = DictionaryRecipe::top_k(8).latents(64).steps(50);
/// let trained = tool.train(&corpus, "blocks.1.resid_post", &recipe)?;
/// println!("{}", tool.judge(&trained.dictionary, &corpus)?);
/// let features = tool.features(&trained.dictionary, &corpus, 0..64, &ExampleSearch::default())?;
/// println!("{}", features.most_active(3));
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// features.write(folder)?; // index.html and a page for each feature
/// # assert!(folder.join("index.html").exists());
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Bricken et al., "Towards Monosemanticity", 2023; Cunningham et al., <https://arxiv.org/abs/2309.08600>; architectures and
/// losses in [`dictionary`](arrakis_models::dictionary), metrics in [`metrics`](crate::dictionary::metrics).
#[derive(Clone, Debug)]
pub struct Monosemanticity {
    model: HookedTransformer,
}

impl Tool for Monosemanticity {
    const NAME: &'static str = refuse::NAME;

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl Monosemanticity {
    /// Trains a dictionary on a site's activations over a corpus, again from its start when it ends. Its metadata names the
    /// model and the site.
    ///
    /// # Errors
    ///
    /// An unknown site, one without a vector for each token, settings that are not valid, activations or losses that are not
    /// finite, and those of [`Pass::run`].
    pub fn train(&self, corpus: &Corpus, site: &str, recipe: &DictionaryRecipe) -> Result<Trained> {
        self.trained(corpus, site, recipe).map_err(own)
    }

    fn trained(&self, corpus: &Corpus, site: &str, recipe: &DictionaryRecipe) -> Result<Trained> {
        let pass = self.pass(corpus, recipe.skip_first);
        let activations =
            Activations::new(&pass, [site]).bytes(recipe.bytes).batch(recipe.batch).seed(recipe.training.seed);
        let (width, site) = (activations.widths()?[0], activations.sites()[0].clone());
        let latents = recipe.latents.unwrap_or(4 * width);
        let joins_heads = self.model.site_table().axes(&site).is_some_and(|axes| axes.len() > 3);
        let config = DictionaryConfig {
            joins_heads,
            metadata: self.model.metadata(&site).with(SLICE, json!([recipe.skip_first, null])),
            ..DictionaryConfig::autoencoder(width, latents, recipe.architecture.clone())
        };
        let dictionary = Dictionary::new(config, &Init::default(), recipe.training.seed, self.model.device())?;
        let mut learner = Learner::new(&site, dictionary, &recipe.training)?;
        if let Some(objective) = &recipe.objective {
            learner = learner.objective(objective.clone())?;
        }
        Ok(Trainer::new([learner]).run(&mut activations.stream()?)?.remove(0))
    }

    /// Judges a dictionary on a corpus, best one that it was not trained on, and runs the model with it.
    ///
    /// # Errors
    ///
    /// A dictionary that does not say its site, or one of another width; activations that are not finite, and those of
    /// [`Pass::run`].
    pub fn judge(&self, dictionary: &Dictionary, corpus: &Corpus) -> Result<Judgement> {
        self.judged(dictionary, corpus).map_err(own)
    }

    fn judged(&self, dictionary: &Dictionary, corpus: &Corpus) -> Result<Judgement> {
        let (pass, [from, into]) = (self.pass(corpus, skip_first(dictionary)), self.sites(dictionary)?);
        let mut found = judge(&pass, &from, &into, &[dictionary])?.remove(0);
        let own = dictionary.clone();
        let apply = move |x: Tensor<2>| own.apply(x).expect("BUG: the width was checked");
        found.recovery = Some(Recovery::measure(&pass, &from, &into, apply)?);
        Ok(found)
    }

    /// The same numbers, without running the model, for directions that nobody trained, each with the dictionary's L0: random
    /// ones, principal components, and the site's own coordinates. Autoencoders only.
    ///
    /// # Errors
    ///
    /// Those of [`Monosemanticity::judge`], and a transcoder.
    pub fn baselines(&self, dictionary: &Dictionary, corpus: &Corpus, l0: usize) -> Result<Vec<(String, Judgement)>> {
        self.compared(dictionary, corpus, l0).map_err(own)
    }

    fn compared(&self, dictionary: &Dictionary, corpus: &Corpus, l0: usize) -> Result<Vec<(String, Judgement)>> {
        let (pass, [from, into]) = (self.pass(corpus, skip_first(dictionary)), self.sites(dictionary)?);
        if dictionary.config.transcodes {
            return Err(refuse("the baselines reconstruct a site; give an autoencoder, not a transcoder"));
        }
        let mut covariance = Covariance::new(&from);
        pass.run(&mut [&mut finite::Finite::new(&from), &mut covariance])?;
        let (device, d_sae, mean) = (self.model.device(), dictionary.config.d_sae, covariance.mean());
        let random = random_dictionary(mean, d_sae, l0.clamp(1, d_sae), 0, device)?;
        let k = l0.clamp(1, mean.len());
        let (principal, coordinates) =
            (Basis::principal(&covariance, k, device)?, Basis::coordinates(mean, k, device)?);
        let coders: [(&str, &dyn Coder); 3] =
            [("random directions", &random), ("principal components", &principal), ("coordinates", &coordinates)];
        let found = judge(&pass, &from, &into, &coders.map(|(_, coder)| coder))?;
        Ok(coders.iter().map(|(name, _)| (*name).to_owned()).zip(found).collect())
    }

    /// How well one latent or a few tell a label, `ks` of them at a time, beside what they should beat: the activations' own
    /// coordinates (neurons), principal components, and random directions with the dictionary's L0. Each has also the
    /// accuracy on shuffled labels. `examples` are activations of the dictionary's site: see [`KProber::examples`]. The prober
    /// has the penalty, the folds, and how often labels are shuffled.
    ///
    /// # Errors
    ///
    /// Those of [`KProber::sparse`], activations of another width, fewer than two.
    pub fn probes(
        &self,
        dictionary: &Dictionary,
        prober: &KProber,
        examples: &Examples,
        ks: &[usize],
    ) -> Result<Vec<SparseProbes>> {
        let device = self.model.device();
        let x = examples.tensor(device);
        let mut covariance = Covariance::new("examples");
        covariance.add(x.clone())?;
        let active = dictionary.encode(x.clone())?.not_equal_elem(0.0).int().sum_dim(1).float().mean();
        let l0 = arrakis_models::device::read(active)?[0].round() as usize;
        let (d_sae, mean) = (dictionary.config.d_sae, covariance.mean());
        let random = random_dictionary(mean, d_sae, l0.clamp(1, d_sae), 0, device)?;
        let principal = Basis::principal(&covariance, mean.len(), device)?;
        let coders: [(&str, &dyn Coder); 3] =
            [("dictionary", dictionary), ("principal components", &principal), ("random directions", &random)];
        sparse_probes(prober, &x, examples.labels(), examples.groups(), &coders, ks)
    }

    /// Finds out what latents stand for, in one pass: examples, firing rates, logit effects, correlated latents and names.
    ///
    /// # Errors
    ///
    /// A latent that there is not, a dictionary of one head, and those of [`Monosemanticity::judge`].
    pub fn features(
        &self,
        dictionary: &Dictionary,
        corpus: &Corpus,
        latents: impl IntoIterator<Item = usize>,
        search: &ExampleSearch,
    ) -> Result<Features> {
        let skip = search.skip_first.max(skip_first(dictionary));
        let (pass, [from, _]) = (self.pass(corpus, skip), self.sites(dictionary)?);
        let latents: Vec<usize> = latents.into_iter().collect();
        features::find(&self.model, &pass, dictionary, &from, &latents, search).map_err(own)
    }

    /// The tokens whose logits latents raise and lower most by what they write directly, `k` of each, for one unit of
    /// activation and a final norm of scale 1. Each logit is relative to the mean of all.
    ///
    /// # Errors
    ///
    /// A latent that there is not, a dictionary that does not write into the stream, weights that are not finite.
    pub fn logit_effects(
        &self,
        dictionary: &Dictionary,
        latents: impl IntoIterator<Item = usize>,
        k: usize,
    ) -> Result<Vec<LogitEffects>> {
        let latents: Vec<usize> = latents.into_iter().collect();
        effects::of(&self.model, dictionary, &latents, k)
    }

    /// The sites that a dictionary reads and predicts. A dictionary of other weights than the model's is warned of.
    fn sites(&self, dictionary: &Dictionary) -> Result<[String; 2]> {
        let metadata = &dictionary.config.metadata;
        let Some(from) = metadata.site() else {
            let fix = "set `config.metadata` to `model.metadata(site)`";
            return Err(refuse(format!("the dictionary does not say which site it is of; {fix}")));
        };
        if let Some(text) = dictionary.other_weights(&self.model) {
            warn_once(&text);
        }
        let into = metadata.site_out().unwrap_or(from);
        let name = crate::corpus::site_name::full_name;
        Ok([name(from), name(into)])
    }

    fn pass<'a>(&'a self, corpus: &'a Corpus, skip_first: usize) -> Pass<'a> {
        Pass::new(&self.model, corpus).skip_first(skip_first)
    }
}

/// The positions that a dictionary was trained on, by `SAELens`'s name: `[first, end]`.
const SLICE: &str = "seqpos_slice";

/// The first positions of each window that a dictionary was not trained on.
fn skip_first(dictionary: &Dictionary) -> usize {
    let first = dictionary.config.metadata.0.get(SLICE).and_then(|slice| slice.get(0)?.as_u64());
    first.map_or(0, |first| first as usize)
}

#[cfg(test)]
mod tests;
