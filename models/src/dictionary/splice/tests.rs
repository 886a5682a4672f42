//! Dictionaries spliced into small models, and into every recorded family.

use burn::tensor::{Device, TensorData};

use super::*;
use crate::config::TransformerConfig;
use crate::dictionary::architectures::{Gated, JumpRelu, Standard, TopK};
use crate::dictionary::testing::{close, read};
use crate::dictionary::{DictionaryConfig, Init, Metadata};
use crate::hooks::{Capture, Edit, Intervention, Plan};
use crate::model::{HookedAutoModel, HookedTransformer};
use crate::site;
use crate::tokens::{Side, Tokens};

const WIDTH: usize = 12;
const LATENTS: usize = 20;

fn plain() -> HookedTransformer {
    HookedAutoModel::lively(&TransformerConfig::plain("test", 3, WIDTH, 3, 20, 16), 1).unwrap()
}

fn dictionary(config: DictionaryConfig) -> Dictionary {
    Dictionary::new(config, &Init { decoder_norm: None, ..Init::default() }, 4, &Device::flex()).unwrap()
}

fn top() -> Dictionary {
    dictionary(DictionaryConfig {
        metadata: Metadata::of("test", "blocks.1.hook_resid_post"),
        ..DictionaryConfig::autoencoder(WIDTH, LATENTS, TopK { k: 4, ..TopK::default() })
    })
}

fn with(dictionary: &Dictionary, splicing: &Splicing) -> HookedTransformer {
    plain().spliced(dictionary.splices(splicing).unwrap()).unwrap()
}

fn logits(model: &HookedTransformer) -> Vec<f32> {
    read(model.forward([1, 2, 3]).unwrap())
}

#[test]
fn with_the_error_term_the_model_computes_what_it_did_to_the_bit() {
    let model = with(&top(), &Splicing::default());
    assert_eq!(logits(&model), logits(&plain()));
    let names = model.sites();
    let at = names.iter().position(|name| name == "blocks.1.sae.pre_acts").unwrap();
    let own = ["acts", "recon", "error"].map(|name| format!("blocks.1.sae.{name}"));
    assert_eq!(names[at + 1..at + 4], own);
    let (logits_of_run, cache) = model.run_with_cache([1, 2, 3], ["*.sae.*", "resid_post1"]).unwrap();
    assert_eq!(read(logits_of_run), logits(&plain()), "looking changes nothing");
    let (recon, error) = (cache.get::<3>("blocks.1.sae.recon").unwrap(), cache.get::<3>("blocks.1.sae.error").unwrap());
    close(&read(recon + error), &read(cache.get::<3>("resid_post1").unwrap()));
}

#[test]
fn without_it_the_model_goes_on_with_the_reconstruction() {
    let model = with(&top(), &Splicing::default().reconstruction());
    assert!(!model.sites().contains(&"blocks.1.sae.error".to_owned()));
    let stream = plain().run_with_cache([1, 2, 3], ["resid_post1"]).unwrap().1.get::<3>("resid_post1").unwrap();
    let cache = model.run_with_cache([1, 2, 3], ["resid_post1", "blocks.1.sae.acts"]).unwrap().1;
    close(&read(cache.get::<3>("resid_post1").unwrap()), &read(top().apply(stream.clone()).unwrap()));
    close(&read(cache.get::<3>("blocks.1.sae.acts").unwrap()), &read(top().encode(stream).unwrap()));
    assert_ne!(logits(&model), logits(&plain()));
}

