use super::*;
use crate::tools::intervene::ablation::{Ablation, AblationKind};
use crate::tools::shared::cost::Call;
use crate::tools::testing::{Cases, Reading, Readings, close, fixture, passes, planted};
use arrakis_models::TransformerConfig;
use arrakis_models::config::ActivationKind;
use serde_json::Value;

const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

impl Readings for KnowledgeNeurons {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let found = self.steps(2).attribute(&cases.prompt, &cases.metric);
        vec![
            Reading::numbers("gap", found.as_ref().map(NeuronAttribution::gap)),
            Reading::table("attribute", found.map(|found| found.values)),
        ]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        vec![Call::new("attribute", || self.steps(2).attribute(&cases.prompt, &cases.metric))]
    }
}

/// Completeness: attributions of a layer add up to what its neurons do, closer with more steps.
#[test]
fn attributions_add_up_to_what_the_layer_does() {
    for name in ["gpt2", "llama", "gpt_neox"] {
        let tool = KnowledgeNeurons::new(&fixture(name)).unwrap();
        let gap = |steps| {
            let found = tool.steps(steps).attribute(PROMPT, &Metric::logit_diff(63, 25)).unwrap();
            assert!(found.total().iter().any(|total| total.abs() > 0.01), "{name}: {:?}", found.total());
            found.gap().into_iter().fold(0.0, f64::max)
        };
        assert!(gap(100) < 1e-3, "{name}: {}", gap(100));
        assert!(gap(2) > gap(100), "{name}");
    }
}

#[test]
fn a_layer_without_neurons_is_that_of_an_ablation() {
    let model = fixture("gpt2");
    let found = KnowledgeNeurons::new(&model).unwrap().steps(1).attribute(PROMPT, &Metric::prob(63)).unwrap();
    for layer in 0..3 {
        let zero = arrakis_models::Intervention::zero().positions([-1]);
        let logits = model.run_with_hooks(PROMPT, [(arrakis_models::site::mlp_post(layer), zero)]).unwrap();
        let tokens = arrakis_models::Tokens::new(vec![PROMPT.to_vec()]).unwrap();
        close(found.without[layer], Metric::prob(63).value(&model, &logits, &tokens).unwrap(), 1e-6);
    }
}

/// Token 1 fires neuron 2 of layer 0, which alone writes the answer 3.
#[test]
fn a_planted_knowledge_neuron_is_the_one_found() {
    let mut config = TransformerConfig::plain("planted", 2, 8, 1, 8, 4);
    (config.d_mlp, config.activation) = (4, ActivationKind::Relu);
    let one = |on: bool, value: f32| if on { value } else { 0.0 };
    let model = planted(&config, |name, row, column| match name {
        "embed.weight" => one(row == column, 1.0),
        "unembed.weight" => one(row == column, 2.0),
        "blocks.0.mlp.w_in.weight" => one((row, column) == (1, 2), 1.0),
        "blocks.0.mlp.w_out.weight" => one((row, column) == (2, 3), 3.0),
        _ => 0.0,
    });
    let tool = KnowledgeNeurons::new(&model).unwrap();
    let found = tool.steps(200).attribute(vec![vec![5, 1], vec![6, 1]], &Metric::prob(3)).unwrap();
    let place = found.refined(0.2, 0.7).unwrap();
    assert_eq!(place.iter().map(|neuron| (neuron.layer, neuron.neuron)).collect::<Vec<_>>(), [(0, 2)]);
    close(found.values.values[0][2], found.total()[0], 1e-3);
    assert!(found.total()[0] > 0.2, "{found:?}");
    let gone = Ablation::new(&model).unwrap();
    let gone = gone.neurons([5, 1], 0, [2], &Metric::prob(3), AblationKind::Zero).unwrap();
    close(gone.values.values[0][0], found.without[0], 1e-6);
}

#[test]
fn forwards_are_one_and_one_for_each_layer() {
    let tool = KnowledgeNeurons::new(&fixture("gpt2")).unwrap();
    let (_, forwards) = passes("logits", || tool.attribute(PROMPT, &Metric::prob(63)).unwrap());
    assert_eq!(forwards, 1 + 3);
}

#[test]
fn several_prompts_are_each_prompt_alone() {
    let tool = KnowledgeNeurons::new(&fixture("llama")).unwrap().steps(3);
    let rows = [PROMPT.to_vec(), vec![5, 6, 7, 8, 9]];
    let both = tool.attribute(rows.to_vec(), &Metric::probs([63, 7])).unwrap();
    for (prompt, (row, answer)) in rows.into_iter().zip([63, 7]).enumerate() {
        let alone = tool.attribute(row, &Metric::prob(answer)).unwrap();
        for (together, alone) in both.values.per_prompt.iter().zip(&alone.values.per_prompt) {
            close(together[prompt], alone[0], 1e-6);
        }
    }
}

/// `tests/fixtures/knowledge_neurons/make_knowledge_neurons.py` integrates the gradients of torch.
#[test]
fn attributions_are_those_of_torch() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/knowledge_neurons/reference.json");
    let reference: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let steps = reference["steps"].as_u64().unwrap() as usize;
    let answer = reference["answer"].as_u64().unwrap() as u32;
    let found = KnowledgeNeurons::new(&fixture("gpt2")).unwrap().steps(steps);
    let found = found.attribute(PROMPT, &Metric::prob(answer)).unwrap();
    close(found.clean, reference["clean"].as_f64().unwrap(), 1e-6);
    for (layer, case) in reference["layers"].as_array().unwrap().iter().enumerate() {
        close(found.without[layer], case["without"].as_f64().unwrap(), 1e-6);
        let theirs = case["attributions"].as_array().unwrap();
        for (ours, theirs) in found.values.values[layer].iter().zip(theirs) {
            close(*ours, theirs.as_f64().unwrap(), 1e-6);
        }
    }
}

#[test]
fn mistakes_are_named() {
    let tool = KnowledgeNeurons::new(&fixture("gpt2")).unwrap();
    let error = tool.steps(0).attribute(PROMPT, &Metric::prob(63)).unwrap_err().to_string();
    assert_eq!(error, "knowledge_neurons: an integral of 0 steps is nothing; give at least 1");
    let mean = Metric::new("mean", |logits, _| Ok(logits.clone().mean()));
    let error = tool.attribute(PROMPT, &mean).unwrap_err().to_string();
    assert_eq!(
        error,
        "knowledge_neurons: the metric gives no number for each prompt; choose one that does, such as `Metric::prob`"
    );
}
