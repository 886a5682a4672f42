use arrakis_models::{Plan, device, site};
use burn::tensor::{Tensor, TensorData};

use super::*;
use crate::corpus::{Corpus, Pass, Unit};
use crate::tools::shared::cost::Call;
use crate::tools::testing::{Cases, Reading, Readings, VOCAB, close, fixture, induction_model};
use crate::tools::{Metric, Position};

/// The planted bigram: the neuron fires on token 5 after token 3.
const BIGRAM: [u32; 2] = [3, 5];
const CONTEXT: usize = 24;

/// The induction model with a neuron in layer 1 that reads the current token and the one before, which `L0H1` writes.
fn bigram_model() -> HookedTransformer {
    let model = induction_model();
    let mut net = model.net().clone();
    let arrakis_models::transformer::Neurons::Dense(mlp) = &mut net.blocks[1].mlp else { panic!("a dense MLP") };
    mlp.w_in.weight = mlp.w_in.weight.clone().map(|weight| {
        let [rows, columns] = weight.dims();
        let mut values = vec![0.0_f32; rows * columns];
        values[BIGRAM[1] as usize] = 1.0;
        values[VOCAB + CONTEXT + BIGRAM[0] as usize] = 1.0;
        Tensor::from_data(TensorData::new(values, [rows, columns]), &weight.device())
    });
    model.with_net(net)
}

fn viz() -> FeatureViz {
    FeatureViz::new(&bigram_model()).unwrap()
}

fn neuron() -> Unit {
    Unit::neuron(1, 0)
}

/// Every pair of tokens with the neuron's activation on the second, best first.
fn pairs() -> Vec<(f64, [u32; 2])> {
    let model = bigram_model();
    let rows: Vec<Vec<u32>> = (0..VOCAB as u32)
        .flat_map(|a| (0..VOCAB as u32).map(move |b| vec![a, b]))
        .filter(|row| row[0] != row[1])
        .collect();
    let post =
        model.capture(rows.clone(), [site::mlp_post(1)]).unwrap().activation(site::mlp_post(1)).unwrap().to_vec();
    let scored = rows.iter().zip(post.unwrap().chunks(2).map(|row| f64::from(row[1])).collect::<Vec<_>>());
    let mut scored: Vec<(f64, [u32; 2])> = scored.map(|(row, value)| (value, [row[0], row[1]])).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored
}

impl Readings for FeatureViz {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let corpus = Corpus::tokens(cases.prompt.ids().to_vec());
        let examples = self.activate_neuron(&corpus, 0, 3, 2);
        let examples = examples.map(|found| found.top.iter().map(|example| example.activation).collect());
        let search = EmbeddingSearch { length: 2, steps: 3, starts: 1, ..EmbeddingSearch::default() };
        let input = self.optimise(&Unit::neuron(0, 3), &search).map(|found| vec![found.activation, found.of_nearest]);
        let dream = DreamSearch { length: 2, rounds: 2, children: 2, fluency: vec![0.0], ..DreamSearch::default() };
        let dreams = self.dream(&Unit::neuron(0, 3), &dream).map(|found| vec![found.dreams[0].activation]);
        let between = self.interpolate(&cases.prompt, 0, [1, 2], 2.0, 3, &cases.metric);
        let line = between.as_ref().map(Interpolation::line).map_err(ToString::to_string);
        vec![
            Reading::numbers("examples", examples),
            Reading::numbers("optimise", input),
            Reading::numbers("dream", dreams),
            Reading {
                panel: line.ok().map(Into::into),
                ..Reading::numbers("interpolate", between.map(|found| found.values))
            },
        ]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        let unit = || Unit::neuron(0, 3);
        let search = EmbeddingSearch { length: 2, steps: 3, starts: 2, ..EmbeddingSearch::default() };
        let dream =
            DreamSearch { length: 2, rounds: 3, children: 600, fluency: vec![0.0, 1.0], ..DreamSearch::default() };
        vec![
            Call::new("examples", || {
                self.examples(
                    &Corpus::tokens(cases.prompt.ids().to_vec()),
                    [Unit::neuron(0, 3)],
                    &ExampleSearch::default(),
                )
            })
            .with([("batches", 1)]),
            Call::new("activate_neuron", || {
                self.activate_neuron(&Corpus::tokens(cases.prompt.ids().to_vec()), 0, 3, 2)
            })
            .with([("batches", 1)]),
            Call::new("optimise", move || self.optimise(&unit(), &search)).with([
                ("steps", 3),
                ("starts", 2),
                ("length", 2),
            ]),
            Call::new("dream", move || self.dream(&unit(), &dream)).with([
                ("weights", 2),
                ("length", 2),
                ("rounds", 3),
                ("children", 600),
            ]),
            Call::new("interpolate", || self.interpolate(cases.first(), 0, [1, 2], 2.0, 3, &cases.metric)),
        ]
    }
}

