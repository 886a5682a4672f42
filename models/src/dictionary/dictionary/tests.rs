//! Small dictionaries by hand, and what does not fit.

use super::*;
use crate::dictionary::architectures::{Gated, JumpRelu, Standard};
use crate::dictionary::testing::{batch, close, read, tiny};
use crate::dictionary::{Init, Normalization};

#[test]
fn a_standard_dictionary_by_hand() {
    let mut dictionary = tiny(Standard, [[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 1.0]]);
    dictionary.b_dec = Param::from_tensor(Tensor::from_floats([1.0, 0.0], &Device::flex()));
    let x = batch([[2.0, 3.0], [0.0, 1.0]]).x;
    close(&read(dictionary.pre_acts(x.clone()).unwrap()), &[1.0, 6.0, -1.0, 2.0]);
    close(&read(dictionary.encode(x.clone()).unwrap()), &[1.0, 6.0, 0.0, 2.0]);
    close(&read(dictionary.apply(x.clone()).unwrap()), &[2.0, 7.0, 1.0, 2.0]);
    dictionary.config.apply_b_dec_to_input = false;
    close(&read(dictionary.encode(x).unwrap()), &[2.0, 6.0, 0.0, 2.0]);
}

#[test]
fn the_hooked_forward_and_the_parts_give_the_same_bits() {
    for normalization in [Normalization::None, Normalization::LayerNorm, Normalization::ConstantNormRescale] {
        let config = DictionaryConfig { normalization, ..DictionaryConfig::autoencoder(6, 10, Standard) };
        let dictionary = Dictionary::new(config, &Init::default(), 3, &Device::flex()).unwrap();
        let values: Vec<f32> = (0..24).map(|i| ((i * i) as f32).sin()).collect();
        let x = Tensor::<1>::from_floats(values.as_slice(), &Device::flex()).reshape([2, 2, 6]);
        let whole = read(dictionary.forward(x.clone()));
        assert_eq!(whole, read(dictionary.apply(x.clone()).unwrap()));
        assert_eq!(whole, read(dictionary.apply(x.reshape([4, 6])).unwrap()), "rows are independent");
    }
}

#[test]
fn a_skip_transcoder_adds_a_linear_path() {
    let config = DictionaryConfig::skip_transcoder(2, 2, 1, Standard);
    let device = Device::flex();
    let parameters = Parameters {
        w_enc: Tensor::eye(2, &device),
        b_enc: Some(Tensor::zeros([2], &device)),
        w_dec: Tensor::from_floats([[1.0], [10.0]], &device),
        b_dec: Tensor::from_floats([0.5], &device),
        w_skip: Some(Tensor::from_floats([[2.0], [3.0]], &device)),
        threshold: None,
        gate: None,
        centred: false,
    };
    let dictionary = Dictionary::of(config, parameters).unwrap();
    close(&read(dictionary.apply(batch([[1.0, -1.0]]).x).unwrap()), &[1.0 + 0.5 + 2.0 - 3.0]);
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let dictionary = tiny(Standard, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]);
    let wide = Tensor::<3>::zeros([1, 2, 3], &Device::flex());
    let said = dictionary.encode(wide).unwrap_err().to_string();
    assert_eq!(said, "the axis `d_in` should be 2 long, is 3 in a tensor of shape [1, 2, 3]");
    let objective = Objective::from(crate::dictionary::architectures::GatedLoss::default());
    let said = dictionary.losses(&objective, &batch([[1.0, 2.0]])).unwrap_err().to_string();
    assert_eq!(said, "`objective` is that of `gated`: the dictionary is `standard`; give an objective of that");
    let objective = dictionary.config.architecture.objective();
    let said = dictionary.losses(&objective, &batch([[1.0, 2.0]]).dead(&[true])).unwrap_err().to_string();
    assert_eq!(said, "expected 2 flags of dead latents, or none, got 1");
}

#[test]
fn parameters_that_do_not_fit_are_named_all_at_once() {
    let parameters = || tiny(Standard, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]).parameters();
    let said = |config: DictionaryConfig| Dictionary::of(config, parameters()).unwrap_err().to_string();
    let gated = said(DictionaryConfig::autoencoder(2, 2, Gated));
    assert_eq!(
        gated,
        "the parameters do not fit the dictionary's config:\n\
         `b_enc` is there, but this `gated` dictionary has none: leave it out\n\
         `b_gate` is missing: a `gated` dictionary needs one of shape [2]\n\
         `b_mag` is missing: a `gated` dictionary needs one of shape [2]\n\
         `r_mag` is missing: a `gated` dictionary needs one of shape [2]"
    );
    assert!(said(DictionaryConfig::autoencoder(2, 2, JumpRelu::default())).contains("`threshold` is missing"));
    let wide = said(DictionaryConfig::autoencoder(2, 3, Standard));
    assert!(wide.contains("`w_enc` has shape [2, 2], the config needs [2, 3]"), "{wide}");
}
