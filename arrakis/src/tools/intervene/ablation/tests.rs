use arrakis_models::{Plan, device};
use burn::tensor::Tensor;

use super::*;
use crate::hypothesis::Correction;
use crate::tools::PromptTest;
use crate::tools::shared::cost::Call;
use crate::tools::testing::{Cases, Reading, Readings, close, fixture, induction_model};

const PROMPT: [u32; 6] = [34, 17, 29, 49, 82, 17];

impl Readings for Ablation {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let kinds = [AblationKind::Zero, AblationKind::Mean, AblationKind::DatasetMean(cases.prompt.clone())];
        let heads = kinds.map(|kind| {
            Reading::table("heads", self.heads(&cases.prompt, &cases.metric, kind).map(|found| found.change()))
        });
        let neurons = self.neurons(&cases.prompt, 0, [0], &cases.metric, AblationKind::Zero);
        let layers = self.layers(&cases.prompt, &cases.metric, optimal(2));
        let positions = self.positions(&cases.prompt, StreamSite::MlpOut, &cases.metric, AblationKind::Zero);
        let kept = || [HeadAt::new(0, 0), HeadAt::new(1, 1).at(-1)];
        let numbers = |found: Result<Together>| found.map(|found| vec![found.baseline, found.value]);
        let together = self.together(&cases.prompt, kept(), &cases.metric, AblationKind::Zero);
        let all_but = self.all_but(&cases.prompt, kept(), &cases.metric, AblationKind::Zero);
        let others = [
            Reading::numbers("together", numbers(together)),
            Reading::numbers("all_but", numbers(all_but)),
            Reading::table("neurons", neurons.map(|found| found.change())),
            Reading::table("layers", layers.map(|found| found.change())),
            Reading::table("positions", positions.map(|found| found.change())),
        ];
        heads.into_iter().chain(others).collect()
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        let layers = self.model.config().n_layers;
        let heads = |kind: AblationKind| Call::new("heads", move || self.heads(&cases.prompt, &cases.metric, kind));
        let mixture = crate::tools::testing::checkpoint("parity/mixtral");
        let config = mixture.config().clone();
        vec![
            heads(AblationKind::Zero).of_kind("Zero"),
            heads(AblationKind::Scale(0.5)).of_kind("Scale"),
            heads(AblationKind::Mean).of_kind("Mean"),
            heads(AblationKind::DatasetMean(cases.other.clone())).of_kind("DatasetMean"),
            heads(AblationKind::PositionMean(cases.other.clone())).of_kind("PositionMean"),
            heads(AblationKind::Resample { from: cases.other.clone(), seed: 0 }).of_kind("Resample"),
            heads(optimal(2)).of_kind("Optimal").with([
                ("sites", layers),
                ("parts", self.model.config().n_heads),
                ("steps", 2),
            ]),
            Call::new("neurons", || self.neurons(&cases.prompt, 0, 0..5, &cases.metric, AblationKind::Zero))
                .of_kind("Zero")
                .with([("neurons", 5)]),
            Call::new("layers", || self.layers(&cases.prompt, &cases.metric, optimal(2))).of_kind("Optimal").with([
                ("sites", 2 * layers),
                ("parts", 1),
                ("steps", 2),
            ]),
            Call::new("positions", || {
                self.positions(&cases.prompt, StreamSite::MlpOut, &cases.metric, AblationKind::Zero)
            })
            .of_kind("Zero")
            .at_most(),
            Call::new("experts", move || {
                Ablation::new(&mixture)?.experts(&cases.prompt, &cases.metric, AblationKind::Zero)
            })
            .of_kind("Zero")
            .with([("layers", config.n_layers), ("experts", config.experts.unwrap().count)])
            .at_most(),
            Call::new("together", || {
                let heads = [HeadAt::new(0, 0), HeadAt::new(1, 1).at(-1)];
                self.together(&cases.prompt, heads, &cases.metric, AblationKind::PositionMean(cases.other.clone()))
            })
            .of_kind("PositionMean"),
            Call::new("all_but", || self.all_but(&cases.prompt, [HeadAt::new(0, 0).at(0)], &cases.metric, optimal(2)))
                .of_kind("Optimal")
                .with([("sites", layers), ("parts", self.model.config().n_heads), ("steps", 2)]),
            Call::new("intervention", || {
                self.intervention(&cases.prompt, site::z(0), &AblationKind::DatasetMean(cases.other.clone()))
            })
            .of_kind("DatasetMean"),
        ]
    }
}