#[test]
fn the_planted_bigram_ranks_first_with_its_place_and_context() {
    let mut documents = vec![vec![1, 2, 4, 6], vec![5, 3, 7, 8], vec![9, 3, 5, 2, 0, 1], vec![7, 5, 6]];
    documents.extend((0..20).map(|at| vec![at % 12, (at + 4) % 12, (at + 9) % 12]));
    let corpus = Corpus::tokens(documents);
    let settings = ExampleSearch { k: 3, before: 2, after: 1, bins: 2, per_bin: 3, ..ExampleSearch::default() };
    let found = viz().examples(&corpus, [neuron()], &settings).unwrap();
    let best = &found.units[0].top[0];
    assert_eq!((best.document, best.position, best.at), (2, 2, 2));
    assert_eq!((best.tokens.as_slice(), found.text(best).as_str()), (&[9, 3, 5, 2][..], "93[5]2"));
    let alone = bigram_model().capture([9, 3, 5, 2, 0, 1], [site::mlp_post(1)]).unwrap();
    close(best.activation, alone.activation(site::mlp_post(1)).unwrap().to_vec().unwrap()[2], 1e-5);
    assert_eq!(found, viz().examples(&corpus, [neuron()], &settings).unwrap(), "a second pass finds the same");
    let quantiles = &found.units[0].quantiles;
    assert!(quantiles.windows(2).all(|pair| pair[0].low >= pair[1].high), "{quantiles:?}");
    let alone = viz().activate_neuron(&corpus, -1, 0, 3).unwrap();
    assert_eq!(alone.top[0].activation, best.activation);
    let mut top = crate::corpus::TopActivations::new([neuron()], 3).around(2, 1);
    Pass::new(&bigram_model(), &corpus).quiet().run(&mut [&mut top]).unwrap();
    assert_eq!(viz().of_pass(&top, 0).units[0].top, found.units[0].top);
}

#[test]
fn the_page_shows_every_example_and_needs_no_network() {
    let corpus = Corpus::tokens([vec![9, 3, 5, 2], vec![1, 2, 4, 5]]);
    let found = viz().examples(&corpus, [neuron(), Unit::head(0, 1)], &ExampleSearch::default()).unwrap();
    let figure = found.figure(0).unwrap();
    figure.validate().unwrap();
    let page = figure.to_html();
    assert!(page.contains("What activates L1N0") && page.contains("highest activations"));
    assert!(page.contains("document 0 at 2") && page.contains("document 1 at 3"));
    assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http"));
    assert!(found.to_string().starts_with("L1N0, active on "), "{found}");
    let error = found.figure(2).unwrap_err().to_string();
    assert_eq!(error, "unit 2 is out of range: there are 2, numbered from 0");
}

