//! Crosscoders in runs of two small models, beside what is computed from captures of both.

use burn::tensor::Device;

use super::*;
use crate::config::TransformerConfig;
use crate::device::read;
use crate::dictionary::architectures::{Standard, TopK};
use crate::dictionary::{DictionaryConfig, Init};
use crate::generate::Generation;
use crate::hooks::Intervention;
use crate::model::HookedAutoModel;
use crate::site;
use crate::tokens::{Side, Tokens};

const WIDTH: usize = 12;
const LATENTS: usize = 20;
const ACTS: &str = "blocks.1.sae.acts";

fn model(seed: u64) -> HookedTransformer {
    HookedAutoModel::lively(&TransformerConfig::plain("test", 3, WIDTH, 3, 20, 16), seed).unwrap()
}

/// A base and its tuning, as far as a crosscoder can tell.
fn two() -> [HookedTransformer; 2] {
    [model(1), model(2)]
}

fn crosscoder(sources: usize) -> Dictionary {
    let config = DictionaryConfig::crosscoder(sources, WIDTH, LATENTS, TopK { k: 4, ..TopK::default() });
    Dictionary::new(config, &Init { decoder_norm: None, ..Init::default() }, 4, &Device::flex()).unwrap()
}

/// One of the models with the crosscoder at `blocks.1.resid_post`.
fn spliced(own: usize, splicing: &Splicing) -> HookedTransformer {
    let models = two();
    let sources = [(&models[0], site::resid_post(1)), (&models[1], site::resid_post(1))];
    models[own].spliced([crosscoder(2).splice_of_source(own, &sources, splicing).unwrap()]).unwrap()
}

fn stream(model: &HookedTransformer, layer: usize) -> Tensor<3> {
    model.capture([1, 2, 3], [Capture::of(site::resid_post(layer))]).unwrap().get(site::resid_post(layer)).unwrap()
}

/// What both models have at the site, side by side.
fn both() -> Tensor<3> {
    Tensor::cat(two().iter().map(|model| stream(model, 1)).collect(), 2)
}

fn close(found: &[f32], expected: &[f32]) {
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5 * (1.0 + b.abs());
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(near), "{found:?} {expected:?}");
}

fn numbers(tensor: Tensor<3>) -> Vec<f32> {
    read(tensor).unwrap()
}

#[test]
fn with_the_error_term_each_model_computes_what_it_did_to_the_bit() {
    for (own, plain) in two().iter().enumerate() {
        let model = spliced(own, &Splicing::default());
        let expected = numbers(plain.forward([1, 2, 3]).unwrap());
        assert_eq!(numbers(model.forward([1, 2, 3]).unwrap()), expected);
        let (logits, cache) = model.run_with_cache([1, 2, 3], ["*.sae.*"]).unwrap();
        assert_eq!(numbers(logits), expected, "looking changes nothing");
        close(&numbers(cache.get(ACTS).unwrap()), &numbers(crosscoder(2).encode(both()).unwrap()));
        let parts = ["recon", "error"].map(|part| cache.get::<3>(format!("blocks.1.sae.{part}").as_str()).unwrap());
        close(&numbers(parts[0].clone() + parts[1].clone()), &numbers(both()));
    }
}

#[test]
fn without_it_each_model_goes_on_with_its_part_of_the_reconstruction() {
    let whole = crosscoder(2).apply(both()).unwrap();
    for (own, plain) in two().iter().enumerate() {
        let model = spliced(own, &Splicing::default().reconstruction());
        let part = whole.clone().narrow(2, own * WIDTH, WIDTH);
        let (logits, cache) = model.run_with_cache([1, 2, 3], ["resid_post1"]).unwrap();
        close(&numbers(cache.get("resid_post1").unwrap()), &numbers(part.clone()));
        let goes_on = plain.run_from([1, 2, 3], Plan::new(), Some((2, part)), &crate::RunOptions::new()).unwrap();
        close(&numbers(logits), &numbers(goes_on.output));
    }
}