#[test]
fn silencing_either_planted_head_loses_the_answer() {
    let tool = Ablation::new(&induction_model()).unwrap();
    let metric = Metric::logit_diff(5, 7);
    let change = tool.heads([3, 5, 7, 3], &metric, AblationKind::Zero).unwrap().change();
    let mut lost: Vec<String> = change.lowest(2).into_iter().map(|score| score.label).collect();
    lost.sort();
    assert_eq!(lost, ["L0H1", "L1H0"]);
    assert_eq!((change.values[0][0], change.values[1][1]), (0.0, 0.0));
}

#[test]
fn a_silenced_head_is_a_zeroed_slice_of_w_o() {
    for name in ["gpt2", "llama"] {
        let model = fixture(name);
        let found = Ablation::new(&model).unwrap().heads(PROMPT, &Metric::logit(7), AblationKind::Zero).unwrap();
        let mut net = model.net().clone();
        let d_head = model.config().d_head;
        net.blocks[1].attn.w_o.weight = net.blocks[1].attn.w_o.weight.clone().map(|w| {
            let [_, d_model] = w.dims();
            w.slice_assign([2 * d_head..3 * d_head, 0..d_model], Tensor::zeros([d_head, d_model], model.device()))
        });
        let logits = model.with_net(net).forward(PROMPT).unwrap();
        let silenced = found.values.get(&Head { layer: 1, head: 2 }).unwrap();
        close(silenced, device::read(logits).unwrap()[5 * 120 + 7], 1e-5);
    }
}

#[test]
fn a_neuron_scaled_by_one_changes_nothing_and_by_zero_is_ablated() {
    let tool = Ablation::new(&fixture("llama")).unwrap();
    let found = |kind| tool.neurons(PROMPT, 0, [3], &Metric::logit(7), kind).unwrap();
    assert_eq!(found(AblationKind::Scale(1.0)).change().values, [[0.0]]);
    assert_eq!(found(AblationKind::Scale(0.0)).values, found(AblationKind::Zero).values);
}

#[test]
fn a_scaled_neuron_moves_the_mlp_along_its_row_of_w_out() {
    let model = fixture("gpt2");
    let read =
        |cache: &arrakis_models::ActivationCache, site: &str| device::read(cache.get::<3>(site).unwrap()).unwrap();
    let (_, clean) = model.run_with_cache(PROMPT, ["blocks.1.mlp.post", "blocks.1.mlp_out"]).unwrap();
    let scaled = Ablation::new(&model).unwrap();
    let scaled = scaled.intervention(PROMPT, site::mlp_post(1), &AblationKind::Scale(3.0)).unwrap().features([9]);
    let plan = Plan::new().capture("blocks.1.mlp_out").edit("blocks.1.mlp.post", scaled);
    let edited = model.run(PROMPT, plan).unwrap().cache;
    let w_out = device::read(model.w_out(1).unwrap()).unwrap();
    let (before, after, post) =
        (read(&clean, "blocks.1.mlp_out"), read(&edited, "blocks.1.mlp_out"), read(&clean, "blocks.1.mlp.post"));
    for (index, (before, after)) in before.iter().zip(&after).enumerate() {
        let (pos, m) = (index / 32, index % 32);
        close(after - before, 2.0 * post[pos * 128 + 9] * w_out[9 * 32 + m], 1e-5);
    }
}

