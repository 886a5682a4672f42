//! How positions enter the model, and how the frequencies of rotary positions are scaled.

use serde::{Deserialize, Serialize};

/// How positions enter the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// A learned vector per position; the table has `offset` unused rows in front (OPT: 2).
    Learned {
        /// Rows before position 0.
        offset: usize,
    },
    /// A learned vector per position, which queries and keys read beside the stream, and values do not (Press et al., 2020,
    /// "Shortformer").
    Shortformer,
    /// Queries and keys are rotated (Su et al., 2021).
    Rotary {
        /// The kinds of rotation the model has.
        ropes: Vec<Rope>,
        /// The rotation each layer uses, as an index into `ropes`.
        by_layer: Vec<usize>,
    },
    /// A penalty linear in distance (Press et al., 2021).
    Alibi {
        /// Whether the penalty is added before the scale is applied to scores (Falcon).
        scaled: bool,
    },
}

/// One kind of rotation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f64,
    /// Leading dimensions of a head that are rotated; 0 in layers without positions.
    pub dims: usize,
    /// Whether rotated pairs are neighbouring dimensions (GPT-J) instead of one from each half.
    pub interleaved: bool,
    /// How the frequencies are scaled.
    pub scaling: RopeScaling,
}

impl Rope {
    /// The rotation of a layer without positions: none.
    pub fn none() -> Self {
        Self { theta: 10_000.0, dims: 0, interleaved: false, scaling: RopeScaling::Default }
    }
}

/// How a rotation's frequencies are scaled. The names are those of transformers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RopeScaling {
    /// Not at all.
    Default,
    /// Positions divided by `factor`.
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// The base grows with the sequence once the sequence is longer than the original context.
    Dynamic {
        /// How fast the base grows.
        factor: f64,
        /// The length at which it starts to grow.
        original_n_ctx: usize,
    },
    /// `YaRN` (Peng et al., 2023).
    Yarn {
        /// The stretch.
        factor: f64,
        /// Context the model was trained with.
        original_n_ctx: usize,
        /// Rotations above which a frequency is left alone.
        beta_fast: f64,
        /// Rotations below which it is interpolated.
        beta_slow: f64,
        /// Cosines and sines are multiplied by this.
        attention_factor: f64,
        /// Whether the correction range is rounded to whole dimensions.
        truncate: bool,
    },
    /// `LongRoPE` (Ding et al., 2024): a factor per dimension, one list for short and one for long sequences.
    Longrope {
        /// Factors up to the original context.
        short: Vec<f64>,
        /// Factors beyond the original context.
        long: Vec<f64>,
        /// Context the model was trained with.
        original_n_ctx: usize,
        /// Cosines and sines are multiplied by this.
        attention_factor: f64,
    },
    /// Llama 3.1: three bands of frequencies.
    Llama3 {
        /// The stretch of the low band.
        factor: f64,
        /// Edge of the low band.
        low_freq_factor: f64,
        /// Edge of the high band.
        high_freq_factor: f64,
        /// Context the model was trained with.
        original_n_ctx: usize,
    },
}
