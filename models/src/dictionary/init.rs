//! How a dictionary starts.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::architectures::Parts;
use super::config::DictionaryConfig;
use super::dictionary::Dictionary;
use super::parameters::{Gate, Parameters};
use crate::device;
use crate::error::{Error, Result};

/// How the weights start. Biases start at zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Init {
    /// The length of the decoder's rows, in each source of a crosscoder; `None` leaves them as drawn.
    pub decoder_norm: Option<f64>,
    /// Whether the encoder starts as the decoder's transpose. A transcoder of two widths draws it apart.
    pub tied: bool,
    /// Whether a decoder of zeros follows, as sparsify starts a transcoder. The encoder stays as drawn.
    pub zero_decoder: bool,
}

/// A tied encoder and rows of length 0.1 (Anthropic's update of April 2024), as in `SAELens`.
impl Default for Init {
    fn default() -> Self {
        Self { decoder_norm: Some(0.1), tied: true, zero_decoder: false }
    }
}

impl Dictionary {
    /// A dictionary to be trained. Rows of the decoder are Kaiming uniform (±√(6 / `d_out`)), then scaled. The same seed gives
    /// the same bytes on any device.
    ///
    /// # Errors
    ///
    /// Those of [`DictionaryConfig::check`], and [`Error::Setting`] for a norm that is not positive.
    pub fn new(config: DictionaryConfig, init: &Init, seed: u64, device: &Device) -> Result<Self> {
        config.check()?;
        if let Some(norm) = init.decoder_norm.filter(|norm| !(norm.is_finite() && *norm > 0.0)) {
            let fix = "give a positive length, or `None`".into();
            return Err(Error::Setting { setting: "decoder_norm", value: norm.to_string(), fix });
        }
        let (w_enc, w_dec) = matrices(&config, init, &mut ChaCha8Rng::seed_from_u64(seed), device);
        let Parts { threshold, gate } = config.architecture.encoder().parts();
        let zeros = || Tensor::<1>::zeros([config.d_sae], device);
        let parameters = Parameters {
            w_enc,
            b_enc: (!gate).then(zeros),
            w_dec,
            b_dec: Tensor::zeros([config.d_out], device),
            w_skip: config.skip.then(|| Tensor::zeros([config.d_in, config.d_out], device)),
            threshold: threshold.map(|start| Tensor::full([config.d_sae], start, device)),
            gate: gate.then(|| Gate { b_gate: zeros(), b_mag: zeros(), r_mag: zeros() }),
            centred: config.apply_b_dec_to_input,
        };
        Self::of(config, parameters)
    }
}

fn matrices(config: &DictionaryConfig, init: &Init, rng: &mut ChaCha8Rng, device: &Device) -> (Tensor<2>, Tensor<2>) {
    let mut rows = uniform(rng, config.d_sae, config.d_out);
    if let Some(norm) = init.decoder_norm {
        rows.chunks_exact_mut(config.d_out / config.sources).for_each(|row| scale_to(row, norm));
    }
    let decoder = Tensor::<2>::from_data(TensorData::new(rows, [config.d_sae, config.d_out]), device);
    let encoder = if init.tied && config.d_in == config.d_out {
        let turned = decoder.clone().transpose();
        // A view would keep the decoder's memory, in which rows of the encoder are far apart.
        Tensor::from_data(turned.into_data(), device)
    } else {
        let rows = uniform(rng, config.d_sae, config.d_in);
        let apart = Tensor::<2>::from_data(TensorData::new(rows, [config.d_sae, config.d_in]), device);
        Tensor::from_data(apart.transpose().into_data(), device)
    };
    let decoder = if init.zero_decoder { decoder.zeros_like() } else { decoder };
    (encoder, decoder)
}

/// Kaiming uniform rows: numbers between ±√(6 / width).
fn uniform(rng: &mut ChaCha8Rng, rows: usize, width: usize) -> Vec<f32> {
    let bound = (6.0 / width as f32).sqrt();
    (0..rows * width).map(|_| rng.random_range(-bound..bound)).collect()
}

fn scale_to(row: &mut [f32], norm: f64) {
    let length = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        for x in row {
            *x = (f64::from(*x) * norm / length) as f32;
        }
    }
}

