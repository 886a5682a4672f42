//! How parameters start: normal numbers, smaller where many blocks add into one stream.

use burn::tensor::{Device, Tensor};

use crate::transformer::{Init, RandomSource, Source, TransformerConfig};

/// GPT-2's start (Radford et al., 2019): what writes into the stream is divided by `√(2 n_layers)`.
pub(super) struct ScaledSource {
    inner: RandomSource,
    residual: f32,
}

impl ScaledSource {
    pub(super) fn new(seed: u64, config: &TransformerConfig, device: &Device) -> Self {
        let writes = (2 * config.n_layers).max(1) as f32;
        Self { inner: RandomSource::new(seed, device), residual: writes.sqrt().recip() }
    }
}

impl Source for ScaledSource {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], init: Init) -> Tensor<D> {
        let writes = name.ends_with(".w_o.weight") || name.ends_with(".w_out.weight");
        let init = match init {
            Init::Normal(std) if writes => Init::Normal(std * self.residual),
            other => other,
        };
        self.inner.take(name, shape, init)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_writes_into_the_stream_starts_smaller() {
        let device = Device::flex();
        let config = TransformerConfig::plain("test", 2, 8, 2, 16, 8);
        let draw = |name: &str| {
            let mut source = ScaledSource::new(7, &config, &device);
            crate::device::read(source.take(name, [8, 8], Init::Normal(0.02))).unwrap()
        };
        let (reads, writes) = (draw("blocks.0.attn.w_q.weight"), draw("blocks.0.attn.w_o.weight"));
        assert!(reads.iter().zip(&writes).all(|(a, b)| (a / 2.0 - b).abs() < 1e-7), "√(2 · 2) is 2");
    }
}
