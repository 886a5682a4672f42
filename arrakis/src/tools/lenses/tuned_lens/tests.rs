use super::*;
use crate::tools::LogitLens;
use crate::tools::place::Place;
use crate::tools::shared::cost::Call;
use crate::tools::testing::{Cases, Reading, Readings, close, fixture, passes};
use arrakis_models::{HookedAutoModel, device};
use serde_json::Value;

const PROMPT: [u32; 5] = [34, 17, 29, 49, 82];

impl Readings for TunedLens {
    fn readings(&self, cases: &Cases) -> Vec<Reading> {
        let trained = self.train(std::slice::from_ref(&cases.other), &Training::sgd().steps(2));
        let losses = trained.as_ref().map(|trained| trained.losses.concat());
        let lens = trained.as_ref().map_or(self, |trained| &trained.lens);
        let target = lens.target(&cases.prompt, 63);
        vec![
            Reading::numbers("losses", losses),
            Reading::table("loss", lens.loss(&cases.prompt)),
            Reading::table("rank", target.map(|target| target.rank)),
            Reading::panel("heatmap", lens.top(&cases.prompt, 1).as_ref().map(Lens::heatmap)),
        ]
    }

    fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
        vec![
            Call::new("train", || self.train(std::slice::from_ref(&cases.other), &Training::sgd().steps(2)))
                .with([("steps", 2)]),
            Call::new("loss", || self.loss(&cases.prompt)),
            Call::new("top", || self.top(cases.first(), 1)),
            Call::new("target", || self.target(&cases.prompt, 63)),
            Call::new("logits", || self.logits(&cases.prompt)),
        ]
    }
}

fn bits(tensor: Tensor<3>) -> Vec<u32> {
    device::read(tensor).unwrap().into_iter().map(f32::to_bits).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn a_new_lens_is_the_logit_lens_to_the_bit() {
    for name in ["gpt2", "gpt_neox", "llama"] {
        let model = fixture(name);
        let logit = LogitLens::new(&model).unwrap().logits(PROMPT).unwrap();
        for (step, tuned) in TunedLens::new(&model).unwrap().logits(PROMPT).unwrap() {
            let same = logit.iter().find(|(other, _)| *other == step).unwrap().1.clone();
            assert!(bits(tuned) == bits(same), "{name} {step}");
        }
        let loss = TunedLens::new(&model).unwrap().loss(PROMPT).unwrap();
        assert!(loss.values.iter().all(|row| row[0] == row[1]), "{name}");
        close(loss.values[loss.rows.len() - 1][0], 0.0, 1e-6);
    }
}

/// Names in a frame, one pair a text: text the embedded model knows.
fn stories(names: &[[&str; 2]]) -> Tokens {
    let model = HookedAutoModel::embedded().unwrap();
    let text = |[a, b]: &[&str; 2]| format!("When {a} and {b} went to the store, {b} gave a drink to {a}.");
    let rows: Vec<Vec<u32>> = names.iter().map(|pair| model.to_tokens(&text(pair)).unwrap()).collect();
    Tokens::padded(&rows, arrakis_models::Side::Right, 0).unwrap()
}

#[test]
fn training_brings_every_layer_closer_to_the_model_on_other_text() {
    let tool = TunedLens::new(&HookedAutoModel::embedded().unwrap()).unwrap();
    let batch = stories(&[["Mary", "John"], ["Tom", "Anna"], ["Emma", "Mary"], ["John", "Tom"]]);
    let held_out = stories(&[["Anna", "Mary"], ["Tom", "Emma"]]);
    let (trained, forwards) =
        passes("embed", || tool.train(std::slice::from_ref(&batch), &Training::adamw().steps(12).lr(3e-3)).unwrap());
    assert_eq!((forwards, trained.losses.len()), (12, 12));
    let (loss, forwards) = passes("embed", || trained.lens.loss(&held_out).unwrap());
    assert_eq!(forwards, 1);
    let last = loss.rows.len() - 1;
    for (step, kl) in loss.rows.iter().zip(&loss.values).take(last) {
        assert!(kl[0] < kl[1], "{step}: {} by the tuned lens, {} by the logit lens", kl[0], kl[1]);
    }
    close(loss.values[last][0], 0.0, 1e-6);
    let sgd = tool.train(&[batch], &Training::sgd().steps(6)).unwrap();
    assert!(sgd.losses[5].iter().zip(&sgd.losses[0]).all(|(after, before)| after < before), "{:?}", sgd.losses);
}

#[test]
fn a_saved_lens_comes_back_to_the_bit() {
    let tool = TunedLens::new(&fixture("gpt2")).unwrap();
    let tokens = Tokens::new(vec![PROMPT.to_vec()]).unwrap();
    let lens = tool.train(&[tokens], &Training::adamw().steps(2)).unwrap().lens;
    let folder = tempfile::tempdir().unwrap();
    lens.save(folder.path()).unwrap();
    let back = tool.load(folder.path()).unwrap();
    for ((step, saved), (_, loaded)) in lens.logits(PROMPT).unwrap().into_iter().zip(back.logits(PROMPT).unwrap()) {
        assert!(bits(saved) == bits(loaded), "{step}");
    }
}

/// `tests/fixtures/tuned_lens/make_tuned_lens.py` takes the steps of the paper's code with torch.
#[test]
fn gradients_losses_and_steps_are_those_of_torch() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tuned_lens");
    let reference: Value = serde_json::from_slice(&std::fs::read(folder.join("reference.json")).unwrap()).unwrap();
    let model = fixture("gpt2");
    let tool = TunedLens::new(&model).unwrap();
    let [start, end] = ["start", "end"].map(|part| tool.load(folder.join(part)).unwrap());
    let rows = reference["tokens"].as_array().unwrap();
    let rows = rows.iter().map(|row| numbers(row).into_iter().map(|id| id as u32).collect()).collect();
    let tokens = Tokens::new(rows).unwrap();
    let outcome = model.run(&tokens, Plan::new().capture("blocks.*.resid_pre")).unwrap();
    let target = arrakis_models::log_softmax(outcome.output);
    for (layer, translator) in start.translators.iter().enumerate() {
        let resid = outcome.cache.get::<3>(site::resid_pre(layer)).unwrap();
        let (loss, gradient) = training::gradient(&model, translator, resid, target.clone(), &tokens).unwrap();
        close(loss, reference["losses"][0][layer].as_f64().unwrap(), 1e-5);
        // The reference is `[out, in]`.
        let ours = device::read(gradient.weight.transpose()).unwrap();
        let theirs = reference["weight_gradients"][layer].as_array().unwrap().iter().flat_map(numbers);
        ours.iter().zip(theirs).for_each(|(ours, theirs)| close(*ours, theirs, 1e-5));
        let ours = device::read(gradient.bias).unwrap();
        ours.iter().zip(numbers(&reference["bias_gradients"][layer])).for_each(|(a, b)| close(*a, b, 1e-5));
    }
    let steps = reference["losses"].as_array().unwrap();
    let trained = start.train(&[tokens], &Training::sgd().steps(steps.len())).unwrap();
    for (ours, theirs) in trained.losses.iter().zip(steps) {
        ours.iter().zip(numbers(theirs)).for_each(|(a, b)| close(*a, b, 1e-5));
    }
    for (ours, theirs) in trained.lens.translators.iter().zip(&end.translators) {
        let [ours, theirs] = [ours, theirs].map(|own| device::read(own.weight.clone()).unwrap());
        ours.iter().zip(&theirs).for_each(|(a, b)| close(*a, *b, 1e-5));
    }
}