#[test]
fn an_optimised_input_is_at_least_as_strong_as_the_best_real_one() {
    let (best, pair) = pairs()[0];
    assert_eq!(pair, BIGRAM);
    let search = EmbeddingSearch { length: 2, ..EmbeddingSearch::default() };
    let found = viz().optimise(&neuron(), &search).unwrap();
    assert!(found.activation >= best && found.activation >= found.start, "{} {best}", found.activation);
    assert_eq!(found.nearest.iter().map(|token| token.id).collect::<Vec<_>>(), BIGRAM);
    close(found.of_nearest, best, 1e-5);
    assert!(found.gap() >= 0.0 && found.nearest.iter().all(|token| token.cosine <= 1.0 + 1e-6));
    let norm = |vector: &Vec<f32>| vector.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
    assert!(found.embeddings.iter().all(|vector| norm(vector) <= found.norm_limit + 1e-5));
    assert_eq!((found.norm_limit, found.forwards), (1.0, 100 + 1 + 2));
    assert_eq!(found, viz().optimise(&neuron(), &search).unwrap());
}

#[test]
fn a_dream_finds_the_planted_bigram() {
    let dream = DreamSearch { length: 2, fluency: vec![0.0], ..DreamSearch::default() };
    let found = viz().dream(&neuron(), &dream).unwrap();
    assert_eq!((found.dreams[0].tokens.as_slice(), found.forwards), (&BIGRAM[..], 1 + 2 * 40));
    close(found.dreams[0].activation, pairs()[0].0, 1e-5);
    // Longer prompts can also have the induction head copy token 5, so the bigram is a lower bound.
    let longer = viz().dream(&neuron(), &DreamSearch { length: 6, ..dream.clone() }).unwrap().dreams.remove(0);
    let bigram = [&longer.tokens[..4], &BIGRAM[..]].concat();
    let post = bigram_model().capture(bigram, [site::mlp_post(1)]).unwrap();
    let bigram = post.activation(site::mlp_post(1)).unwrap().to_vec().unwrap()[5];
    assert!(longer.activation >= f64::from(bigram), "{longer:?}, {bigram}");
    assert_eq!(found, viz().dream(&neuron(), &dream).unwrap());
}

#[test]
fn more_fluency_is_more_likely_and_less_active() {
    let viz = FeatureViz::new(&arrakis_models::HookedAutoModel::embedded().unwrap()).unwrap();
    let dream =
        DreamSearch { length: 4, rounds: 12, children: 16, fluency: vec![0.0, 100.0], ..DreamSearch::default() };
    let [free, fluent] = <[Dreamed; 2]>::try_from(viz.dream(&Unit::neuron(1, 7), &dream).unwrap().dreams).unwrap();
    assert!(fluent.log_prob > free.log_prob && fluent.activation <= free.activation, "{free:?}\n{fluent:?}");
    // The numbers are those of the model on the tokens.
    let prefix = viz.prefix(&dream).unwrap();
    let ids: Vec<u32> = prefix.into_iter().chain(fluent.tokens).collect();
    let tokens = arrakis_models::Tokens::new(vec![ids]).unwrap();
    let (logits, cache) = viz.model.run_with_cache(&tokens, ["mlp_post1"]).unwrap();
    let loss = device::read(viz.model.loss(logits, &tokens).unwrap()).unwrap()[0];
    close(fluent.log_prob.unwrap(), -loss, 1e-5);
    let post = cache.last().unwrap().activation("mlp_post1").unwrap().to_vec().unwrap();
    close(fluent.activation, post[7], 1e-5);
}

