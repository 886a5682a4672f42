//! Whether a label can be read from the activations at a site, by a linear probe or by one that reads few neurons.

mod examples;
mod folds;
mod latents;
mod probe;
mod probed;
mod ranking;
mod refuse;

pub use examples::Examples;
pub use latents::{SparseProbes, sparse_probes};
pub use probe::Probe;
pub use probed::Probed;
pub use ranking::Ranking;

use arrakis_models::{HookedTransformer, IntoTokens, SitePattern, Tokens};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::plot::{Line, Series};
use crate::tools::shared::finite;
use crate::tools::{Position, Tool};
use probed::Settings;
use ranking::{mean_differences, strongest};
use refuse::refuse;

/// Probes: logistic regression of a label on the activations at a site.
///
/// # What it tells you
///
/// - [`KProber::linear`]: how well a linear function of all features predicts the label of prompts it was not trained on.
/// - [`KProber::sparse`]: the same with only `k` features, such as the neurons of `mlp.post`.
/// - [`sparse_probes`]: the same on latents of dictionaries, beside baselines.
///
/// A label is true or false. For more classes, probe each against the others.
///
/// Collect the activations with [`KProber::examples`] and put examples that belong together into groups
/// ([`Examples::grouped`]). Features are standardised with the mean and the standard deviation of the training examples,
/// then weights are fitted with an L2 penalty.
///
/// # How to read it
///
/// - [`Probed::accuracy`] is over folds: each group is tested by a probe that did not see it.
/// - [`Probed::selectivity`] is the accuracy minus that on shuffled labels. A probe that fits anything has none.
/// - An accuracy that one or a few neurons already reach speaks for a dedicated neuron; one that needs many speaks for a
///   direction.
///
/// # When it misleads
///
/// - A label that can be read need not be used by the model. Ablate [`Probe::direction`] to see.
/// - Without groups, prompts of one template or with one name are on both sides of a split, and the accuracy is that of
///   remembering them.
/// - With more features than examples, training accuracy is always high; look at the held-out one.
/// - The control shuffles labels over examples. Hewitt and Liang's control tasks give each word type a random label
///   instead; a split by groups rules out what they measure, remembering word types.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `examples` | 1 | 0 |
/// | `linear`, `sparse` | 0 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let prober: KProber = Bench::embedded()?.tool()?;
/// let names = ["Mary", "John", "Anna", "Tom", "Emma", "Mark"];
/// let prompts: Vec<String> = names.iter().map(|name| format!("When {name} and Kate went to the store")).collect();
/// let labels = [true, false, true, false, true, false];
/// let at_name = prober.examples("blocks.1.resid_pre", prompts.as_slice(), 1, &labels)?;
/// let found = prober.folds(3).linear(&at_name)?;
/// println!("accuracy {:.2}, {:+.2} over shuffled labels", found.accuracy, found.selectivity());
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Alain and Bengio, <https://arxiv.org/abs/1610.01644>; selectivity: Hewitt and Liang,
/// <https://arxiv.org/abs/1909.03368>; k-sparse probes: Gurnee et al., <https://arxiv.org/abs/2305.01610>, section 3.
#[derive(Clone, Debug)]
pub struct KProber {
    model: HookedTransformer,
    settings: Settings,
}

impl Tool for KProber {
    const NAME: &'static str = refuse::NAME;

    fn new(model: &HookedTransformer) -> Result<Self> {
        let settings = Settings { c: 1.0, folds: 5, controls: 5, seed: 0 };
        Ok(Self { model: model.clone(), settings })
    }
}

/// A probe that reads `k` features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KSparse {
    /// The number of features.
    pub k: usize,
    /// Its accuracy, and the probe on all examples with the features it reads.
    pub found: Probed,
}

impl KProber {
    /// The inverse strength of the L2 penalty, as scikit-learn's `C`: the factor on the sum of losses. The default is 1.
    #[must_use]
    pub fn c(&self, c: f64) -> Self {
        self.with(Settings { c, ..self.settings })
    }

    /// The number of folds. The default is 5; there are never more than groups.
    #[must_use]
    pub fn folds(&self, folds: usize) -> Self {
        self.with(Settings { folds, ..self.settings })
    }

    /// The number of times that labels are shuffled for the control. The default is 5; 0 leaves the control out.
    #[must_use]
    pub fn controls(&self, controls: usize) -> Self {
        self.with(Settings { controls, ..self.settings })
    }

    /// The seed of splits and shuffles. The default is 0.
    #[must_use]
    pub fn seed(&self, seed: u64) -> Self {
        self.with(Settings { seed, ..self.settings })
    }

    fn with(&self, settings: Settings) -> Self {
        Self { model: self.model.clone(), settings }
    }