#[test]
fn padding_teaches_nothing() {
    let tool = TunedLens::new(&fixture("gpt2")).unwrap();
    let rows = [vec![34, 17, 29, 49], vec![82, 5]];
    let pad = |pad: u32| Tokens::padded(&rows, arrakis_models::Side::Right, pad).unwrap();
    let trained = |tokens: Tokens| tool.train(&[tokens], &Training::sgd().steps(2)).unwrap();
    let [a, b] = [trained(pad(0)), trained(pad(7))];
    a.losses.concat().iter().zip(b.losses.concat()).for_each(|(a, b)| close(*a, b, 1e-5));
    let apart = rows.each_ref().map(|row| a.lens.loss(row).unwrap());
    let both = a.lens.loss(pad(0)).unwrap();
    for (row, alone) in apart.iter().enumerate() {
        let place = LensStep::at(&"1_pre".to_owned(), &"tuned lens".to_owned());
        close(both.prompts(&place).unwrap()[row], alone.get(&place).unwrap(), 1e-5);
    }
}

#[test]
fn mistakes_are_named() {
    let tool = TunedLens::new(&fixture("gpt2")).unwrap();
    let error = tool.train(&[], &Training::sgd()).unwrap_err().to_string();
    assert_eq!(error, "tuned_lens: there is nothing to train on; give at least one batch of tokens");
    let folder = tempfile::tempdir().unwrap();
    tool.save(folder.path()).unwrap();
    let other = TunedLens::new(&fixture("gpt_neo")).unwrap().load(folder.path()).unwrap_err().to_string();
    let config = folder.path().join("config.json");
    assert!(other.starts_with(&format!("tuned_lens: the lens of `{}` ", config.display())), "{other}");
    std::fs::rename(folder.path().join("model.safetensors"), folder.path().join("params.pt")).unwrap();
    assert_eq!(
        tool.load(folder.path()).unwrap_err().to_string(),
        format!(
            "tuned_lens: `{}` is a pickle, which can run code; convert it with `safetensors.torch.save_file(torch.load(\"params.pt\"), \"model.safetensors\")`",
            folder.path().join("params.pt").display()
        )
    );
}
