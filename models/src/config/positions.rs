//! How positions enter, and how rotations stretch.

use serde::{Deserialize, Serialize};

/// How positions enter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// A learned vector per position; the table has `offset` unused rows in front (OPT: 2).
    Learned {
        /// Rows before position 0.
        offset: usize,
    },
    /// Queries and keys are rotated (Su et al., 2021).
    Rotary {
        /// The kinds of rotation the model has.
        ropes: Vec<Rope>,
        /// Which of them each layer uses.
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
    /// Leading dimensions of a head that are rotated.
    pub dims: usize,
    /// Whether pairs are neighbours (GPT-J) instead of halves.
    pub interleaved: bool,
    /// How frequencies are stretched.
    pub scaling: RopeScaling,
}

/// How a rotation's frequencies are stretched, with the names of transformers.
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
    /// The base grows with the sequence once it is longer than the original context.
    Dynamic {
        /// The growth.
        factor: f64,
        /// Where it starts.
        original_n_ctx: usize,
    },
    /// `YaRN` (Peng et al., 2023).
    Yarn {
        /// The stretch.
        factor: f64,
        /// Context it was trained with.
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
        /// Factors beyond it.
        long: Vec<f64>,
        /// Context it was trained with.
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
        /// Context it was trained with.
        original_n_ctx: usize,
    },
}
