//! What is folded changes no latent and no reconstruction.

use burn::tensor::Device;

use super::*;
use crate::dictionary::architectures::{BatchTopK, Gated, JumpRelu, Standard, TopK};
use crate::dictionary::testing::{close, read, tracked};
use crate::dictionary::{DictionaryConfig, Init};

const D: usize = 5;

fn values<const N: usize>(dims: [usize; N], scale: f32) -> Tensor<N> {
    let count = dims.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| scale * ((i * 7 + 3) as f32).sin()).collect();
    Tensor::<1>::from_floats(values.as_slice(), &Device::flex()).reshape(dims)
}

/// Dictionaries of every kind with biases, in both conventions for `b_dec`.
fn all() -> Vec<Dictionary> {
    let top = TopK { k: 3, rescale_acts_by_decoder_norm: true };
    let batch = BatchTopK { k: 3.0, rescale_acts_by_decoder_norm: true, threshold: 0.2 };
    let kinds: [Architecture; 5] =
        [Standard.into(), Gated.into(), JumpRelu { initial_threshold: 0.2 }.into(), top.into(), batch.into()];
    let configs = kinds.into_iter().flat_map(|kind| {
        [true, false].map(|apply_b_dec_to_input| DictionaryConfig {
            apply_b_dec_to_input,
            ..DictionaryConfig::autoencoder(D, 8, kind.clone())
        })
    });
    configs.map(lively).collect()
}

fn lively(config: DictionaryConfig) -> Dictionary {
    let init = Init { decoder_norm: None, ..Init::default() };
    let mut dictionary = Dictionary::new(config, &init, 5, &Device::flex()).unwrap();
    let d_out = dictionary.config.d_out;
    dictionary.b_enc = dictionary.b_enc.map(|bias| changed(bias, |_| values([8], 0.3)));
    dictionary.b_dec = changed(dictionary.b_dec, |_| values([d_out], 0.2));
    if let Some(mut gate) = dictionary.gate.take() {
        gate.b_gate = changed(gate.b_gate, |_| values([8], 0.2));
        gate.b_mag = changed(gate.b_mag, |_| values([8], -0.3));
        gate.r_mag = changed(gate.r_mag, |_| values([8], 0.5));
        dictionary.gate = Some(gate);
    }
    let d_in = dictionary.config.d_in;
    dictionary.w_skip = dictionary.w_skip.map(|skip| changed(skip, |_| values([d_in, d_out], 0.4)));
    dictionary
}

#[test]
fn a_folded_affine_map_gives_the_same_latents_and_what_they_write_in_its_units() {
    let input = Affine { mean: values([D], 2.0), scale: 0.25 };
    for dictionary in all() {
        let x = values([6, D], 3.0);
        let z = (x.clone() - input.mean.clone().unsqueeze()) * input.scale;
        let (acts, written) = (read(dictionary.encode(z.clone()).unwrap()), dictionary.apply(z).unwrap());
        let in_units = read(written / input.scale + input.mean.clone().unsqueeze());
        let folded = dictionary.fold_affine(&input, &input).unwrap();
        close(&read(folded.apply(x.clone()).unwrap()), &in_units);
        let rescaled = folded.config.architecture.clone().rescale_flag().is_some();
        // In units of decoder norms, which are four times as large.
        let acts: Vec<f32> = acts.iter().map(|act| if rescaled { act * 4.0 } else { *act }).collect();
        close(&read(folded.encode(x).unwrap()), &acts);
        assert!(acts.iter().any(|act| *act > 0.0));
    }
}

