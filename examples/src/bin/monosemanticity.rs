//! Finds a feature of the embedded model, names it, and tests the name.
//!
//! `cargo run --bin monosemanticity` trains a dictionary of the stream after the first block, chooses a feature whose name is one first
//! name, and asks two questions on text that it was not found on. Does the name agree with a probe? And does the model take
//! another name for this one where the feature is added, more than where a random direction of the same length is?

use std::sync::OnceLock;

use arrakis::corpus::{Corpus, Pass, Samples};
use arrakis::models::device;
use arrakis::models::dictionary::Dictionary;
use arrakis::nulls;
use arrakis::prelude::*;
use arrakis::tools::features::monosemanticity::{Features, Label, Where};
use arrakis::tools::observe::k_prober::Examples;
use arrakis_recipe::text::mixture::{Mixture, Recipe};
use arrakis_recipe::text::name_mover::{Order, aligned_prompt};
use arrakis_recipe::text::templates::templates;
use arrakis_recipe::text::words::TRAIN_NAMES;
use arrakis_recipe::text::{Split, vocab};
use burn::tensor::activation;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const SITE: &str = "blocks.0.resid_post";
const LATENTS: usize = 1024;
/// Latents that are active on a token.
const ACTIVE: usize = 6;

/// A feature and its name.
struct Found {
    dictionary: Dictionary,
    features: Features,
    latent: usize,
    label: Label,
    /// The name that the feature stands for.
    token: u32,
    /// What the feature writes where it is active, on average: `[d_model]`.
    direction: Vec<f32>,
    report: String,
}

/// Text of the kind that the model was trained on, without the filling after it.
fn text(seed: u64) -> Corpus {
    let recipe = Recipe { seed, batch: 32, mixture: Mixture::default() };
    let rows = (0..24).flat_map(|step| recipe.batch(step).tokens);
    Corpus::tokens(rows.map(|row| {
        let end = row.iter().rposition(|id| *id != vocab::END_OF_TEXT_ID).map_or(1, |last| last + 1);
        row[..end].to_vec()
    }))
}

/// The feature, found once.
fn found() -> &'static Found {
    static FOUND: OnceLock<Found> = OnceLock::new();
    FOUND.get_or_init(|| find().unwrap_or_else(|error| panic!("no feature: {error}")))
}

/// Of the features that are active on one first name, the one that is active most. Nothing is chosen by the tests below.
fn find() -> Result<Found> {
    let bench = Bench::embedded()?;
    let (tool, corpus): (Monosemanticity, _) = (bench.tool()?, text(1));
    let recipe =
        DictionaryRecipe { skip_first: 1, ..DictionaryRecipe::top_k(ACTIVE).latents(LATENTS).steps(1200).lr(2e-3) };
    let dictionary = tool.train(&corpus, SITE, &recipe)?.dictionary;
    let features = tool.features(&dictionary, &corpus, 0..LATENTS, &ExampleSearch::default())?;
    let names: Vec<u32> = TRAIN_NAMES.iter().map(|name| vocab::spaced(name)).collect();
    let chosen = features.most_active(LATENTS).features.into_iter().find_map(|feature| {
        let label = feature.label.clone()?;
        let [(token, _)] = label.tokens[..] else { return None };
        (label.place == Where::On && names.contains(&token)).then_some((feature, label, token))
    });
    let (feature, label, token) =
        chosen.ok_or_else(|| Error::Value { of: "Found", problem: "no feature is active on one name alone".into() })?;
    let written = device::read(dictionary.w_dec.val().narrow(0, feature.latent, 1))?;
    let size = feature.mean_active.unwrap_or(0.0) as f32;
    let direction = written.into_iter().map(|x| x * size).collect();
    let judged = tool.judge(&dictionary, &text(2))?;
    let baselines = tool.baselines(&dictionary, &text(2), ACTIVE)?.into_iter();
    let baselines: Vec<String> = baselines
        .map(|(name, found)| format!("- {name}: explained variance {:.4}", found.explained_variance))
        .collect();
    let report = format!(
        "on held-out text the dictionary has\n{judged}beside it, with as many numbers a token:\n{}\nfeature {}, named after its \
         examples: {label}",
        baselines.join("\n"),
        feature.latent
    );
    Ok(Found { dictionary, features, latent: feature.latent, label, token, direction, report })
}

/// Agreement beyond chance of two lists of yes and no (Cohen 1960): 1 for the same, 0 for independent ones.
fn kappa(a: &[bool], b: &[bool]) -> f64 {
    let share = |of: &[bool]| of.iter().filter(|yes| **yes).count() as f64 / of.len() as f64;
    let same = a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64;
    let (a, b) = (share(a), share(b));
    let chance = a * b + (1.0 - a) * (1.0 - b);
    (same - chance) / (1.0 - chance)
}

/// Tokens of a text.
struct Sampled {
    /// Their activations, `[token][d_model]`.
    rows: Vec<Vec<f64>>,
    /// Whether the name says that the feature is active.
    named: Vec<bool>,
    /// Whether it is.
    active: Vec<bool>,
}

