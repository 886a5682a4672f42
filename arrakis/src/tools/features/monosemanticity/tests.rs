use std::collections::BTreeSet;

use arrakis_models::dictionary::{Dictionary, Metadata};
use arrakis_models::{HookedAutoModel, HookedTransformer};

use super::*;
use crate::corpus::Firing;
use crate::tools::shared::cost::Call;
use crate::tools::testing::{Cases, Reading, Readings, close, fixture};

const SITE: &str = "blocks.0.resid_post";

/// An untrained dictionary of a site of the model.
fn random(model: &HookedTransformer) -> Dictionary {
    let mean = vec![0.0; model.config().d_model];
    let mut dictionary = random_dictionary(&mean, 24, 3, 1, model.device()).unwrap();
    dictionary.config.metadata = Metadata::of(model.name(), "blocks.0.hook_resid_post");
    dictionary
}

fn few() -> DictionaryRecipe {
    DictionaryRecipe::top_k(3).latents(24).steps(5)
}

fn numbers(judgement: &Judgement) -> Vec<f64> {
    vec![judgement.l0[0], judgement.explained_variance, judgement.mse, judgement.cosine]
}

impl Readings for Monosemanticity {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let corpus = Corpus::tokens(cases.prompt.ids().to_vec());
        let dictionary = random(&self.model);
        let trained = self.train(&corpus, SITE, &few());
        let baselines = self.baselines(&dictionary, &corpus, 3);
        let features = self.features(&dictionary, &corpus, 0..24, &ExampleSearch::default());
        vec![
            Reading::numbers("train", trained.map(|trained| vec![trained.history[0].loss()])),
            Reading::numbers("judge", self.judge(&dictionary, &corpus).map(|found| numbers(&found))),
            Reading::numbers(
                "baselines",
                baselines.map(|found| found.iter().flat_map(|(_, found)| numbers(found)).collect()),
            ),
            Reading::numbers(
                "features",
                features.map(|found| found.features.iter().flat_map(|own| [own.rate, own.max]).collect()),
            ),
        ]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        let corpus = || Corpus::tokens([cases.prompt.ids()[0].clone(), cases.other.ids()[0].clone()]);
        let dictionary = || random(&self.model);
        let one = [("batches", 1)];
        vec![
            Call::new("train", move || self.train(&corpus(), SITE, &few())).with([
                ("batches", 1),
                ("epochs", 1),
                ("steps", 5),
            ]),
            Call::new("judge", move || self.judge(&dictionary(), &corpus())).with(one),
            Call::new("baselines", move || self.baselines(&dictionary(), &corpus(), 3)).with(one),
            Call::new("features", move || self.features(&dictionary(), &corpus(), [1, 2], &ExampleSearch::default()))
                .with(one),
            Call::new("probes", move || {
                let width = self.model.config().d_model;
                let rows = (1..9).map(|row| (0..width).map(|at| ((at * row * 7 + row) % 13) as f64).collect());
                let examples = Examples::new(rows.collect(), (0..8).map(|at| at % 2 == 0).collect())?;
                self.probes(&dictionary(), &KProber::new(&self.model)?, &examples, &[1])
            }),
            Call::new("logit_effects", move || self.logit_effects(&dictionary(), [0], 3)),
        ]
    }
}

fn gifts() -> Corpus {
    Corpus::texts(gifts_texts())
}

fn gifts_texts() -> Vec<String> {
    let names = ["Mary", "John", "Tom", "Anna", "David", "Sarah"];
    let pairs = names.iter().flat_map(|a| names.iter().filter(move |b| *b != a).map(move |b| (a, b)));
    pairs.map(|(a, b)| format!("When {a} and {b} went to the store, {b} gave a drink to {a}")).collect()
}