#[test]
fn the_means_over_the_prompt_itself_agree_and_its_resample_changes_nothing() {
    let tool = Ablation::new(&fixture("gpt2")).unwrap();
    let heads = |kind| tool.heads(PROMPT, &Metric::loss(), kind).unwrap();
    let same = Tokens::new(vec![PROMPT.to_vec()]).unwrap();
    let (mean, data) = (heads(AblationKind::Mean), heads(AblationKind::DatasetMean(same.clone())));
    for (a, b) in mean.values.values.iter().flatten().zip(data.values.values.iter().flatten()) {
        close(*a, *b, 1e-5);
    }
    let resampled = heads(AblationKind::Resample { from: same, seed: 1 });
    assert!(resampled.change().values.iter().flatten().all(|change| change.abs() < 1e-5));
}

#[test]
fn an_ablation_is_an_intervention_that_a_record_keeps() {
    let tool = Ablation::new(&fixture("gpt2")).unwrap();
    let data = AblationKind::DatasetMean(Tokens::new(vec![vec![1, 2, 3]]).unwrap());
    let mean = tool.intervention(PROMPT, site::z(0), &data).unwrap().head(1);
    let kept: Intervention = serde_json::from_str(&serde_json::to_string(&mean).unwrap()).unwrap();
    let value = |edit: Intervention| {
        let logits = tool.model.run_with_hooks(PROMPT, [(site::z(0), edit)]).unwrap();
        device::read(logits).unwrap()
    };
    assert_eq!(value(mean), value(kept));
}

#[test]
fn mistakes_are_named() {
    let tool = Ablation::new(&fixture("gpt2")).unwrap();
    let metric = Metric::loss();
    let error = tool.neurons(PROMPT, 0, [128], &metric, AblationKind::Zero).unwrap_err();
    assert_eq!(error.to_string(), "neuron 128 is out of range: there are 128, numbered from 0");
    let from = Tokens::new(vec![vec![1, 2]]).unwrap();
    let error = tool.heads(PROMPT, &metric, AblationKind::Resample { from, seed: 0 }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ablation: cannot resample prompts of 6 tokens from prompts of 2; give prompts of one length"
    );
}

fn optimal(steps: usize) -> AblationKind {
    AblationKind::Optimal(OptimalConstant { steps, ..OptimalConstant::default() })
}

/// Prompts of one length that differ.
fn several() -> Tokens {
    Tokens::new(vec![PROMPT.to_vec(), vec![3, 9, 61, 8, 20, 44], vec![90, 2, 2, 71, 15, 6]]).unwrap()
}

/// Log-probabilities of the next token, `[prompt][d_vocab]`.
fn next(model: &HookedTransformer, edit: Option<(Site, Intervention)>) -> Vec<Vec<f64>> {
    let plan = edit.into_iter().fold(Plan::new(), |plan, (at, edit)| plan.edit(at, edit));
    let logits = model.run(several(), plan).unwrap().output;
    let [_, pos, d_vocab] = logits.dims();
    let logits = device::read(burn::tensor::activation::log_softmax(logits, 2)).unwrap();
    logits.chunks(pos * d_vocab).map(|row| row[(pos - 1) * d_vocab..].iter().map(|x| f64::from(*x)).collect()).collect()
}

/// The mean divergence from the whole model's next token, in nats.
fn harm(model: &HookedTransformer, at: Site, edit: Intervention) -> f64 {
    let (clean, edited) = (next(model, None), next(model, Some((at, edit))));
    let of_row = |(p, q): (&Vec<f64>, &Vec<f64>)| p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>();
    clean.iter().zip(&edited).map(of_row).sum::<f64>() / clean.len() as f64
}

#[test]
fn no_constant_does_less_harm_than_the_optimal_one() {
    let model = fixture("gpt2");
    let tool = Ablation::new(&model).unwrap();
    for neuron in [3, 40] {
        let parts = [Part::Feature(neuron)];
        let found = tool.replace(&several(), [site::mlp_post(1)], &parts, &optimal(60)).unwrap();
        let edit = found.edits[0].clone().features([neuron]);
        let least = harm(&model, site::mlp_post(1), edit);
        // Every constant on a grid around the activations.
        let grid = (-40..=40).map(|step| f64::from(step) * 0.05);
        let grid =
            grid.map(|value| harm(&model, site::mlp_post(1), Intervention::set(value as f32).features([neuron])));
        let best = grid.fold(f64::INFINITY, f64::min);
        assert!(least <= best + 1e-6, "{least} by gradient, {best} on the grid");
        assert_eq!(found.forwards, 1 + 61);
    }
}

