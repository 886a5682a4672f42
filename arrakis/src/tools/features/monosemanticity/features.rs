//! What was found for each latent.

use std::collections::BTreeMap;
use std::fmt;

use arrakis_models::HookedTransformer;
use arrakis_models::dictionary::Dictionary;
use serde::{Deserialize, Serialize};

use super::effects::{self, LogitEffects};
use super::finite::Finite;
use super::label::Label;
use super::refuse::refuse;
use super::watched::watched;
use crate::corpus::{Covariance, Firing, Pass, PassReport, Reducer, TopActivations, Unit, UnitExamples};
use crate::error::Result;
use crate::fmt::short;
use crate::plot::{Bars, ColouredTokens, Figure};
use crate::tools::features::feature_viz::ExampleSearch;
use crate::tools::shared::common;

/// Tokens raised and lowered that are kept.
const LOGITS: usize = 10;
/// Correlated latents that are kept.
const NEIGHBOURS: usize = 5;
/// Dictionaries with more latents have no correlations: they would take `8 d_sae²` bytes.
const MOST_CORRELATED: usize = 2048;

/// What was found for some latents of a dictionary, with the text of the tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Features {
    /// The model.
    pub model: String,
    /// The site that the dictionary reads.
    pub site: String,
    /// Number of latents of the dictionary.
    pub d_sae: usize,
    /// Each latent that was asked for, in that order.
    pub features: Vec<Feature>,
    /// The text of each token that occurs.
    pub texts: BTreeMap<u32, String>,
    /// What the pass did.
    pub report: PassReport,
}

/// A latent: when it is active, what it writes, and what it is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The latent.
    pub latent: usize,
    /// The share of tokens on which it is active, from 0 to 1.
    pub rate: f64,
    /// Its largest activation.
    pub max: f64,
    /// Its mean activation where it is active; `None` if it never is.
    pub mean_active: Option<f64>,
    /// The highest activations, and draws from all quantiles.
    pub examples: UnitExamples,
    /// What it writes into the logits directly; `None` if it does not write into the stream.
    pub effects: Option<LogitEffects>,
    /// Latents whose activations go with its own, and their correlations over tokens, largest size first. Empty for
    /// dictionaries of more than 2048 latents.
    pub correlated: Vec<(usize, f64)>,
    /// Its name; `None` if it is never active.
    pub label: Option<Label>,
}

pub(super) fn find(
    model: &HookedTransformer,
    pass: &Pass<'_>,
    dictionary: &Dictionary,
    site: &str,
    latents: &[usize],
    search: &ExampleSearch,
) -> Result<Features> {
    let d_sae = dictionary.config.d_sae;
    latents.iter().try_for_each(|latent| common::within("latent", *latent, d_sae))?;
    if latents.is_empty() {
        return Err(refuse("no latent is named; give some, such as `0..64`"));
    }
    check_width(model, dictionary, site)?;
    let (with, acts) = watched(model, dictionary, site)?;
    let units = latents.iter().map(|latent| Unit::entry(&acts, *latent));
    let top = TopActivations::new(units, search.k).around(search.before, search.after);
    let mut top = top.drawn(search.bins * search.per_bin, search.seed);
    let (mut firing, mut covariance) = (Firing::new(&acts), Covariance::new(&acts));
    let mut finite = Finite::new(site);
    let mut reducers: Vec<&mut dyn Reducer> = vec![&mut finite, &mut top, &mut firing];
    if d_sae <= MOST_CORRELATED {
        reducers.push(&mut covariance);
    }
    let report = pass.of(&with).run(&mut reducers)?;
    let examples = top.examples(search.bins);
    let texts = texts(model, &examples);
    let effects = effects_of(model, dictionary, latents)?;
    let (rates, means) = (firing.rates()?, firing.means_when_active());
    let covariance = if covariance.count() > 1 { covariance.covariance()? } else { Vec::new() };
    let feature = |((latent, examples), effects): ((&usize, UnitExamples), Option<LogitEffects>)| Feature {
        latent: *latent,
        rate: rates[*latent],
        max: firing.max()[*latent],
        mean_active: means[*latent],
        label: Label::of(&examples, &texts),
        examples,
        effects,
        correlated: correlated(&covariance, *latent),
    };
    let features = latents.iter().zip(examples).zip(effects).map(feature).collect();
    Ok(Features { model: model.name().to_owned(), site: site.to_owned(), d_sae, features, texts, report })
}

fn check_width(model: &HookedTransformer, dictionary: &Dictionary, site: &str) -> Result<()> {
    use arrakis_models::site::Extent;
    arrakis_models::Plan::new().capture(site).check(&model.sites())?;
    let width: usize = model.site_table().dims(model.config(), site, Extent::new(1, 1)).iter().product();
    if width == dictionary.config.d_in {
        return Ok(());
    }
    Err(refuse(format!("the dictionary reads {} numbers, and `{site}` has {width}", dictionary.config.d_in)))
}

fn effects_of(
    model: &HookedTransformer,
    dictionary: &Dictionary,
    latents: &[usize],
) -> Result<Vec<Option<LogitEffects>>> {
    if !effects::writes(model, dictionary) {
        return Ok(vec![None; latents.len()]);
    }
    Ok(effects::of(model, dictionary, latents, LOGITS)?.into_iter().map(Some).collect())
}

