//! Initial parameters: normally distributed, with a smaller scale for matrices that write into the residual stream.

use arrakis::models::transformer::{Init, RandomSource, Source, TransformerConfig};
use burn::tensor::{Device, Tensor, TensorData};

use super::settings::Settings;

/// GPT-2's initialisation (Radford et al., 2019): matrices that write into the stream are divided by `√(2 n_layers)`.
///
/// - With mimicry, heads start close to attending to similar tokens and copying them, as trained heads do (Trockman and
///   Kolter, "Mimetic Initialization of Self-Attention Layers", 2023).
/// - With waves, the position table starts as sinusoids (Vaswani et al., 2017), so that "one back" is the same rotation
///   for all positions.
pub(super) struct ScaledSource {
    inner: RandomSource,
    device: Device,
    settings: Settings,
    /// The factor on matrices that write into the stream.
    residual: f32,
    /// The name prefix of the last block. Its heads start as GPT-2's, because they may have to attend to dissimilar
    /// tokens.
    last_block: String,
    /// The latest `W_Q` or `W_V`.
    model: Option<Tensor<2>>,
}

/// The standard deviation that modules ask for.
const GPT2_STD: f32 = 0.02;

impl ScaledSource {
    pub(super) fn new(settings: &Settings, config: &TransformerConfig, device: &Device) -> Self {
        let last_block = if config.n_layers > 1 { format!("blocks.{}.", config.n_layers - 1) } else { "-".into() };
        let residual = ((2 * config.n_layers).max(1) as f32).sqrt().recip();
        Self {
            inner: RandomSource::new(settings.seed, device),
            device: device.clone(),
            settings: *settings,
            residual,
            last_block,
            model: None,
        }
    }

    fn matrix<const D: usize>(&mut self, name: &str, shape: [usize; D], std: f32) -> Tensor<D> {
        let writes = name.ends_with(".w_o.weight") || name.ends_with(".w_out.weight");
        let scale = if writes { self.residual } else { 1.0 };
        let drawn = self.inner.take(name, shape, Init::Normal(std * scale));
        let model = match name.rsplit('.').nth(1) {
            Some("w_k") => self.model.take(),
            Some("w_o") => self.model.take().map(|model| model.transpose() * scale),
            _ => None,
        };
        if matches!(name.rsplit('.').nth(1), Some("w_q" | "w_v")) {
            self.model = Some(drawn.clone().reshape([shape[0], shape[1]]));
        }
        match model {
            Some(model) if model.dims().as_slice() == shape && !name.starts_with(&self.last_block) => {
                self.alike(drawn, model.reshape(shape))
            }
            _ => drawn,
        }
    }

    /// `drawn`, correlated with `model` to the degree of the mimicry, with the same variance.
    fn alike<const D: usize>(&self, drawn: Tensor<D>, model: Tensor<D>) -> Tensor<D> {
        let mimicry = self.settings.mimicry;
        (drawn * (1.0 - mimicry * mimicry).sqrt() + model * mimicry).detach()
    }
}

impl Source for ScaledSource {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], init: Init) -> Tensor<D> {
        if self.settings.attention_only && name.contains(".mlp.") {
            return Tensor::zeros(shape, &self.device);
        }
        let Init::Normal(asked) = init else { return self.inner.take(name, shape, init) };
        let std = asked * self.settings.init_std / GPT2_STD;
        if self.settings.wave_positions && name == "pos_embed.weight" {
            return Tensor::from_data(TensorData::new(waves(shape[0], shape[1], std), shape), &self.device);
        }
        self.matrix(name, shape, std)
    }
}

/// `[positions, d_model]`, row-major: sine and cosine of geometric frequencies, from 1 to 1/1000 radian per position,
/// with root mean square `rms`.
fn waves(positions: usize, d_model: usize, rms: f32) -> Vec<f32> {
    let pairs = (d_model / 2).max(1);
    let wave = |position: usize, column: usize| {
        let frequency = 1000f64.powf(-((column / 2) as f64) / pairs as f64);
        let phase = if column.is_multiple_of(2) { 0.0 } else { std::f64::consts::FRAC_PI_2 };
        (position as f64 * frequency + phase).sin() as f32 * rms * std::f32::consts::SQRT_2
    };
    (0..positions).flat_map(|position| (0..d_model).map(move |column| wave(position, column))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis::models::device;

    #[test]
    fn matrices_that_write_into_the_stream_start_smaller() {
        let device = Device::flex();
        let config = TransformerConfig::plain("test", 2, 8, 2, 16, 8);
        let draw = |name: &str| {
            let mut source = ScaledSource::new(&Settings::default(), &config, &device);
            device::read(source.take(name, [8, 8], Init::Normal(0.02))).unwrap()
        };
        let (reads, writes) = (draw("blocks.0.attn.w_q.weight"), draw("blocks.0.attn.w_o.weight"));
        assert!(reads.iter().zip(&writes).all(|(a, b)| (a / 2.0 - b).abs() < 1e-7), "√(2 · 2) is 2");
    }

    #[test]
    fn mimicry_makes_keys_like_queries_and_keeps_the_variance() {
        let device = Device::flex();
        let config = TransformerConfig::plain("test", 1, 32, 2, 16, 8);
        let mut source = ScaledSource::new(&Settings { mimicry: 0.8, ..Settings::default() }, &config, &device);
        let mut draw = |name: &str| device::read(source.take(name, [32, 32], Init::Normal(0.02))).unwrap();
        let (q, k) = (draw("blocks.0.attn.w_q.weight"), draw("blocks.0.attn.w_k.weight"));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let cosine = dot(&q, &k) / (dot(&q, &q) * dot(&k, &k)).sqrt();
        assert!((cosine - 0.8).abs() < 0.05, "{cosine}");
        assert!((dot(&k, &k) / dot(&q, &q) - 1.0).abs() < 0.1);
    }

    #[test]
    fn waves_of_neighbouring_positions_are_one_rotation_apart() {
        let table = waves(10, 4, 1.0);
        let like = |a: usize, b: usize| (0..4).map(|column| table[4 * a + column] * table[4 * b + column]).sum::<f32>();
        assert!((like(2, 3) - like(7, 8)).abs() < 1e-5, "likeness depends on more than the distance");
        assert!((like(5, 5) - 4.0).abs() < 1e-5, "the mean square is not 1");
    }
}