#[test]
fn the_optimal_constant_of_a_head_beats_zero_and_the_mean() {
    let model = fixture("gpt2");
    let tool = Ablation::new(&model).unwrap();
    let parts: Vec<Part> = (0..4).map(Part::Head).collect();
    let of = |kind: AblationKind, head: usize| {
        let edit = tool.replace(&several(), [site::z(1)], &parts, &kind).unwrap().edits.remove(0);
        harm(&model, site::z(1), edit.head(head))
    };
    for head in 0..4 {
        let least = of(optimal(60), head);
        for kind in [AblationKind::Zero, AblationKind::DatasetMean(several())] {
            assert!(least < of(kind.clone(), head), "L1H{head} {kind:?}");
        }
    }
}

#[test]
fn a_mean_by_position_is_the_mean_of_each_position() {
    let model = fixture("gpt2");
    let tool = Ablation::new(&model).unwrap();
    let edit = tool.intervention(several(), site::mlp_out(0), &AblationKind::PositionMean(several())).unwrap();
    let plan = Plan::new().edit(site::mlp_out(0), edit).capture(site::mlp_out(0));
    let edited = model.run(several(), plan).unwrap().cache.activation(site::mlp_out(0)).unwrap().to_vec().unwrap();
    let clean = model.capture(several(), [site::mlp_out(0)]).unwrap().activation(site::mlp_out(0)).unwrap().to_vec();
    let (clean, row) = (clean.unwrap(), 6 * model.config().d_model);
    for (at, value) in edited.iter().enumerate() {
        close(*value, (0..3).map(|prompt| clean[prompt * row + at % row]).sum::<f32>() / 3.0, 1e-5);
    }
}

#[test]
fn layers_positions_and_experts_are_single_edits() {
    let model = fixture("gpt2");
    let tool = Ablation::new(&model).unwrap();
    let metric = Metric::logit(7);
    let alone = |model: &HookedTransformer, at: Site, edit: Intervention| {
        let logits = model.run(several(), Plan::new().edit(at, edit)).unwrap().output;
        metric.value(model, &logits, &several()).unwrap()
    };
    let layers = tool.layers(several(), &metric, AblationKind::Zero).unwrap();
    let mlp = Sublayer { layer: 1, part: SublayerPart::Mlp };
    close(layers.values.get(&mlp).unwrap(), alone(&model, site::mlp_out(1), Intervention::zero()), 1e-5);
    let positions = tool.positions(several(), StreamSite::ResidPre, &metric, AblationKind::Zero).unwrap();
    let edit = Intervention::zero().positions([4]);
    close(positions.values.values[1][4], alone(&model, site::resid_pre(1), edit), 1e-5);
    let tested = layers.tested(PromptTest::default(), Correction::Holm).unwrap();
    assert_eq!((tested.comparisons, tested.prompts), (2 * model.config().n_layers, 3));

    let mixture = crate::tools::testing::checkpoint("parity/mixtral");
    let found = Ablation::new(&mixture).unwrap().experts(several(), &metric, AblationKind::Zero).unwrap();
    close(found.values.values[0][1], alone(&mixture, site::expert_out(0, 1), Intervention::zero()), 1e-5);
    let error = tool.experts(several(), &metric, AblationKind::Zero).unwrap_err().to_string();
    assert!(error.ends_with("this model has one MLP in each layer; use `layers` or `neurons`"), "{error}");
}

#[test]
fn all_sites_of_a_data_set_are_read_in_one_run() {
    let model = fixture("gpt2");
    let tool = Ablation::new(&model).unwrap();
    let forwards = |kind| tool.heads(several(), &Metric::logit(7), kind).unwrap().work.forwards;
    let zero = forwards(AblationKind::Zero);
    for kind in [AblationKind::DatasetMean(several()), AblationKind::PositionMean(several())] {
        assert_eq!(forwards(kind), zero + 1);
    }
    let (layers, steps) = (model.config().n_layers, 4);
    assert_eq!(forwards(optimal(steps)), zero + 1 + layers * (steps + 1));
}

