//! The settings of a dictionary.

use serde::{Deserialize, Serialize};

use super::architectures::Architecture;
use super::metadata::Metadata;
use super::normalization::Normalization;
use crate::error::{Error, Result};

/// Sizes, architecture and conventions of a dictionary.
#[allow(clippy::struct_excessive_bools, reason = "independent conventions of published files")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DictionaryConfig {
    /// Length of an activation that is encoded.
    pub d_in: usize,
    /// Number of latents.
    pub d_sae: usize,
    /// Length of an activation that is written; that of the input, except in a transcoder.
    pub d_out: usize,
    /// What the encoder computes.
    pub architecture: Architecture,
    /// Whether `b_dec` is subtracted from the input before it is encoded.
    pub apply_b_dec_to_input: bool,
    /// Whether it predicts another tensor than it reads.
    #[serde(default)]
    pub transcodes: bool,
    /// Whether a transcoder adds `x W_skip`.
    #[serde(default)]
    pub skip: bool,
    /// Whether the activation is that of all heads, `[.., head, d_head]`, joined to one axis of `d_in`.
    #[serde(default)]
    pub joins_heads: bool,
    /// How many tensors of one width are encoded side by side: 1, or the models or layers of a crosscoder.
    #[serde(default = "one")]
    pub sources: usize,
    /// How activations are scaled.
    #[serde(default)]
    pub normalization: Normalization,
    /// The element type of its file, and the one it is saved in: `float32`, `float16`, `bfloat16` or `float64`. It computes in
    /// single precision.
    #[serde(default = "single")]
    pub dtype: String,
    /// What is known about its training.
    #[serde(default)]
    pub metadata: Metadata,
}

fn one() -> usize {
    1
}

fn single() -> String {
    "float32".to_owned()
}

impl DictionaryConfig {
    /// A sparse autoencoder. `b_dec` is subtracted from its input, as `SAELens` does by default.
    pub fn autoencoder(d_in: usize, d_sae: usize, architecture: impl Into<Architecture>) -> Self {
        Self {
            d_in,
            d_sae,
            d_out: d_in,
            architecture: architecture.into(),
            apply_b_dec_to_input: true,
            transcodes: false,
            skip: false,
            joins_heads: false,
            sources: 1,
            normalization: Normalization::None,
            dtype: single(),
            metadata: Metadata::default(),
        }
    }

    /// A transcoder: it reads one tensor and predicts another (<https://arxiv.org/abs/2406.11944>). `b_dec` is not
    /// subtracted from its input.
    pub fn transcoder(d_in: usize, d_sae: usize, d_out: usize, architecture: impl Into<Architecture>) -> Self {
        Self { d_out, apply_b_dec_to_input: false, transcodes: true, ..Self::autoencoder(d_in, d_sae, architecture) }
    }

    /// A transcoder that also has a linear path from input to output (<https://arxiv.org/abs/2501.18823>).
    pub fn skip_transcoder(d_in: usize, d_sae: usize, d_out: usize, architecture: impl Into<Architecture>) -> Self {
        Self { skip: true, ..Self::transcoder(d_in, d_sae, d_out, architecture) }
    }

    /// A crosscoder: latents of several tensors of one width, those of two models or of several layers, side by side in one
    /// row (`[.., sources · d]`). Each latent has a direction in each, and they are reconstructed together. `b_dec` is not
    /// subtracted from the input.
    ///
    /// Source: Lindsey et al., "Sparse Crosscoders" (Anthropic, October 2024).
    pub fn crosscoder(sources: usize, d: usize, d_sae: usize, architecture: impl Into<Architecture>) -> Self {
        Self { sources, apply_b_dec_to_input: false, ..Self::autoencoder(sources * d, d_sae, architecture) }
    }