/// A latent that is active, at the last position.
fn active() -> (usize, f32) {
    let cache = with(&top(), &Splicing::default()).run_with_cache([1, 2, 3], ["blocks.1.sae.acts"]).unwrap().1;
    let acts = read(cache.get::<3>("blocks.1.sae.acts").unwrap());
    let last = acts[2 * LATENTS..].iter().copied().enumerate();
    last.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

#[test]
fn a_latent_is_ablated_clamped_and_steered_by_its_direction_alone() {
    let model = with(&top(), &Splicing::default());
    let (latent, act) = active();
    assert!(act > 0.0);
    let edits: [(Intervention, f32); 3] =
        [(Intervention::zero(), -act), (Intervention::set(7.0), 7.0 - act), (Intervention::scale(3.0), 2.0 * act)];
    let direction = read(top().w_dec.val().narrow(0, latent, 1));
    for (edit, moved) in edits {
        let edit = edit.features([latent]).positions([-1]);
        let ours = model.run_with_hooks([1, 2, 3], [("blocks.1.sae.acts", edit)]).unwrap();
        let by: Vec<f32> = direction.iter().map(|x| x * moved).collect();
        let steered = Intervention::add(by, 1.0).positions([-1]);
        let expected = plain().run_with_hooks([1, 2, 3], [("blocks.1.resid_post", steered)]).unwrap();
        close(&read(ours), &read(expected));
    }
    let silent = model.run_with_hooks([1, 2, 3], [("blocks.1.sae.error", Intervention::zero())]).unwrap();
    close(&read(silent), &logits(&with(&top(), &Splicing::default().reconstruction())));
}

#[test]
fn gradients_at_latents_are_those_of_finite_differences() {
    let model = with(&top(), &Splicing::default());
    let (latent, _) = active();
    let metric = |logits: Tensor<3>| logits.narrow(1, 2, 1).narrow(2, 5, 1).reshape([1]);
    let outcome = model.run([1, 2, 3], Plan::new().grad("blocks.1.sae.acts")).unwrap();
    let found = outcome.gradients(metric(outcome.output.clone())).unwrap();
    let ours = found.activation("blocks.1.sae.acts").unwrap().to_vec().unwrap()[2 * LATENTS + latent];
    let at = |step: f32| {
        let moved = Edit::any("move", move |value, _| {
            let (dims, mut values) = (value.dims().to_vec(), value.to_vec()?);
            values[2 * LATENTS + latent] += step;
            Activation::from_vec(values, &dims, value.device())
        });
        let logits = model.run_with_hooks([1, 2, 3], [("blocks.1.sae.acts", moved)]).unwrap();
        read(metric(logits))[0]
    };
    let numeric = (at(1e-2) - at(-1e-2)) / 2e-2;
    assert!(ours != 0.0 && (numeric - ours).abs() < 1e-2 * (1.0 + numeric.abs()), "{ours} {numeric}");
}

#[test]
fn a_padded_batch_has_the_latents_of_each_prompt_alone() {
    let model = with(&top(), &Splicing::default().reconstruction());
    let rows: [&[u32]; 2] = [&[1, 2, 3], &[4, 5]];
    let alone = |tokens: &[u32]| {
        let cache = model.run_with_cache(tokens.to_vec(), ["blocks.1.sae.acts"]).unwrap().1;
        read(cache.get::<3>("blocks.1.sae.acts").unwrap())
    };
    for side in [Side::Left, Side::Right] {
        let tokens = Tokens::padded(&rows.map(<[u32]>::to_vec), side, 0).unwrap();
        let cache = model.run_with_cache(tokens, ["blocks.1.sae.acts"]).unwrap().1;
        let acts = read(cache.get::<3>("blocks.1.sae.acts").unwrap());
        close(&acts[..3 * LATENTS], &alone(rows[0]));
        let start = if side == Side::Left { 4 } else { 3 };
        close(&acts[start * LATENTS..(start + 2) * LATENTS], &alone(rows[1]));
    }
}

#[test]
fn heads_are_joined_or_one_is_taken() {
    let joined =
        dictionary(DictionaryConfig { joins_heads: true, ..DictionaryConfig::autoencoder(WIDTH, LATENTS, Gated) });
    let z = || plain().run_with_cache([1, 2, 3], [site::z(1)]).unwrap().1.get::<4>(site::z(1)).unwrap();
    let run = |dictionary: &Dictionary| {
        let splice = dictionary.splice_at(site::z(1), &Splicing::default().reconstruction()).unwrap();
        let model = plain().spliced([splice]).unwrap();
        let cache = model.run_with_cache([1, 2, 3], ["blocks.1.attn.z", "blocks.1.attn.sae.acts"]).unwrap().1;
        assert_eq!(cache.get::<3>("blocks.1.attn.sae.acts").unwrap().dims(), [1, 3, LATENTS]);
        read(cache.get::<4>("blocks.1.attn.z").unwrap())
    };
    close(&run(&joined), &read(joined.apply(z().reshape([1, 3, WIDTH])).unwrap()));
    let one = dictionary(DictionaryConfig {
        metadata: Metadata::default().with("hook_head_index", 2),
        ..DictionaryConfig::autoencoder(4, LATENTS, Standard)
    });
    let found = run(&one);
    let own = read(one.apply(z().narrow(2, 2, 1).reshape([1, 3, 4])).unwrap());
    close(&found[8..12], &own[..4]);
    close(&found[..8], &read(z())[..8]);
}

#[test]
fn a_transcoder_reads_one_site_and_replaces_another() {
    let facts = Metadata::of("test", "blocks.1.ln2.hook_normalized").with("hook_name_out", "blocks.1.hook_mlp_out");
    let transcoder = dictionary(DictionaryConfig {
        metadata: facts,
        ..DictionaryConfig::transcoder(WIDTH, LATENTS, WIDTH, JumpRelu::default())
    });
    assert_eq!(logits(&with(&transcoder, &Splicing::default())), logits(&plain()), "with the error term");
    let model = with(&transcoder, &Splicing::default().reconstruction());
    let x = plain().run_with_cache([1, 2, 3], ["blocks.1.ln2.normalized"]).unwrap().1;
    let x = x.get::<3>("blocks.1.ln2.normalized").unwrap();
    let cache = model.run_with_cache([1, 2, 3], ["blocks.1.mlp_out", "blocks.1.sae.acts"]).unwrap().1;
    close(&read(cache.get::<3>("blocks.1.mlp_out").unwrap()), &read(transcoder.apply(x.clone()).unwrap()));
    close(&read(cache.get::<3>("blocks.1.sae.acts").unwrap()), &read(transcoder.encode(x).unwrap()));
    let edited = model.run_with_hooks([1, 2, 3], [("blocks.1.sae.acts", Intervention::zero())]).unwrap();
    assert_ne!(read(edited), logits(&model));
    let grad = model.run([1, 2, 3], Plan::new().grad("blocks.0.resid_pre").grad("blocks.1.sae.acts")).unwrap();
    let found = grad.gradients(grad.output.clone().sum()).unwrap();
    assert!(found.activation("blocks.0.resid_pre").unwrap().to_vec().unwrap().iter().any(|x| *x != 0.0));
}

/// Every family that is recorded: with the error term nothing changes, and an edit of the latents reaches the logits.
#[test]
fn every_family_takes_a_dictionary() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/parity");
    let mut families = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let options = crate::LoadOptions::new().device("cpu").quiet();
        let model = HookedAutoModel::load(entry.path().to_str().unwrap(), &options).unwrap();
        let (d_model, last) = (model.config().d_model, model.config().n_layers - 1);
        let config = DictionaryConfig::autoencoder(d_model, 3 * d_model, TopK { k: 4, ..TopK::default() });
        let own = dictionary(config);
        let splice = own.splice_at(site::resid_post(last), &Splicing::default()).unwrap();
        let spliced = model.spliced([splice]).unwrap();
        let tokens = [2, 3, 5, 4];
        let clean = read(model.forward(tokens).unwrap());
        assert_eq!(read(spliced.forward(tokens).unwrap()), clean, "{:?}", entry.path());
        let acts = format!("blocks.{last}.sae.acts");
        let edited = spliced.run_with_hooks(tokens, [(acts.as_str(), Intervention::scale(3.0))]).unwrap();
        assert_ne!(read(edited), clean, "{:?}", entry.path());
        families += 1;
    }
    assert!(families > 20, "{families}");
}

