//! How the files of a cross-layer dictionary are laid out.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::ground::files;

/// Whose files they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// circuit-tracer: a pair a layer, tensors with the number of the layer, the encoder `[d_sae, d_in]`, and a decoder into
    /// this layer and later ones.
    Pairs,
    /// Gemma Scope 2: a file a layer, the encoder `[d_in, d_sae]`, and a decoder into every layer.
    Whole,
}

/// A part of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Encoder,
    EncoderBias,
    Threshold,
    Decoder,
    DecoderBias,
    Skip,
}

impl Layout {
    const ALL: [Self; 2] = [Self::Pairs, Self::Whole];

    /// What lies in a folder, if it is one of them.
    pub(super) fn of(folder: &Path) -> Result<Option<Self>> {
        for own in Self::ALL {
            if files::is_there(&own.file(folder, Part::Encoder, 0))? {
                return Ok(Some(own));
            }
        }
        Ok(None)
    }

    /// The sets of files of a layer, that which tells it first.
    pub(super) fn sets(layer: usize) -> Vec<Vec<String>> {
        let own = |layout: Self| {
            let mut files = vec![layout.name_of_file(Part::Encoder, layer), layout.name_of_file(Part::Decoder, layer)];
            files.dedup();
            if layer == 0 {
                files.push(layout.config().to_owned());
            }
            files
        };
        Self::ALL.map(own).to_vec()
    }

    /// The file that says where it reads and writes.
    pub(super) fn config(self) -> &'static str {
        match self {
            Self::Pairs => "config.yaml",
            Self::Whole => "config.json",
        }
    }

    pub(super) fn file(self, folder: &Path, part: Part, layer: usize) -> PathBuf {
        folder.join(self.name_of_file(part, layer))
    }

    fn name_of_file(self, part: Part, layer: usize) -> String {
        match (self, part) {
            (Self::Whole, _) => format!("params_layer_{layer}.safetensors"),
            (Self::Pairs, Part::Decoder) => format!("W_dec_{layer}.safetensors"),
            (Self::Pairs, _) => format!("W_enc_{layer}.safetensors"),
        }
    }

    /// The tensor of a part.
    pub(super) fn tensor(self, part: Part, layer: usize) -> String {
        let (pair, whole) = match part {
            Part::Encoder => ("W_enc", "w_enc"),
            Part::EncoderBias => ("b_enc", "b_enc"),
            Part::Threshold => ("threshold", "threshold"),
            Part::Decoder => ("W_dec", "w_dec"),
            Part::DecoderBias => ("b_dec", "b_dec"),
            Part::Skip => ("W_skip", "affine_skip_connection"),
        };
        match self {
            Self::Pairs => format!("{pair}_{layer}"),
            Self::Whole => whole.to_owned(),
        }
    }

    /// The number of layers that a layer's decoder has rows for, and which of them is `to`.
    pub(super) fn written(self, from: usize, to: usize, layers: usize) -> (usize, usize) {
        match self {
            Self::Pairs => (layers - from, to - from),
            Self::Whole => (layers, to),
        }
    }

    /// Whether the decoder has rows for layers before the one that is read. The weights say how little is written there.
    pub(super) fn writes_back(self) -> bool {
        self == Self::Whole
    }
}