    /// Checks that the settings agree.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the setting and what it should be.
    pub fn check(&self) -> Result<()> {
        let wrong = |setting: &'static str, value: String, fix: &str| {
            Err(Error::Setting { setting, value, fix: fix.to_owned() })
        };
        for (setting, size) in [("d_in", self.d_in), ("d_sae", self.d_sae), ("d_out", self.d_out)] {
            if size == 0 {
                return wrong(setting, "0".into(), "a dictionary needs at least one");
            }
        }
        if !self.transcodes && self.d_in != self.d_out {
            let fix = "an autoencoder writes what it reads; give `d_in`, or make a transcoder";
            return wrong("d_out", self.d_out.to_string(), fix);
        }
        if self.transcodes && self.apply_b_dec_to_input {
            let fix = "a transcoder's `b_dec` belongs to another tensor than its input; set it to false";
            return wrong("apply_b_dec_to_input", "true".into(), fix);
        }
        if self.skip && !self.transcodes {
            return wrong(
                "skip",
                "true".into(),
                "only a transcoder has a skip connection; an autoencoder would copy its input",
            );
        }
        if self.transcodes && self.normalization.is_of_each() {
            let fix = "the scale of the input cannot be undone in another tensor; use `None`, and fold scales into the weights";
            return wrong("normalization", format!("{:?}", self.normalization), fix);
        }
        if self.sources == 0 || !self.d_in.is_multiple_of(self.sources) || !self.d_out.is_multiple_of(self.sources) {
            let fix = format!("the widths {} and {} are not as many equal parts", self.d_in, self.d_out);
            return wrong("sources", self.sources.to_string(), &fix);
        }
        if self.sources > 1 && self.architecture.compares_by_decoder_norm() {
            let fix = "a crosscoder's rows have a norm in each source; set it to false";
            return wrong("rescale_acts_by_decoder_norm", "true".into(), fix);
        }
        self.architecture.check(self.d_sae)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::architectures::{Standard, TopK};

    #[test]
    fn settings_that_do_not_agree_are_refused() {
        let said = |config: DictionaryConfig| config.check().unwrap_err().to_string();
        let plain = || DictionaryConfig::autoencoder(4, 8, Standard);
        plain().check().unwrap();
        DictionaryConfig::skip_transcoder(4, 8, 3, Standard).check().unwrap();
        assert_eq!(said(DictionaryConfig { d_sae: 0, ..plain() }), "`d_sae` is 0: a dictionary needs at least one");
        assert_eq!(
            said(DictionaryConfig { d_out: 3, ..plain() }),
            "`d_out` is 3: an autoencoder writes what it reads; give `d_in`, or make a transcoder"
        );
        let subtracts =
            DictionaryConfig { apply_b_dec_to_input: true, ..DictionaryConfig::transcoder(4, 8, 3, Standard) };
        assert!(
            said(subtracts).starts_with("`apply_b_dec_to_input` is true: a transcoder's `b_dec` belongs to another")
        );
        assert!(said(DictionaryConfig { skip: true, ..plain() }).contains("only a transcoder has a skip connection"));
        let normalised = DictionaryConfig {
            normalization: Normalization::LayerNorm,
            ..DictionaryConfig::transcoder(4, 8, 3, Standard)
        };
        assert!(said(normalised).contains("cannot be undone in another tensor"));
        let uneven = DictionaryConfig { sources: 3, ..plain() };
        assert_eq!(said(uneven), "`sources` is 3: the widths 4 and 4 are not as many equal parts");
        let rescaled = DictionaryConfig::crosscoder(2, 2, 8, TopK { k: 2, rescale_acts_by_decoder_norm: true });
        assert!(said(rescaled).contains("a crosscoder's rows have a norm in each source"));
        let many = DictionaryConfig::autoencoder(4, 8, TopK { k: 9, ..TopK::default() });
        assert_eq!(said(many), "`k` is 9: there are 8 latents; give from 1 to 8");
    }

    #[test]
    fn settings_are_read_back_from_json() {
        let config = DictionaryConfig {
            metadata: Metadata::of("gpt2", "blocks.8.hook_resid_pre").with("context_size", 128),
            ..DictionaryConfig::autoencoder(4, 8, TopK { k: 2, rescale_acts_by_decoder_norm: true })
        };
        let text = serde_json::to_string(&config).unwrap();
        assert!(text.contains(r#""architecture":{"name":"topk","k":2,"rescale_acts_by_decoder_norm":true}"#), "{text}");
        let back: DictionaryConfig = serde_json::from_str(&text).unwrap();
        assert_eq!(back, config);
        assert_eq!((back.metadata.site(), back.metadata.context_size()), (Some("blocks.8.hook_resid_pre"), Some(128)));
    }
}