/// The first-order gain of a change is its slope: exact for a unit that is linear in the embeddings.
#[test]
fn gradients_match_the_change_of_a_linear_unit() {
    let model = fixture("gpt2");
    let vector: Vec<f32> = (0..model.config().d_model).map(|at| (at as f32 - 9.0) / 10.0).collect();
    let unit = Unit::direction("blocks.0.resid_pre", vector);
    let objective = objective::Objective { model: &model, unit: &unit, at: Position::LAST };
    let tokens = arrakis_models::Tokens::new(vec![vec![4, 9, 2]]).unwrap();
    let slope = objective.slopes(&tokens, None, &[0.0]).unwrap();
    let slope = device::read(slope.at_embed).unwrap();
    let table = device::read(objective::table(&model)).unwrap();
    let (rows, _) = objective.of_rows(&[vec![4, 9, 2], vec![4, 9, 30]], false).unwrap();
    let d_model = model.config().d_model;
    let gain: f32 =
        (0..d_model).map(|at| slope[2 * d_model + at] * (table[30 * d_model + at] - table[2 * d_model + at])).sum();
    close(rows[1].activation - rows[0].activation, gain, 1e-4);
}

#[test]
fn the_way_between_neurons_moves_the_mlp_along_their_rows_of_w_out() {
    let model = fixture("gpt2");
    let prompt = [34, 17, 29, 49];
    let tool = FeatureViz::new(&model).unwrap();
    let found = tool.interpolate(prompt, 1, [9, 4], 3.0, 5, &Metric::logit(7)).unwrap();
    assert_eq!(found.alphas, [0.0, 0.25, 0.5, 0.75, 1.0]);
    let w_out = device::read(model.w_out(1).unwrap()).unwrap();
    let d_model = model.config().d_model;
    for (alpha, value) in found.alphas.iter().zip(&found.values) {
        let moved: Vec<f32> = (0..d_model)
            .map(|at| 3.0 * ((1.0 - *alpha as f32) * w_out[9 * d_model + at] + *alpha as f32 * w_out[4 * d_model + at]))
            .collect();
        let edit = arrakis_models::Intervention::add(moved, 1.0).positions([-1]);
        let plan = Plan::new().edit(site::mlp_out(1), edit);
        let logits = device::read(model.run(prompt, plan).unwrap().output).unwrap();
        close(*value, logits[3 * model.config().d_vocab + 7], 1e-4);
    }
    assert!(found.kl.iter().all(|kl| *kl >= -1e-6) && found.kl[0] > 1e-6);
    assert_eq!((found.top.len(), found.top[0].len()), (5, 5));
    close(found.baseline, Metric::logit(7).values(&model, prompt).unwrap()[0], 1e-5);
}

#[test]
fn mistakes_are_named() {
    let tool = FeatureViz::new(&fixture("gpt2")).unwrap();
    let said = |error: Error| error.to_string();
    let between = |neurons, strength| tool.interpolate([1, 2], 0, neurons, strength, 3, &Metric::logit(7)).unwrap_err();
    assert_eq!(said(between([0, 128], 1.0)), "neuron 128 is out of range: there are 128, numbered from 0");
    assert_eq!(
        said(between([0, 1], 0.0)),
        "feature_viz: 3 steps at strength 0 go nowhere; give at least 2 steps, and a strength other than 0"
    );
    let dream = |dream: DreamSearch| said(tool.dream(&Unit::neuron(0, 1), &dream).unwrap_err());
    assert_eq!(
        dream(DreamSearch { length: 99, ..DreamSearch::default() }),
        "feature_viz: cannot dream 99 tokens with 32 children from 32 candidates; give 1 to 32 tokens, and at least 1 of each"
    );
    assert_eq!(
        dream(DreamSearch { fluency: vec![-1.0], ..DreamSearch::default() }),
        "feature_viz: fluency [-1.0] gives no dream; give weights of at least 0"
    );
    let search = EmbeddingSearch { length: 0, ..EmbeddingSearch::default() };
    assert_eq!(
        said(tool.optimise(&Unit::neuron(0, 1), &search).unwrap_err()),
        "feature_viz: cannot optimise 0 positions from 4 starts at rate 0.05; give 1 to 32 positions, and starts and a \
         rate above 0"
    );
    let error = said(tool.optimise(&Unit::neuron(0, 128), &EmbeddingSearch::default()).unwrap_err());
    assert_eq!(error, "entry 128 is out of range: there are 128, numbered from 0");
}