#[test]
fn the_whole_loop_on_the_embedded_model() {
    let tool = Monosemanticity::new(&HookedAutoModel::embedded().unwrap()).unwrap();
    let site = "blocks.1.resid_post";
    let recipe = DictionaryRecipe { skip_first: 1, ..DictionaryRecipe::top_k(8).latents(128).steps(150) };
    let trained = tool.train(&gifts(), site, &recipe).unwrap();
    let dictionary = trained.dictionary;
    assert_eq!(dictionary.config.metadata.site(), Some(site));
    let found = tool.judge(&dictionary, &gifts()).unwrap();
    assert!(found.l0[0] <= 8.0 && found.explained_variance > 0.8, "{found}");
    assert!(found.recovery.as_ref().unwrap().loss_recovered().unwrap() > 0.8, "{found}");
    for (name, baseline) in tool.baselines(&dictionary, &gifts(), 8).unwrap() {
        assert!(baseline.explained_variance < found.explained_variance, "{name}: {baseline}{found}");
        assert!(baseline.l0[0] <= 8.0, "{name}: {baseline}");
    }
    let prober = KProber::new(&tool.model).unwrap().controls(2);
    let prompts = gifts_texts();
    let labels: Vec<bool> = prompts.iter().map(|text| text.starts_with("When Mary")).collect();
    let examples = prober.examples(site, prompts.as_slice(), 2, &labels).unwrap();
    let probes = tool.probes(&dictionary, &prober, &examples, &[1]).unwrap();
    let names: Vec<&str> = probes.iter().map(|probes| probes.name.as_str()).collect();
    assert_eq!(names, ["activations", "dictionary", "principal components", "random directions"]);
    let [own, components] = [1, 2].map(|at| &probes[at].found[0].found);
    assert!(own.accuracy > components.accuracy && own.selectivity() > 0.05, "{probes:?}");
    let features = tool.features(&dictionary, &gifts(), 0..128, &ExampleSearch::default()).unwrap();
    let best = features.most_active(20);
    let names: BTreeSet<String> = best.features.iter().map(|own| own.label.as_ref().unwrap().to_string()).collect();
    assert!(names.len() >= 6 && !names.iter().any(|name| name.contains("endoftext")), "{best}");
    let by_hand = {
        let mut firing = Firing::new("blocks.1.watched.acts");
        let (with, _) = watched::watched(&tool.model, &dictionary, site).unwrap();
        Pass::new(&with, &gifts()).skip_first(1).quiet().run(&mut [&mut firing]).unwrap();
        firing.rates().unwrap()
    };
    for own in &best.features {
        assert_eq!(own.rate, by_hand[own.latent]);
        assert!(own.max >= own.mean_active.unwrap() && own.correlated.len() == 5);
    }
}

#[test]
fn an_effect_on_logits_is_what_adding_the_direction_does_after_a_linear_end() {
    let model = fixture("gpt2");
    let tool = Monosemanticity::new(&model).unwrap();
    let effects = tool.logit_effects(&random(&model), [4, 9], 3).unwrap();
    for own in &effects {
        let direction = random(&model).w_dec.val().narrow(0, own.latent, 1);
        let norm = model.net().ln_final.as_ref().unwrap();
        let read = norm.centre(direction) * norm.weight.as_ref().unwrap().val().unsqueeze();
        let logits = crate::tools::shared::common::numbers(read.matmul(model.w_u())).unwrap();
        let mean = logits.iter().sum::<f64>() / logits.len() as f64;
        let largest = logits.iter().copied().fold(f64::MIN, f64::max);
        close(own.raised[0].2, largest - mean, 1e-5);
        let (id, _, value) = own.lowered[1];
        close(value, logits[id as usize] - mean, 1e-5);
        assert!(own.raised[0].2 >= own.raised[1].2 && own.lowered[0].2 <= own.lowered[1].2);
    }
}

#[test]
fn pages_need_no_network_and_cannot_be_broken_out_of() {
    let model = fixture("gpt2");
    let tool = Monosemanticity::new(&model).unwrap();
    let corpus = Corpus::tokens([vec![34, 17, 29, 49], vec![5, 9, 2]]);
    let search = ExampleSearch { bins: 2, ..ExampleSearch::default() };
    let mut found = tool.features(&random(&model), &corpus, 0..24, &search).unwrap();
    let busy = found.most_active(1).features[0].latent;
    found.texts.values_mut().for_each(|text| *text = "</span><script>alert(1)</script>".into());
    let page = found.page(busy).unwrap();
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;") && page.contains("Quantile 2"));
    assert!(!page.contains("http") && page.contains("index.html") && page.contains("Direct effect on logits"));
    let own = tempfile::tempdir().unwrap();
    let folder = own.path().join("new");
    found.write(&folder).unwrap();
    let index = std::fs::read_to_string(folder.join("index.html")).unwrap();
    assert_eq!((index.matches("<tr>").count(), index.matches("<script>").count()), (25, 1));
    assert!(!index.contains("http"));
    for own in &found.features {
        let name = format!("feature-{:06}.html", own.latent);
        assert!(index.contains(&name) && folder.join(name).exists());
    }
    found.figure(busy).unwrap().validate().unwrap();
}