/// The point with the smallest sum of distances to rows `[rows, d]`: where `OpenAI` starts `b_dec`. Weiszfeld's iteration,
/// until it moves by less than 1e-5 or 100 times, as in `dictionary_learning`; rows at the point itself are left out.
///
/// # Errors
///
/// [`Error::Count`] if there are no rows, and [`Error::Device`].
pub fn geometric_median(points: &Tensor<2>) -> Result<Tensor<1>> {
    let [rows, d] = points.dims();
    if rows == 0 {
        return Err(Error::Count { what: "rows to take a median of".into(), expected: 1, actual: 0 });
    }
    let mut guess = points.clone().mean_dim(0);
    for _ in 0..100 {
        let distances = (points.clone() - guess.clone()).square().sum_dim(1).sqrt();
        let at_it = distances.clone().lower_equal_scalar(0.0);
        let weights = distances.recip().mask_fill(at_it, 0.0);
        let all = device::read(weights.clone().sum())?[0];
        if all == 0.0 {
            break;
        }
        let next = (points.clone() * weights).sum_dim(0) / f64::from(all);
        let moved = device::read((next.clone() - guess).square().sum().sqrt())?[0];
        guess = next;
        if moved < 1e-5 {
            break;
        }
    }
    Ok(guess.reshape([d]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::architectures::{JumpRelu, Standard};
    use crate::dictionary::testing::{close, read};

    fn new(config: DictionaryConfig, init: &Init, seed: u64) -> Dictionary {
        Dictionary::new(config, init, seed, &Device::flex()).unwrap()
    }

    #[test]
    fn rows_have_the_length_asked_for_and_the_encoder_is_their_transpose() {
        let dictionary = new(DictionaryConfig::autoencoder(5, 7, Standard), &Init::default(), 1);
        close(&read(dictionary.parameters().decoder_norms()), &[0.1; 7]);
        assert_eq!(read(dictionary.w_enc.val()), read(dictionary.w_dec.val().transpose()));
        let again = new(DictionaryConfig::autoencoder(5, 7, Standard), &Init::default(), 1);
        assert_eq!(read(again.w_enc.val()), read(dictionary.w_enc.val()), "the same seed");
        let other = new(DictionaryConfig::autoencoder(5, 7, Standard), &Init::default(), 2);
        assert_ne!(read(other.w_enc.val()), read(dictionary.w_enc.val()));
    }

    #[test]
    fn numbers_as_drawn_fill_their_range() {
        let init = Init { decoder_norm: None, ..Init::default() };
        let values = read(new(DictionaryConfig::autoencoder(24, 500, Standard), &init, 1).w_dec.val());
        let bound = (6.0_f32 / 24.0).sqrt();
        assert!(values.iter().all(|x| x.abs() <= bound) && values.iter().any(|x| x.abs() > 0.99 * bound));
        let variance = values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32;
        assert!((variance / (bound * bound / 3.0) - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn a_transcoder_may_start_with_a_decoder_of_zeros() {
        let init = Init { zero_decoder: true, ..Init::default() };
        let dictionary = new(DictionaryConfig::skip_transcoder(3, 7, 4, JumpRelu::default()), &init, 1);
        assert!(read(dictionary.w_dec.val()).iter().all(|x| *x == 0.0));
        assert!(read(dictionary.w_enc.val()).iter().all(|x| *x != 0.0));
        assert_eq!(dictionary.w_skip.as_ref().unwrap().val().dims(), [3, 4]);
        close(&read(dictionary.threshold.as_ref().unwrap().val()), &[0.01; 7]);
    }

    #[test]
    fn a_crosscoder_has_rows_of_the_length_in_each_source() {
        let init = Init { decoder_norm: Some(0.08), ..Init::default() };
        let crosscoder = new(DictionaryConfig::crosscoder(3, 4, 7, Standard), &init, 1);
        close(&read(crosscoder.w_dec.val().reshape([21, 4]).square().sum_dim(1)), &[0.0064; 21]);
        close(&read(crosscoder.parameters().norms_of_sources(3)), &[0.24; 7]);
    }

    #[test]
    fn a_norm_that_is_not_positive_is_refused() {
        let init = Init { decoder_norm: Some(0.0), ..Init::default() };
        let config = DictionaryConfig::autoencoder(3, 7, Standard);
        let error = Dictionary::new(config, &init, 0, &Device::flex()).unwrap_err().to_string();
        assert_eq!(error, "`decoder_norm` is 0: give a positive length, or `None`");
    }

    #[test]
    fn the_median_of_points_on_a_line_is_the_middle_one() {
        let points = Tensor::from_floats([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]], &Device::flex());
        let median = read(geometric_median(&points).unwrap());
        assert!(median.iter().all(|x| (x - 1.0).abs() < 0.02), "{median:?}");
        let error = geometric_median(&Tensor::zeros([0, 2], &Device::flex())).unwrap_err().to_string();
        assert_eq!(error, "expected 1 rows to take a median of, got 0");
    }
}