#[test]
fn a_latent_moves_each_model_along_its_direction_there() {
    let acts = numbers(crosscoder(2).encode(both()).unwrap());
    let last = acts[2 * LATENTS..].iter().copied().enumerate();
    let (latent, act) = last.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert!(act > 0.0);
    let direction = read(crosscoder(2).w_dec.val().narrow(0, latent, 1)).unwrap();
    for (own, plain) in two().iter().enumerate() {
        let edits = [(Intervention::zero(), -act), (Intervention::set(7.0), 7.0 - act)];
        for (edit, moved) in edits {
            let edit = edit.features([latent]).positions([-1]);
            let ours = spliced(own, &Splicing::default()).run_with_hooks([1, 2, 3], [(ACTS, edit)]).unwrap();
            let by: Vec<f32> = direction[own * WIDTH..][..WIDTH].iter().map(|x| x * moved).collect();
            let steered = Intervention::add(by, 1.0).positions([-1]);
            let expected = plain.run_with_hooks([1, 2, 3], [("blocks.1.resid_post", steered)]).unwrap();
            close(&numbers(ours), &numbers(expected));
        }
    }
}

/// What follows the site sees a latent only through its direction, so the chain rule gives its gradient.
#[test]
fn gradients_at_latents_are_those_of_the_stream_along_their_directions() {
    for (own, plain) in two().iter().enumerate() {
        let slope = |model: &HookedTransformer, site: &str| {
            let outcome = model.run([1, 2, 3], Plan::new().grad(site)).unwrap();
            let metric = outcome.output.clone().narrow(1, 2, 1).narrow(2, 5, 1).reshape([1]);
            let found = outcome.gradients(metric).unwrap();
            found.activation(site).unwrap().tensor::<3>().unwrap()
        };
        let of_stream = slope(plain, "blocks.1.resid_post").reshape([3, WIDTH]);
        let directions = crosscoder(2).w_dec.val().narrow(1, own * WIDTH, WIDTH);
        let expected = of_stream.inner().matmul(directions.transpose());
        let found = slope(&spliced(own, &Splicing::default()), ACTS).reshape([3, LATENTS]).inner();
        let expected = read(expected).unwrap();
        assert!(expected.iter().any(|slope| slope.abs() > 1e-3));
        close(&read(found).unwrap(), &expected);
    }
}

#[test]
fn a_padded_batch_has_the_latents_of_each_prompt_alone() {
    let model = spliced(1, &Splicing::default().reconstruction());
    let alone = |tokens: &[u32]| numbers(model.capture(tokens.to_vec(), [ACTS]).unwrap().get(ACTS).unwrap());
    let rows: [&[u32]; 2] = [&[1, 2, 3], &[4, 5]];
    for (side, start) in [(Side::Left, 4), (Side::Right, 3)] {
        let tokens = Tokens::padded(&rows.map(<[u32]>::to_vec), side, 0).unwrap();
        let acts = numbers(model.capture(&tokens, [ACTS]).unwrap().get(ACTS).unwrap());
        close(&acts[..3 * LATENTS], &alone(rows[0]));
        close(&acts[start * LATENTS..(start + 2) * LATENTS], &alone(rows[1]));
    }
}

/// A cache holds the own model's earlier positions, a sweep the unchanged ones. The other model sees the whole text.
#[test]
fn generation_and_sweeps_have_the_numbers_of_whole_runs() {
    let model = spliced(1, &Splicing::default().reconstruction());
    let generated = model.generate([1, 2, 3], &Generation::greedy(4)).unwrap();
    let mut text = vec![1, 2, 3];
    for _ in 0..4 {
        let logits = numbers(model.forward(text.clone()).unwrap());
        let last = logits[logits.len() - 20..].iter().enumerate();
        text.push(last.max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0 as u32);
    }
    assert_eq!(generated.ids[0], text);
    let metric = |logits: Tensor<3>| Ok::<Tensor<1>, Error>(logits.narrow(1, 2, 1).narrow(2, 3, 1).reshape([-1]));
    let edit = |latent: usize| Intervention::set(1.0 + latent as f32).features([latent]).positions([-1]);
    let sweep = model.sweep([1, 2, 3]).unwrap().quiet();
    let sweep = (0..4).fold(sweep, |sweep, latent| sweep.case(latent.to_string(), ACTS, edit(latent)));
    for (latent, found) in sweep.run(metric).unwrap().means().into_iter().enumerate() {
        let alone = model.run_with_hooks([1, 2, 3], [(ACTS, edit(latent))]).unwrap();
        let alone = f64::from(read(metric(alone).unwrap()).unwrap()[0]);
        assert!((found - alone).abs() < 1e-4, "{found} {alone}");
    }
}