#[test]
fn mistakes_are_named() {
    let model = fixture("gpt2");
    let tool = Monosemanticity::new(&model).unwrap();
    let corpus = Corpus::tokens([vec![1, 2, 3]]);
    let search = ExampleSearch::default();
    let said = |dictionary: &Dictionary, latent: usize| {
        tool.features(dictionary, &corpus, [latent], &search).unwrap_err().to_string()
    };
    assert_eq!(said(&random(&model), 24), "latent 24 is out of range: there are 24, numbered from 0");
    let mut unnamed = random(&model);
    unnamed.config.metadata = Metadata::default();
    assert_eq!(
        said(&unnamed, 0),
        "monosemanticity: the dictionary does not say which site it is of; set `config.metadata` to `model.metadata(site)`"
    );
    let mut other = random(&model);
    other.config.metadata = Metadata::of("gpt2", "blocks.0.mlp.hook_post");
    let width = model.config().d_model;
    assert!(
        said(&other, 0)
            .starts_with(&format!("monosemanticity: the dictionary reads {width} numbers, and `blocks.0.mlp.post`"))
    );
    let found = tool.features(&random(&model), &corpus, [0, 3], &search).unwrap();
    assert_eq!(
        found.page(1).unwrap_err().to_string(),
        "monosemanticity: latent 1 was not looked at; there are 2, among them 0, 3"
    );
    let error = tool.train(&corpus, "blocks.0.resid_pst", &few()).unwrap_err().to_string();
    assert!(error.contains("did you mean `blocks.0.resid_post`"), "{error}");
}

/// What all heads give their output matrix, as `hook_z` dictionaries have it.
#[test]
fn a_dictionary_of_heads_is_trained_judged_and_read_through_their_output() {
    let (model, site) = (fixture("gpt2"), "blocks.0.attn.z");
    let tool = Monosemanticity::new(&model).unwrap();
    let corpus = Corpus::tokens((1..9).map(|n| (0..3 * n).map(|at| (at * n * 7 + at) % 100).collect::<Vec<u32>>()));
    let trained = tool.train(&corpus, site, &few()).unwrap().dictionary;
    assert!(trained.config.joins_heads && trained.config.d_in == model.config().n_heads * model.config().d_head);
    let judged = tool.judge(&trained, &corpus).unwrap();
    assert!(judged.l0[0] <= 3.0 && judged.recovery.is_some());
    let features = tool.features(&trained, &corpus, 0..24, &ExampleSearch::default()).unwrap();
    let active: f64 = features.features.iter().map(|feature| feature.rate).sum();
    close(active, judged.l0[0], 1e-6);
    // The same directions, taken through `W_O` by hand, of a dictionary of the attention's output.
    let w_o = model.w_o(0).unwrap();
    let [heads, d_head, d_model] = w_o.dims();
    let mut out = random(&model);
    out.w_dec = burn::module::Param::from_tensor(trained.w_dec.val().matmul(w_o.reshape([heads * d_head, d_model])));
    out.config.metadata = Metadata::of(model.name(), "blocks.0.hook_attn_out");
    let expected = tool.logit_effects(&out, [5], 3).unwrap();
    let found = tool.logit_effects(&trained, [5], 3).unwrap();
    for (found, expected) in found[0].raised.iter().zip(&expected[0].raised) {
        assert_eq!(found.0, expected.0);
        close(found.2, expected.2, 1e-6);
    }
    assert_eq!(features.features[5].effects.as_ref().unwrap().raised[0].0, expected[0].raised[0].0);
}