#[test]
fn what_cannot_be_spliced_is_refused() {
    let unknown = dictionary(DictionaryConfig::autoencoder(WIDTH, LATENTS, Standard));
    let error = unknown.splices(&Splicing::default()).unwrap_err().to_string();
    assert_eq!(error, "`site` is not known: the dictionary's files do not say which site it is of; name one");
    let narrow = dictionary(DictionaryConfig::autoencoder(5, LATENTS, Standard));
    let splice = narrow.splice_at("blocks.1.resid_post", &Splicing::default()).unwrap();
    let error = plain().spliced([splice]).unwrap().forward([1, 2]).unwrap_err().to_string();
    assert_eq!(error, "the axis `d_in` should be 5 long, is 12 in a tensor of shape [1, 2, 12]");
    let transcoder = dictionary(DictionaryConfig::transcoder(WIDTH, LATENTS, WIDTH, Standard));
    let error = transcoder.splice_at("blocks.1.mlp_out", &Splicing::default()).unwrap_err().to_string();
    assert!(error.contains("a transcoder reads one site and writes another; name both with `splices_between`"));
    let crosscoder = dictionary(DictionaryConfig::crosscoder(2, WIDTH, LATENTS, Standard));
    let error = crosscoder.splice_at("blocks.1.mlp_out", &Splicing::default()).unwrap_err().to_string();
    assert!(error.ends_with("reads several tensors at once; name their models and sites with `splice_of_source`"));
    let error = crosscoder.save(std::path::Path::new("nowhere")).unwrap_err().to_string();
    assert_eq!(error, "saving this dictionary is not supported: SAELens has no crosscoders");
    let far = transcoder.splices_between(site::resid_mid(0), site::mlp_out(1), &Splicing::default());
    assert!(far.unwrap_err().to_string().contains("it is not in the block of `blocks.0.resid_mid`"));
    let model = with(&top(), &Splicing::default());
    let typo = model.run_with_cache([1], ["blocks.1.sae.act"]).unwrap_err().to_string();
    assert!(typo.contains("did you mean `blocks.1.sae.acts`"), "{typo}");
}