#[test]
fn layers_of_one_model_are_sources_too() {
    let (model, own) = (model(1), crosscoder(3));
    let sources = [0, 1, 2].map(|layer| (&model, site::resid_post(layer)));
    let splicing = Splicing::default().reconstruction();
    let whole = own.apply(Tensor::cat((0..3).map(|layer| stream(&model, layer)).collect(), 2)).unwrap();
    for layer in 0..3 {
        let spliced = model.spliced([own.splice_of_source(layer, &sources, &splicing).unwrap()]).unwrap();
        close(&numbers(stream(&spliced, layer)), &numbers(whole.clone().narrow(2, layer * WIDTH, WIDTH)));
    }
}

#[test]
fn the_other_model_and_the_place_are_part_of_the_fingerprint() {
    let own = crosscoder(2);
    let of = |other: u64, place: usize| {
        let (own_model, other) = (model(1), model(other));
        let mut sources = [(&own_model, site::resid_post(1)), (&other, site::resid_post(1))];
        sources.rotate_right(place);
        let splice = own.splice_of_source(place, &sources, &Splicing::default()).unwrap();
        own_model.spliced([splice]).unwrap().fingerprint().unwrap()
    };
    assert_eq!(of(2, 0), of(2, 0));
    assert_ne!(of(2, 0), of(3, 0));
    assert_ne!(of(2, 0), of(2, 1));
}

#[test]
fn what_cannot_be_spliced_is_refused() {
    let (base, at) = (model(1), site::resid_post(1));
    let said = |dictionary: &Dictionary, own: usize, sources: &[(&HookedTransformer, Site)]| {
        dictionary.splice_of_source(own, sources, &Splicing::default()).unwrap_err().to_string()
    };
    let plain = DictionaryConfig::autoencoder(WIDTH, LATENTS, Standard);
    let plain = Dictionary::new(plain, &Init::default(), 1, &Device::flex()).unwrap();
    assert_eq!(
        said(&plain, 0, &[(&base, at)]),
        "`sources of a splice` is 1: this dictionary is no crosscoder; use `splices` or `splice_at`"
    );
    assert_eq!(
        said(&crosscoder(2), 0, &[(&base, at)]),
        "expected 2 sources of the crosscoder, each a model and a site, got 1"
    );
    let pair = [(&base, at), (&base, at)];
    assert_eq!(said(&crosscoder(2), 2, &pair), "source 2 is out of range: there are 2, numbered from 0");
    let far = said(&crosscoder(2), 0, &[(&base, at), (&base, site::resid_post(7))]);
    assert!(far.contains("no site fits `blocks.7.resid_post`; did you mean "), "{far}");
    assert_eq!(
        said(&crosscoder(2), 0, &[(&base, at), (&base, site::mlp_post(1))]),
        "`source` is `blocks.1.mlp.post` of `lively random test`: a token has [48] numbers there, the crosscoder reads 12 of each source"
    );
    let small = HookedAutoModel::lively(&TransformerConfig::plain("small", 3, WIDTH, 3, 5, 16), 1).unwrap();
    let splice = crosscoder(2).splice_of_source(0, &[(&base, at), (&small, at)], &Splicing::default()).unwrap();
    assert_eq!(
        base.spliced([splice]).unwrap().forward([1, 9]).unwrap_err().to_string(),
        "source 1 of the crosscoder, `blocks.1.resid_post` of `lively random small`, in this run is not supported: token 9 is out of \
         range: there are 5, numbered from 0"
    );
}