fn texts(model: &HookedTransformer, examples: &[UnitExamples]) -> BTreeMap<u32, String> {
    let all = examples
        .iter()
        .flat_map(|unit| unit.top.iter().chain(unit.quantiles.iter().flat_map(|quantile| &quantile.examples)));
    let mut ids: Vec<u32> = all.flat_map(|example| example.tokens.iter().copied()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| (id, common::label(model, id))).collect()
}

/// The latents with the largest correlations, by size.
fn correlated(covariance: &[Vec<f64>], latent: usize) -> Vec<(usize, f64)> {
    let Some(row) = covariance.get(latent).filter(|row| row[latent] > 0.0) else { return Vec::new() };
    let correlation = |other: usize| {
        let spread = (row[latent] * covariance[other][other]).sqrt();
        if other == latent || spread <= 0.0 { 0.0 } else { row[other] / spread }
    };
    let all: Vec<f64> = (0..row.len()).map(correlation).collect();
    let sizes: Vec<f64> = all.iter().map(|correlation| correlation.abs()).collect();
    let best = common::largest(&sizes, NEIGHBOURS).into_iter().filter(|other| sizes[*other] > 0.0);
    best.map(|other| (other, all[other])).collect()
}

impl Features {
    /// The same with the `count` features whose mean activation, over all tokens, is largest.
    #[must_use]
    pub fn most_active(&self, count: usize) -> Self {
        let mut kept: Vec<&Feature> = self.features.iter().collect();
        kept.sort_by(|a, b| b.mean().total_cmp(&a.mean()).then(a.latent.cmp(&b.latent)));
        Self { features: kept.into_iter().take(count).cloned().collect(), ..self.clone() }
    }

    /// A feature by its latent.
    ///
    /// # Errors
    ///
    /// A latent that was not asked for.
    pub fn feature(&self, latent: usize) -> Result<&Feature> {
        let found = self.features.iter().find(|feature| feature.latent == latent);
        found.ok_or_else(|| {
            let have: Vec<String> = self.features.iter().take(8).map(|feature| feature.latent.to_string()).collect();
            refuse(format!(
                "latent {latent} was not looked at; there are {}, among them {}",
                self.features.len(),
                have.join(", ")
            ))
        })
    }

    /// A feature as a figure: its examples coloured by its activation, what it does to logits, and its correlated latents.
    ///
    /// # Errors
    ///
    /// A latent that was not asked for, and one that is never active.
    pub fn figure(&self, latent: usize) -> Result<Figure> {
        let feature = self.feature(latent)?;
        let Some(label) = &feature.label else {
            return Err(refuse(format!("latent {latent} is never active on this text, so it has no picture")));
        };
        let subtitle = format!("{} at {}, active on {:.3} % of tokens", self.model, self.site, 100.0 * feature.rate);
        let mut figure = Figure::new(format!("Feature {latent}: {label}")).subtitle(subtitle).columns(1);
        figure.push(self.passages("highest activations", feature, &feature.examples.top));
        for (at, quantile) in feature.examples.quantiles.iter().enumerate() {
            let title = format!("quantile {}: {} to {}", at + 1, short(quantile.low), short(quantile.high));
            figure.push(self.passages(&title, feature, &quantile.examples));
        }
        if let Some(effects) = &feature.effects {
            let lowered = effects.lowered.iter().rev();
            let bars = effects.raised.iter().chain(lowered).map(|(_, text, logit)| (format!("{text:?}"), *logit));
            figure.push(Bars::new(bars).titled("direct effect on logits").axes("token", "logits for one unit"));
        }
        if !feature.correlated.is_empty() {
            let bars = feature.correlated.iter().map(|(latent, correlation)| (*latent, *correlation));
            figure.push(Bars::new(bars).titled("correlated latents").axes("latent", "correlation over tokens"));
        }
        Ok(figure)
    }

    fn passages(&self, title: &str, feature: &Feature, examples: &[crate::corpus::Example]) -> ColouredTokens {
        let panel = examples.iter().fold(ColouredTokens::default(), |panel, example| {
            let label =
                format!("{} (document {} at {}):", short(example.activation), example.document, example.position);
            let tokens = example.tokens.iter().map(|id| self.texts[id].replace('\n', "↵"));
            panel.passage(label, tokens, example.activations.iter().copied())
        });
        panel.titled(title).units("activation").limits(0.0, feature.max.max(f64::MIN_POSITIVE))
    }
}

impl Feature {
    /// Its mean activation over all tokens.
    pub fn mean(&self) -> f64 {
        self.rate * self.mean_active.unwrap_or(0.0)
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for feature in &self.features {
            let Feature { latent, rate, max, label, .. } = feature;
            let label = label.as_ref().map_or_else(|| "never active".to_owned(), ToString::to_string);
            writeln!(f, "{latent:>6}  {:>8.3} %  up to {:>8}  {label}", 100.0 * rate, short(*max))?;
        }
        writeln!(f, "{}", self.report)
    }
}