fn every_kind() -> [AblationKind; 7] {
    [
        AblationKind::Zero,
        AblationKind::Scale(0.5),
        AblationKind::Mean,
        AblationKind::DatasetMean(several()),
        AblationKind::PositionMean(several()),
        AblationKind::Resample { from: several(), seed: 3 },
        optimal(3),
    ]
}

/// Zero, mean, resample, optimal and the others, of a head, a neuron, a layer, a position and an expert: each is the edit
/// of that part alone.
#[test]
fn every_kind_replaces_every_part() {
    let (model, mixture) = (fixture("gpt2"), crate::tools::testing::checkpoint("parity/mixtral"));
    let (tool, experts, metric) = (Ablation::new(&model).unwrap(), Ablation::new(&mixture).unwrap(), Metric::logit(7));
    let alone =
        |tool: &Ablation, kind: &AblationKind, at: Site, parts: &[Part], cut: &dyn Fn(Intervention) -> Intervention| {
            let edit = cut(tool.replace(&several(), [at], parts, kind).unwrap().edits.remove(0));
            let logits = tool.model.run(several(), Plan::new().edit(at, edit)).unwrap().output;
            metric.value(&tool.model, &logits, &several()).unwrap()
        };
    let heads: Vec<Part> = (0..model.config().n_heads).map(Part::Head).collect();
    for kind in every_kind() {
        let found = tool.heads(several(), &metric, kind.clone()).unwrap().values.values[1][2];
        close(found, alone(&tool, &kind, site::z(1), &heads, &|edit| edit.head(2)), 1e-5);
        let found = tool.neurons(several(), 1, [5, 9], &metric, kind.clone()).unwrap().values.values[0][1];
        let parts = [5, 9].map(Part::Feature);
        close(found, alone(&tool, &kind, site::mlp_post(1), &parts, &|edit| edit.features([9])), 1e-5);
        let found = tool.layers(several(), &metric, kind.clone()).unwrap().values.values[2][0];
        close(found, alone(&tool, &kind, site::attn_out(2), &[Part::Whole], &|edit| edit), 1e-5);
        let found = tool.positions(several(), StreamSite::AttnOut, &metric, kind.clone()).unwrap().values.values[0][4];
        close(found, alone(&tool, &kind, site::attn_out(0), &[Part::Whole], &|edit| edit.positions([4])), 1e-5);
        let found = experts.experts(several(), &metric, kind.clone()).unwrap().values.values[0][1];
        close(found, alone(&experts, &kind, site::expert_out(0, 1), &[Part::Whole], &|edit| edit), 1e-5);
    }
}

#[test]
fn where_the_divergence_is_taken_moves_the_optimum() {
    let tool = Ablation::new(&fixture("gpt2")).unwrap();
    let constant = |at: DivergenceAt| {
        let kind = AblationKind::Optimal(OptimalConstant { steps: 20, at, ..OptimalConstant::default() });
        let edit = tool.replace(&several(), [site::mlp_out(0)], &[Part::Whole], &kind).unwrap().edits.remove(0);
        let plan = Plan::new().edit(site::mlp_out(0), edit).capture(site::mlp_out(0));
        tool.model.run(several(), plan).unwrap().cache.activation(site::mlp_out(0)).unwrap().to_vec().unwrap()
    };
    let last = constant(DivergenceAt::Last);
    assert_eq!(last, constant(DivergenceAt::Positions(vec![(-1).into()])));
    assert!(last != constant(DivergenceAt::Every) && last != constant(DivergenceAt::Positions(vec![0.into()])));
}

fn reference() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/circuit/reference.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn heads_of(places: &serde_json::Value) -> Vec<HeadAt> {
    let places: Vec<(usize, usize, Vec<isize>)> = serde_json::from_value(places.clone()).unwrap();
    let head = |(layer, head, positions): (usize, usize, Vec<isize>)| {
        positions.into_iter().fold(HeadAt::new(layer, head), HeadAt::at)
    };
    places.into_iter().map(head).collect()
}

