//! What a forward pass needs besides the residual stream: positions, masks, rotation tables, earlier keys and values.

use std::collections::BTreeMap;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use half::bf16;

use crate::config::{Positions, Rope, RopeScaling, TransformerConfig};
use crate::error::Result;
use crate::ground::warnings::warn_once;
use crate::tokens::Tokens;

/// Keys and values of earlier forward passes, for generation token by token.
#[derive(Clone, Debug, Default)]
pub struct KvCache {
    /// Rotated keys and values of each layer, `[batch, pos, head, d_head]`.
    pub layers: Vec<Option<(Tensor<4>, Tensor<4>)>>,
    /// For each row, whether each slot holds a real token.
    pub visible: Vec<Vec<bool>>,
    /// For each row, the position of each slot.
    pub positions: Vec<Vec<i64>>,
    /// For each row, the token of each slot.
    ids: Vec<Vec<u32>>,
}

impl KvCache {
    /// An empty cache for a model.
    pub fn new(config: &TransformerConfig) -> Self {
        Self { layers: vec![None; config.n_layers], ..Self::default() }
    }

    /// How many positions it holds.
    pub fn len(&self) -> usize {
        self.visible.first().map_or(0, Vec::len)
    }

    /// Adds the slots of a forward, before it runs.
    pub(crate) fn extend(&mut self, tokens: &Tokens) {
        if self.is_empty() {
            let rows = tokens.batch();
            (self.visible, self.positions, self.ids) =
                (vec![Vec::new(); rows], vec![Vec::new(); rows], vec![Vec::new(); rows]);
        }
        for row in 0..tokens.batch() {
            self.visible[row].extend(&tokens.real()[row]);
            self.positions[row].extend(&tokens.positions()[row]);
            self.ids[row].extend(&tokens.ids()[row]);
        }
    }

    /// The tokens of all its slots.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyPrompt`](crate::Error::EmptyPrompt) for a cache without slots.
    pub(crate) fn tokens(&self) -> Result<Tokens> {
        Tokens::new(self.ids.clone())?.with_mask(self.visible.clone())?.with_positions(self.positions.clone())
    }

    /// Whether nothing has been added yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the cached keys were rotated with frequencies that the longer sequence no longer uses (dynamic and
    /// `LongRoPE` scaling). If so, the cache must be rebuilt.
    pub fn is_outgrown(&self, config: &TransformerConfig, positions: &[Vec<i64>]) -> bool {
        let Positions::Rotary { ropes, .. } = &config.positions else { return false };
        let (held, all) = (longest(&self.positions), longest(positions));
        !self.is_empty() && ropes.iter().any(|rope| rope.frequencies(held) != rope.frequencies(all))
    }
}

/// The largest position, plus one.
fn longest(positions: &[Vec<i64>]) -> usize {
    positions.iter().flatten().max().map_or(0, |last| *last as usize + 1)
}

/// Masks and positions of one forward pass, shared by all layers.
#[derive(Debug)]
pub struct Context {
    /// Positions `[batch, pos]`.
    pub positions: Tensor<2, Int>,
    /// Types of the tokens, `[batch, pos]`; `None` if all are of type 0.
    pub types: Option<Tensor<2, Int>>,
    /// Number of slots before the first token of this forward pass.
    pub offset: usize,
    masks: BTreeMap<Option<usize>, Tensor<4, Bool>>,
    rotations: Vec<(Tensor<4>, Tensor<4>)>,
    alibi: Option<Tensor<4>>,
}

/// The part of the context one layer uses.
#[derive(Clone, Debug)]
pub struct LayerContext<'a> {
    /// True where a query must not look: `[batch or 1, 1, query, key]`.
    pub mask: &'a Tensor<4, Bool>,
    /// The rotation, with its cosines and sines `[batch or 1, pos, 1, dims/2]`.
    pub rotation: Option<(&'a Rope, &'a Tensor<4>, &'a Tensor<4>)>,
    /// The penalty added to scores, `[batch, head, query, key]`.
    pub alibi: Option<&'a Tensor<4>>,
    /// What queries and keys read besides the stream, `[batch or 1, pos, d_model]`.
    pub beside: Option<Tensor<3>>,
}

impl LayerContext<'_> {
    /// A stream, `[batch, pos, .., d_model]`, as queries and keys read it.
    pub(super) fn placed<const D: usize>(&self, x: &Tensor<D>) -> Tensor<D> {
        let Some(rows) = &self.beside else { return x.clone() };
        let [batch, pos, d_model] = rows.dims();
        let mut shape = [1; D];
        (shape[0], shape[1], shape[D - 1]) = (batch, pos, d_model);
        x.clone() + rows.clone().reshape(shape)
    }
}