    /// The activations of one site at one position of each prompt, with a label for each prompt. Axes after the position
    /// (heads, neurons) are flattened, in order.
    ///
    /// Every prompt is a group of its own; see [`Examples::grouped`]. Join examples from other sources with
    /// [`Examples::new`].
    ///
    /// # Errors
    ///
    /// A prompt that does not fit the model, an unknown site, more than one site, a site without an axis of positions, a
    /// position out of range, labels that do not fit, numbers that are not finite.
    pub fn examples(
        &self,
        at: impl Into<SitePattern>,
        prompts: impl IntoTokens,
        position: impl Into<Position>,
        labels: &[bool],
    ) -> Result<Examples> {
        let tokens = prompts.into_tokens(&self.model)?;
        Examples::new(self.features(at.into(), &tokens, position.into())?, labels.to_vec())
    }

    /// A probe on all features.
    ///
    /// # Errors
    ///
    /// Settings that are not valid, fewer than two groups, a training split with one label only, a fit that does not
    /// converge.
    pub fn linear(&self, examples: &Examples) -> Result<Probed> {
        self.check(examples)?;
        Probed::of(examples, self.settings, |rows, _| (0..rows[0].len()).collect())
    }

    /// Probes on `k` features each, in the order of `ks`. Each fold chooses its features from its training examples.
    ///
    /// # Errors
    ///
    /// Those of [`KProber::linear`], and a `k` that is 0 or more than the number of features.
    pub fn sparse(
        &self,
        examples: &Examples,
        ks: impl IntoIterator<Item = usize>,
        ranking: Ranking,
    ) -> Result<Vec<KSparse>> {
        self.check(examples)?;
        let of_k = |k: usize| {
            if k == 0 || k > examples.width() {
                let problem = format!("k is {k}; give 1 to {}, the number of features", examples.width());
                return Err(refuse(problem));
            }
            let found = Probed::of(examples, self.settings, |rows, labels| self.chosen(rows, labels, k, ranking))?;
            Ok(KSparse { k, found })
        };
        ks.into_iter().map(of_k).collect()
    }

    /// Held-out accuracy by `k`, with that on shuffled labels.
    pub fn curve(found: &[KSparse]) -> Line {
        let series = |name: &str, read: fn(&Probed) -> f64| {
            Series::new(
                name,
                found.iter().map(|sparse| sparse.k as f64),
                found.iter().map(|sparse| read(&sparse.found)),
            )
        };
        Line::new("features read", "held-out accuracy")
            .series(series("probe", |found| found.accuracy))
            .series(series("shuffled labels", |found| found.control))
    }

    fn chosen(&self, rows: &[&[f64]], labels: &[bool], k: usize, ranking: Ranking) -> Vec<usize> {
        let differences = || mean_differences(rows, labels);
        let values = match ranking {
            Ranking::MeanDifference => differences(),
            Ranking::Weight => {
                let all: Vec<usize> = (0..rows[0].len()).collect();
                // Labels of one kind are refused by the fit on the chosen features.
                Probe::fit(rows, labels, &all, self.settings.c).map_or_else(|_| differences(), |probe| probe.weights)
            }
        };
        strongest(&values, k)
    }

    fn check(&self, examples: &Examples) -> Result<()> {
        let Settings { c, folds, .. } = self.settings;
        if !(c.is_finite() && c > 0.0) {
            return Err(refuse(format!("`c` is {c}; give a positive number")));
        }
        if folds < 2 {
            return Err(refuse(format!("{folds} folds leave nothing to test on; give at least 2")));
        }
        if examples.groups.iter().all(|group| *group == examples.groups[0]) {
            return Err(refuse("all examples are in one group, so none is left to test on; give at least two groups"));
        }
        Ok(())
    }

    /// `[prompt][feature]` at one position.
    fn features(&self, at: SitePattern, tokens: &Tokens, position: Position) -> Result<Vec<Vec<f64>>> {
        let positions = position.of(tokens)?;
        let cache = self.model.capture(tokens, [at])?;
        let mut sites = cache.iter();
        let (Some((site, activation)), None) = (sites.next(), sites.next()) else {
            return Err(refuse(format!("a probe reads one site, got {}; name one", cache.iter().count())));
        };
        let dims = activation.dims();
        if dims.len() < 3 || dims[..2] != [tokens.batch(), tokens.pos()] {
            return Err(refuse(format!("`{site}` has no axis of positions after the batch; choose another site")));
        }
        let width: usize = dims[2..].iter().product();
        let values: Vec<f64> = activation.to_vec()?.into_iter().map(f64::from).collect();
        let row = |(row, at): (usize, &usize)| {
            let start = (row * tokens.pos() + at) * width;
            values[start..start + width].to_vec()
        };
        let rows: Vec<Vec<f64>> = positions.iter().enumerate().map(row).collect();
        finite::check_all(Self::NAME, &self.model, tokens, &format!("a number of `{site}`"), &rows.concat())?;
        Ok(rows)
    }
}

#[cfg(test)]
mod tests;