fn sampled(bench: &Bench, corpus: &Corpus) -> Result<Sampled> {
    let (model, found) = (bench.model(), found());
    let mut samples = Samples::new(SITE, 6000, 0);
    Pass::new(model, corpus).skip_first(1).quiet().run(&mut [&mut samples])?;
    let rows = samples.rows(model.device())?;
    let width = rows.dims()[1];
    let latents = found.dictionary.encode(rows.clone())?.narrow(1, found.latent, 1);
    let active = device::read(latents)?.into_iter().map(|latent| latent > 0.0).collect();
    let named = samples.tokens().iter().map(|drawn| found.label.says(&[drawn.token], 0)).collect();
    let rows = device::read(rows)?.chunks(width).map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect();
    Ok(Sampled { rows, named, active })
}

/// On held-out text: how far a probe for the name agrees with the name, and with the feature.
fn agreement(bench: &Bench) -> Result<[f64; 2]> {
    let Sampled { rows, named, .. } = sampled(bench, &text(1))?;
    let prober = bench.tool::<KProber>()?.folds(2).controls(0);
    let probe = prober.linear(&Examples::new(rows, named)?)?.probe;
    let Sampled { rows, named, active } = sampled(bench, &text(2))?;
    let probed: Vec<bool> = rows.iter().map(|row| probe.predict(row)).collect();
    Ok([kappa(&probed, &named), kappa(&probed, &active)])
}

/// How many nats likelier the feature's name becomes as the answer when a direction is added where another name is
/// introduced, averaged over sentences of templates that the model was not trained on.
fn steered(bench: &Bench, direction: &[f32]) -> Result<f64> {
    let (model, mut rng) = (bench.model(), ChaCha8Rng::seed_from_u64(5));
    let (mut sum, mut count) = (0.0, 0);
    for template in templates(Split::HeldOut) {
        let mut prompts = Vec::new();
        while prompts.len() < 8 {
            let prompt = aligned_prompt(&mut rng, Split::Train, template, Order::Abba);
            if prompt.answer != found().token && prompt.wrong != found().token {
                prompts.push(prompt);
            }
        }
        let (at, position) = (prompts[0].answer_pos, prompts[0].io_pos as isize);
        let tokens = Tokens::new(prompts.into_iter().map(|prompt| prompt.tokens).collect())?;
        let edit = Intervention::add(direction.to_vec(), 1.0).positions([position]);
        let likely = |logits: Tensor<3>| -> Result<Vec<f32>> {
            let last = activation::log_softmax(logits.narrow(1, at, 1), 2);
            Ok(device::read(last.narrow(2, found().token as usize, 1))?)
        };
        let (before, after) =
            (likely(model.forward(&tokens)?)?, likely(model.run_with_hooks(&tokens, [(SITE, edit)])?)?);
        sum += after.iter().zip(&before).map(|(after, before)| f64::from(after - before)).sum::<f64>();
        count += u32::try_from(before.len()).unwrap_or(u32::MAX);
    }
    Ok(sum / f64::from(count))
}

#[log_experiment]
#[test_hypothesis(
    claim = "where the feature is added, the model takes another name for the feature's, more than along random directions of its length",
    metric = "log-probability of the name with the feature added minus without, nats",
    alternative = Greater,
    null = nulls::random_directions(found().direction.clone(), steered),
    draws = 99,
    bench = Bench::embedded()
)]
fn the_feature_stands_for_its_name(bench: &Bench) -> Result<f64> {
    steered(bench, &found().direction)
}

fn main() -> Result<()> {
    let bench = Bench::embedded()?.save_dir("experiments");
    found().features.write("experiments/monosemanticity")?;
    let page = format!("experiments/monosemanticity/feature-{:06}.html", found().latent);
    println!("{}\nits page is {page}, all are in index.html beside it\n", found().report);
    let [name, feature] = agreement(&bench)?;
    println!("does the name say what is there? on held-out text a probe for the name agrees");
    println!("- with the name by κ = {name:.3} (0 by chance, 1 always)\n- with the feature by κ = {feature:.3}\n");
    println!("does the feature do what its name says?");
    the_feature_stands_for_its_name(&bench)?;
    println!("{}", bench.last().and_then(|run| run.verdict).expect("the claim was judged"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_agrees_with_a_probe_on_held_out_text() {
        let [name, feature] = agreement(&Bench::embedded().unwrap()).unwrap();
        assert!(name > 0.9 && feature > 0.7, "{name} {feature}: {}", found().report);
    }

    #[test]
    fn agreement_beyond_chance_by_hand() {
        let (t, f) = (true, false);
        assert_eq!(kappa(&[t, f, t, f], &[t, f, t, f]), 1.0);
        assert_eq!(kappa(&[t, t, f, f], &[t, f, t, f]), 0.0);
    }
}