#[test]
fn the_two_scales_of_a_skip_transcoder_are_folded() {
    let (input, output) =
        (Affine { mean: values([D], 2.0), scale: 0.25 }, Affine { mean: values([3], 1.0), scale: 2.0 });
    let transcoder = lively(DictionaryConfig::skip_transcoder(D, 8, 3, Standard));
    let x = values([6, D], 3.0);
    let z = (x.clone() - input.mean.clone().unsqueeze()) * input.scale;
    let expected = transcoder.apply(z).unwrap() / output.scale + output.mean.clone().unsqueeze();
    let folded = transcoder.clone().fold_affine(&input, &output).unwrap();
    close(&read(folded.apply(x).unwrap()), &read(expected));
    let error = transcoder.fold_scale(2.0).unwrap_err().to_string();
    assert_eq!(error, "`scale of a transcoder` is 2: give the scales of both tensors with `fold_affine`");
}

#[test]
fn a_folded_whitening_gives_the_same_reconstructions() {
    let mean = values([D], 1.0);
    // A shear and its inverse.
    let shear = |by: f32| Tensor::<2>::eye(D, &Device::flex()).slice_fill([0..1, 1..2], by);
    for dictionary in all() {
        let x = values([6, D], 2.0);
        let z = (x.clone() - mean.clone().unsqueeze()).matmul(shear(0.5));
        let expected = dictionary.apply(z).unwrap().matmul(shear(-0.5)) + mean.clone().unsqueeze();
        let folded = dictionary.fold_whitening(&mean, &shear(0.5), &shear(-0.5)).unwrap();
        close(&read(folded.apply(x).unwrap()), &read(expected));
    }
}

#[test]
fn biases_are_scaled_as_dictionary_learning_scales_them() {
    for dictionary in all() {
        let x = values([6, D], 2.0);
        let expected = read(dictionary.apply(x.clone() / 4.0).unwrap() * 4.0);
        close(&read(dictionary.scale_biases(4.0).unwrap().apply(x).unwrap()), &expected);
    }
}

#[test]
fn folded_decoder_norms_are_one_and_change_no_reconstruction() {
    for dictionary in all() {
        let x = values([6, D], 2.0);
        let expected = read(dictionary.apply(x.clone()).unwrap());
        let folded = dictionary.fold_decoder_norm().unwrap();
        close(&read(folded.parameters().decoder_norms()), &[1.0; 8]);
        close(&read(folded.apply(x).unwrap()), &expected);
    }
    let top = lively(DictionaryConfig::autoencoder(D, 8, TopK { k: 3, ..TopK::default() }));
    assert_eq!(
        top.fold_decoder_norm().unwrap_err().to_string(),
        "`rescale_acts_by_decoder_norm` is false: folding the norms of a `topk` dictionary would change which latents are the \
         largest"
    );
}

#[test]
fn constraints_keep_ids_and_gradients() {
    let dictionary = tracked(lively(DictionaryConfig::autoencoder(D, 8, JumpRelu { initial_threshold: -0.5 })));
    let id = dictionary.w_dec.id;
    let unit = dictionary.with_unit_decoder().project_threshold();
    assert_eq!(unit.w_dec.id, id);
    assert!(unit.w_dec.val().is_require_grad());
    close(&read(unit.parameters().decoder_norms()), &[1.0; 8]);
    close(&read(unit.threshold.as_ref().unwrap().val()), &[0.0; 8]);
    let left = unit.along_unit_decoder(values([8, D], 1.0));
    close(&read((left * unit.w_dec.val().inner()).sum_dim(1)), &[0.0; 8]);
}

#[test]
fn the_threshold_of_a_batch_follows_its_smallest_latent() {
    let of = |threshold| BatchTopK { k: 1.0, rescale_acts_by_decoder_norm: false, threshold };
    let acts = Tensor::from_floats([[0.0, 2.0], [3.0, 0.0]], &Device::flex());
    for (before, rate, after) in [(1.0, 0.25, 1.25), (-1.0, 0.25, 2.0)] {
        let mut dictionary = lively(DictionaryConfig::autoencoder(D, 8, of(before)));
        dictionary.update_threshold(&acts, rate).unwrap();
        dictionary.update_threshold(&Tensor::zeros([2, 2], &Device::flex()), rate).unwrap();
        assert_eq!(dictionary.config.architecture, of(after).into());
    }
}
