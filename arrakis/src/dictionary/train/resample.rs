//! New weights for dead latents: directions of activations that the dictionary reconstructs badly.

use arrakis_models::device;
use arrakis_models::dictionary::Dictionary;
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::optimizer::{Moments, Optimizer};
use super::settings::{DecoderRule, Training, refuse};
use crate::dictionary::metrics::{Dead, DeadAfter};
use crate::error::Result;

/// The length of a new encoder direction, as a share of the mean of those alive.
const ENCODER: f32 = 0.2;

/// Gives dead latents new weights, and says which. Dead are those that did not fire for half the steps between two
/// resamplings. Each takes an activation of the batch, drawn with a chance that grows with its error: its direction for the
/// encoder, scaled to a fifth of the mean length of those alive, and for the decoder; a bias of 0, and no moments of Adam.
///
/// Source: Bricken et al., "Towards Monosemanticity" (2023), "Neuron Resampling", in the form of `dictionary_learning`.
pub(super) fn resample(
    dictionary: &mut Dictionary,
    optimizer: &mut Optimizer,
    dead: &Dead,
    training: &Training,
    [x, target]: [&Tensor<2>; 2],
) -> Result<Vec<usize>> {
    let settings = training.resampling.ok_or_else(|| refuse("there is no resampling".into()))?;
    let (_, step) = dead.seen();
    let flags = dead.flags(DeadAfter::Steps((settings.every as u64).div_ceil(2)));
    let mut latents: Vec<usize> = flags.iter().enumerate().filter_map(|(at, dead)| dead.then_some(at)).collect();
    let alive = flags.len() - latents.len();
    if latents.is_empty() || alive == 0 {
        return Ok(Vec::new());
    }
    let residual = target.clone() - dictionary.apply(x.clone())?;
    let errors = device::read(residual.clone().square().sum_dim(1).sqrt())?;
    let mut rng = ChaCha8Rng::seed_from_u64(training.seed);
    rng.set_stream(step);
    let rows = drawn(&errors, settings.power, latents.len(), &mut rng);
    latents.truncate(rows.len());
    let new = New::of(dictionary, &flags, alive, training.decoder, [x, &residual], &rows)?;
    new.write(dictionary, &latents)?;
    forget(optimizer, dictionary, &latents)?;
    Ok(latents)
}

/// Rows drawn without replacement, each with a chance that is a power of its error (Efraimidis and Spirakis, 2006).
fn drawn(errors: &[f32], power: f64, most: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let lot = |error: &f32| {
        let (weight, uniform) = (f64::from(*error).powf(power), rng.random::<f64>());
        if weight > 0.0 { (1.0 - uniform).ln() / weight } else { f64::NEG_INFINITY }
    };
    let lots: Vec<f64> = errors.iter().map(lot).collect();
    let mut rows: Vec<usize> = (0..errors.len()).filter(|row| lots[*row].is_finite()).collect();
    rows.sort_by(|a, b| lots[*b].total_cmp(&lots[*a]).then(a.cmp(b)));
    rows.truncate(most);
    rows
}

/// New directions, one a latent.
struct New {
    /// `[latent][d_in]`
    encoder: Vec<Vec<f32>>,
    /// `[latent][d_out]`
    decoder: Vec<Vec<f32>>,
}

impl New {
    fn of(
        dictionary: &Dictionary,
        dead: &[bool],
        alive: usize,
        rule: DecoderRule,
        [x, residual]: [&Tensor<2>; 2],
        rows: &[usize],
    ) -> Result<Self> {
        let config = &dictionary.config;
        let mean_of_alive = |lengths: Vec<f32>| {
            let own = lengths.iter().zip(dead).filter(|(_, dead)| !**dead).map(|(length, _)| *length);
            own.sum::<f32>() / alive as f32
        };
        let encoder = mean_of_alive(device::read(dictionary.w_enc.val().square().sum_dim(0).sqrt())?);
        let decoder = match rule {
            DecoderRule::UnitNorm => 1.0,
            DecoderRule::Free => mean_of_alive(device::read(dictionary.w_dec.val().square().sum_dim(1).sqrt())?),
        };
        let input =
            if config.apply_b_dec_to_input { x.clone() - dictionary.b_dec.val().unsqueeze() } else { x.clone() };
        let output = if config.transcodes { residual.clone() } else { input.clone() };
        let of = |tensor: Tensor<2>, length: f32| -> Result<Vec<Vec<f32>>> {
            let (width, numbers) = (tensor.dims()[1], device::read(tensor)?);
            Ok(rows.iter().map(|row| scaled(&numbers[row * width..(row + 1) * width], length)).collect())
        };
        Ok(Self { encoder: of(input, ENCODER * encoder)?, decoder: of(output, decoder)? })
    }

    fn write(&self, dictionary: &mut Dictionary, latents: &[usize]) -> Result<()> {
        let [d_in, d_sae] = dictionary.w_enc.val().dims();
        let d_out = dictionary.config.d_out;
        let mut w_enc = device::read(dictionary.w_enc.val())?;
        let mut w_dec = device::read(dictionary.w_dec.val())?;
        for (latent, (read, written)) in latents.iter().zip(self.encoder.iter().zip(&self.decoder)) {
            read.iter().enumerate().for_each(|(at, number)| w_enc[at * d_sae + latent] = *number);
            w_dec[latent * d_out..(latent + 1) * d_out].copy_from_slice(written);
        }
        let device = dictionary.device();
        dictionary.w_enc = Param::from_tensor(Tensor::from_data(TensorData::new(w_enc, [d_in, d_sae]), &device));
        dictionary.w_dec = Param::from_tensor(Tensor::from_data(TensorData::new(w_dec, [d_sae, d_out]), &device));
        let zeroed = |param: &mut Param<Tensor<1>>| -> Result<()> {
            let mut numbers = device::read(param.val())?;
            for latent in latents {
                numbers[*latent] = 0.0;
            }
            *param = Param::from_tensor(Tensor::from_data(TensorData::new(numbers, [d_sae]), &device));
            Ok(())
        };
        let gate = dictionary.gate.as_mut().map(|gate| [&mut gate.b_gate, &mut gate.b_mag, &mut gate.r_mag]);
        dictionary.b_enc.iter_mut().chain(gate.into_iter().flatten()).try_for_each(zeroed)
    }
}

/// A vector of this length in the same direction.
fn scaled(vector: &[f32], length: f32) -> Vec<f32> {
    let own = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter().map(|x| x * length / own).collect()
}

/// Zeroes the moments of some latents in every parameter that has one entry, row or column for each.
fn forget(optimizer: &mut Optimizer, dictionary: &Dictionary, latents: &[usize]) -> Result<()> {
    let (d_sae, d_out) = (dictionary.config.d_sae, dictionary.config.d_out);
    let mut moments = optimizer.moments()?;
    for (name, Moments { first, second, .. }) in &mut moments {
        for numbers in [first, second] {
            for latent in latents {
                match name.as_str() {
                    "w_enc" => numbers.iter_mut().skip(*latent).step_by(d_sae).for_each(|moment| *moment = 0.0),
                    "w_dec" => numbers[latent * d_out..(latent + 1) * d_out].fill(0.0),
                    "b_dec" | "w_skip" => {}
                    _ => numbers[*latent] = 0.0,
                }
            }
        }
    }
    optimizer.restore(moments, &dictionary.device());
    Ok(())
}