#[test]
fn settings_that_are_no_parameters_are_part_of_the_fingerprint() {
    let of = |k, splicing: &Splicing| {
        let mut dictionary = top();
        dictionary.config.architecture = TopK { k, ..TopK::default() }.into();
        with(&dictionary, splicing).fingerprint().unwrap()
    };
    assert_ne!(of(3, &Splicing::default()), of(4, &Splicing::default()));
    assert_ne!(of(4, &Splicing::default()), of(4, &Splicing::default().reconstruction()));
    assert_eq!(of(4, &Splicing::default()), of(4, &Splicing::default()));
}

#[test]
fn a_sweep_of_latents_equals_each_edit_alone() {
    let facts = Metadata::of("test", "blocks.1.resid_mid").with("hook_name_out", "blocks.1.mlp_out");
    let transcoder = dictionary(DictionaryConfig {
        metadata: facts,
        ..DictionaryConfig::transcoder(WIDTH, LATENTS, WIDTH, JumpRelu::default())
    });
    let metric = |logits: Tensor<3>| Ok::<Tensor<1>, Error>(logits.narrow(1, 2, 1).narrow(2, 3, 1).reshape([-1]));
    for (own, splicing) in [(top(), Splicing::default()), (transcoder, Splicing::default().reconstruction())] {
        let model = with(&own, &splicing);
        let mut sweep = model.sweep([1, 2, 3]).unwrap().quiet();
        let edits: Vec<Intervention> =
            (0..6).map(|latent| Intervention::set(1.0 + latent as f32).features([latent]).positions([-1])).collect();
        for (index, edit) in edits.iter().enumerate() {
            sweep = sweep.case(index.to_string(), "blocks.1.sae.acts", edit.clone());
        }
        let found = sweep.run(metric).unwrap();
        for (edit, got) in edits.into_iter().zip(found.means()) {
            let alone = model.run_with_hooks([1, 2, 3], [("blocks.1.sae.acts", edit)]).unwrap();
            let alone = f64::from(read(metric(alone).unwrap())[0]);
            assert!((got - alone).abs() < 1e-4, "{got} {alone}");
        }
    }
}

#[test]
fn captures_and_sweeps_know_the_axes_of_latents() {
    let model = with(&top(), &Splicing::default());
    let plan = Plan::new().capture(Capture::of("*.sae.acts").positions([-1]));
    assert_eq!(model.cost([1, 2, 3], &plan).unwrap().bytes(), 4 * LATENTS as u64);
    let whole = model.run_with_cache([1, 2, 3], ["*.sae.acts"]).unwrap().1.get::<3>("blocks.1.sae.acts").unwrap();
    let kept = model.run([1, 2, 3], plan).unwrap().cache.get::<3>("blocks.1.sae.acts").unwrap();
    assert_eq!(read(kept), read(whole)[2 * LATENTS..]);
    let rows = Tensor::<2>::from_data(TensorData::zeros::<f32, _>([3, WIDTH]), &Device::flex());
    assert_eq!(top().encode(rows).unwrap().dims(), [3, LATENTS]);
}