impl Context {
    /// Computes masks and tables for rows of tokens.
    ///
    /// `visible` and `positions` cover the slots of the cache and of this forward pass, row by row. The last `new` slots
    /// belong to this forward pass.
    pub fn new(
        config: &TransformerConfig,
        visible: &[Vec<bool>],
        positions: &[Vec<i64>],
        new: usize,
        device: &Device,
    ) -> Self {
        let total = visible.first().map_or(0, Vec::len);
        let offset = total - new;
        let uniform = visible.iter().all(|row| row.iter().all(|seen| *seen));
        let rows: &[Vec<bool>] = if uniform { &visible[..1] } else { visible };
        let mut masks = BTreeMap::new();
        for window in &config.windows {
            masks.entry(*window).or_insert_with(|| mask(rows, offset, *window, config.bidirectional, device));
        }
        let same_positions = positions.iter().all(|row| row == &positions[0]);
        let distinct: &[Vec<i64>] = if same_positions { &positions[..1] } else { positions };
        let rotations = match &config.positions {
            Positions::Rotary { ropes, .. } => {
                ropes.iter().map(|rope| tables(rope, distinct, offset, device)).collect()
            }
            _ => Vec::new(),
        };
        let alibi = match config.positions {
            Positions::Alibi { scaled } => Some(alibi(config.n_heads, scaled, positions, offset, device)),
            _ => None,
        };
        Self { positions: new_positions(positions, offset, device), types: None, offset, masks, rotations, alibi }
    }

    /// Sets the types of this forward pass's tokens, `[batch][pos]`, unless all are 0.
    #[must_use]
    pub fn with_types(mut self, types: &[Vec<u32>], device: &Device) -> Self {
        if types.iter().flatten().any(|kind| *kind != 0) {
            let rows: Vec<Vec<i64>> =
                types.iter().map(|row| row.iter().map(|kind| i64::from(*kind)).collect()).collect();
            self.types = Some(new_positions(&rows, 0, device));
        }
        self
    }

    /// One layer's part.
    pub fn layer<'a>(&'a self, layer: usize, config: &'a TransformerConfig) -> LayerContext<'a> {
        let mask = &self.masks[&config.windows[layer]];
        let rotation = match &config.positions {
            Positions::Rotary { ropes, by_layer } => {
                let (cos, sin) = &self.rotations[by_layer[layer]];
                Some((&ropes[by_layer[layer]], cos, sin))
            }
            _ => None,
        };
        LayerContext { mask, rotation, alibi: self.alibi.as_ref(), beside: None }
    }
}

/// The columns from `offset` on, as a tensor.
fn new_positions(positions: &[Vec<i64>], offset: usize, device: &Device) -> Tensor<2, Int> {
    let rows = positions.len();
    let values: Vec<i64> = positions.iter().flat_map(|row| &row[offset..]).copied().collect();
    let width = values.len() / rows.max(1);
    Tensor::from_data(TensorData::new(values, [rows, width]), device)
}

/// A key is hidden if it comes later (in causal attention), is further away than the window, or is padding; padding does
/// not count towards the window. A query always sees itself, so no softmax row is empty. Only padding rows need this, and
/// nothing reads them.
fn mask(
    visible: &[Vec<bool>],
    offset: usize,
    window: Option<usize>,
    bidirectional: bool,
    device: &Device,
) -> Tensor<4, Bool> {
    let (rows, keys) = (visible.len(), visible[0].len());
    let queries = keys - offset;
    let mut hidden = Vec::with_capacity(rows * queries * keys);
    for row in visible {
        let places: Vec<usize> = row
            .iter()
            .scan(0, |seen, real| {
                *seen += usize::from(*real);
                Some(*seen)
            })
            .collect();
        for query in offset..keys {
            hidden.extend((0..keys).map(|key| {
                let later = key > query && !bidirectional;
                let outside = later || window.is_some_and(|window| places[query].abs_diff(places[key]) >= window);
                key != query && (outside || !row[key])
            }));
        }
    }
    Tensor::from_data(TensorData::new(hidden, [rows, 1, queries, keys]), device)
}

/// Whether some row would be rotated differently if it ran alone instead of beside the longest row.
fn differs_alone(rope: &Rope, positions: &[Vec<i64>], longest: usize) -> bool {
    if !matches!(rope.scaling, RopeScaling::Dynamic { .. } | RopeScaling::Longrope { .. }) {
        return false;
    }
    let all = rope.frequencies(longest);
    positions.iter().any(|row| rope.frequencies(self::longest(std::slice::from_ref(row))) != all)
}

fn tables(rope: &Rope, positions: &[Vec<i64>], offset: usize, device: &Device) -> (Tensor<4>, Tensor<4>) {
    let half = rope.dims / 2;
    if half == 0 {
        let unused = Tensor::ones([1, 1, 1, 1], device);
        return (unused.clone(), unused);
    }
    let (mut cos, mut sin) = (Vec::new(), Vec::new());
    // As in transformers, a rotation that depends on the length uses the longest row's length for the whole batch.
    let longest = longest(positions);
    if differs_alone(rope, positions, longest) {
        warn_once(
            "all rows of a batch are rotated for the length of its longest row, as in transformers; a shorter row would be \
             rotated differently alone: do not mix rows within the context the rotation was trained for with longer ones",
        );
    }
    for row in positions {
        let (row_cos, row_sin) = rope.tables(&row[offset..], longest);
        cos.extend(row_cos);
        sin.extend(row_sin);
    }
    let shape = [positions.len(), positions[0].len() - offset, 1, half];
    (Tensor::from_data(TensorData::new(cos, shape), device), Tensor::from_data(TensorData::new(sin, shape), device))
}