/// `tests/fixtures/circuit/make_circuit.py` silences heads with torch's hooks.
#[test]
fn many_heads_silenced_at_once_are_those_of_torch() {
    let (tool, reference) = (Ablation::new(&fixture("gpt2")).unwrap(), reference());
    let tokens = |key: &str| Tokens::new(serde_json::from_value(reference[key].clone()).unwrap()).unwrap();
    let ids = |key: &str| serde_json::from_value::<Vec<u32>>(reference[key].clone()).unwrap();
    let metric = Metric::logit_diffs(ids("answers"), ids("wrong"));
    let mean = AblationKind::PositionMean(tokens("others"));
    let heads = |key: &str| heads_of(&reference[key]);
    let zeroed = tool.together(tokens("prompts"), heads("silenced"), &metric, AblationKind::Zero).unwrap();
    let averaged = tool.together(tokens("prompts"), heads("silenced"), &metric, mean.clone()).unwrap();
    let circuit = tool.all_but(tokens("prompts"), heads("kept"), &metric, mean).unwrap();
    for (found, key) in [(&zeroed, "together_zero"), (&averaged, "together_mean"), (&circuit, "all_but_mean")] {
        let theirs = |key: &str| serde_json::from_value::<Vec<f64>>(reference[key].clone()).unwrap();
        found.per_prompt.iter().zip(theirs(key)).for_each(|(ours, theirs)| close(*ours, theirs, 2e-5));
        found.baseline_per_prompt.iter().zip(theirs("baseline")).for_each(|(ours, theirs)| close(*ours, theirs, 2e-5));
        close(found.value, theirs(key).iter().sum::<f64>() / 3.0, 2e-5);
        close(found.change(), found.value - found.baseline, 0.0);
        close(found.share() * found.baseline, found.value, 1e-9);
    }
}

#[test]
fn the_planted_circuit_alone_gives_the_answer_and_without_it_nothing_does() {
    let tool = Ablation::new(&induction_model()).unwrap();
    let metric = Metric::logit_diff(5, 7);
    // What follows 3 is read at its place, 1, and copied at the end.
    let circuit = || [HeadAt::new(0, 1).at(1), HeadAt::new(1, 0).at(-1)];
    let alone = tool.all_but([3, 5, 7, 3], circuit(), &metric, AblationKind::Zero).unwrap();
    let without = tool.together([3, 5, 7, 3], circuit(), &metric, AblationKind::Zero).unwrap();
    assert!(alone.share() > 0.9 && without.share().abs() < 0.1, "{alone:?} {without:?}");
}

#[test]
fn silencing_one_head_together_is_silencing_it() {
    let tool = Ablation::new(&fixture("gpt2")).unwrap();
    let metric = Metric::logit(7);
    for kind in every_kind() {
        let alone = tool.heads(several(), &metric, kind.clone()).unwrap().values.values[2][3];
        let together = tool.together(several(), [HeadAt::new(2, 3)], &metric, kind).unwrap();
        close(together.value, alone, 1e-5);
    }
}

#[test]
fn heads_and_positions_that_do_not_exist_are_named() {
    let tool = Ablation::new(&fixture("gpt2")).unwrap();
    let message = |heads: &[HeadAt]| {
        let found = tool.together(PROMPT, heads.to_vec(), &Metric::logit(7), AblationKind::Zero);
        found.unwrap_err().to_string()
    };
    assert_eq!(message(&[HeadAt::new(3, 0)]), "layer 3 is out of range: there are 3, numbered from 0");
    assert_eq!(message(&[HeadAt::new(0, 4)]), "head 4 is out of range: there are 4, numbered from 0");
    assert_eq!(message(&[HeadAt::new(0, 0).at(6)]), "position 6 is out of range: there are 6, numbered from 0");
    assert_eq!(message(&[]), "ablation: no head is silenced; name at least one");
}