/// Slopes of Press et al. (2021), with the interleaved extension for head counts that are not a power of two.
fn slopes(n_heads: usize) -> Vec<f64> {
    let power = 1_usize << n_heads.ilog2();
    let slope = |count: usize, step: usize| 2f64.powf(-8.0 * step as f64 / count as f64);
    let mut slopes: Vec<f64> = (1..=power).map(|i| slope(power, i)).collect();
    slopes.extend((0..n_heads - power).map(|i| slope(2 * power, 2 * i + 1)));
    slopes
}

/// `slope * (key position - query position)`.
///
/// Falcon scales the penalty with the scores, and rounds slopes, positions and products to bfloat16 in every precision.
fn alibi(n_heads: usize, rounded: bool, positions: &[Vec<i64>], offset: usize, device: &Device) -> Tensor<4> {
    let round = |x: f32| if rounded { bf16::from_f32(x).to_f32() } else { x };
    let penalty = |slope: f64, position: i64| round(round(slope as f32) * round(position as f32));
    let keys = positions[0].len();
    let mut values = Vec::new();
    for row in positions {
        for slope in slopes(n_heads) {
            for query in &row[offset..] {
                values.extend(row.iter().map(|key| penalty(slope, *key) - penalty(slope, *query)));
            }
        }
    }
    Tensor::from_data(TensorData::new(values, [positions.len(), n_heads, keys - offset, keys]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_two_sees_itself_and_one_back() {
        let hidden = mask(&[vec![true; 3]], 0, Some(2), false, &Device::flex());
        let hidden: Vec<bool> = hidden.into_data().iter::<bool>().collect();
        assert_eq!(hidden, [false, true, true, false, false, true, true, false, false]);
    }

    #[test]
    fn a_window_does_not_count_padding() {
        let hidden = mask(&[vec![true, false, false, true]], 3, Some(2), false, &Device::flex());
        let hidden: Vec<bool> = hidden.into_data().iter::<bool>().collect();
        assert_eq!(hidden, [false, true, true, false]);
    }

    #[test]
    fn padding_is_hidden_from_all_but_itself() {
        let hidden = mask(&[vec![false, true]], 0, None, false, &Device::flex());
        let hidden: Vec<bool> = hidden.into_data().iter::<bool>().collect();
        assert_eq!(hidden, [false, true, true, false]);
    }

    #[test]
    fn an_encoder_sees_all_but_padding() {
        let hidden = mask(&[vec![true, true, false]], 0, None, true, &Device::flex());
        let hidden: Vec<bool> = hidden.into_data().iter::<bool>().collect();
        assert_eq!(hidden, [false, false, true, false, false, true, false, false, false]);
    }

    /// bfloat16 has 8 significant bits. Above 256 it holds even numbers only, and a tie rounds to a multiple of four.
    #[test]
    fn falcons_positions_are_rounded() {
        let positions = (0..260).collect::<Vec<i64>>();
        let penalties = |rounded| {
            crate::device::read(alibi(1, rounded, std::slice::from_ref(&positions), 0, &Device::flex())).unwrap()
        };
        let (exact, rounded) = (penalties(false), penalties(true));
        assert_eq!([exact[257], exact[259]], [257.0 / 256.0, 259.0 / 256.0]);
        assert_eq!([rounded[256], rounded[257], rounded[259]], [1.0, 1.0, 260.0 / 256.0]);
    }

    #[test]
    fn rows_that_would_be_rotated_differently_alone_are_noticed() {
        let scaling = RopeScaling::Dynamic { factor: 2.0, original_n_ctx: 4 };
        let stretching = Rope { theta: 100.0, dims: 4, interleaved: false, scaling };
        let fixed = Rope { scaling: RopeScaling::Linear { factor: 2.0 }, ..stretching.clone() };
        let noticed = |rope: &Rope, lengths: [i64; 2]| {
            let rows = lengths.map(|length| (0..length).collect());
            differs_alone(rope, &rows, longest(&rows))
        };
        assert!(noticed(&stretching, [3, 6]) && noticed(&stretching, [5, 6]));
        assert!(!noticed(&stretching, [2, 4]) && !noticed(&stretching, [6, 6]) && !noticed(&fixed, [3, 6]));
    }

    #[test]
    fn slopes_of_eight_heads_halve() {
        let expected: Vec<f64> = (1..=8).map(|i| 0.5f64.powi(i)).collect();
        assert_eq!(slopes(8), expected);
        assert_eq!(slopes(3).len(), 3);
    }
}
