//! Activations of tokens drawn at random, for probes and lenses.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::some;
use crate::corpus::batch::Batch;
use crate::corpus::draw::lot;
use crate::corpus::reducer::Reducer;
use crate::corpus::site_name::full_name;
use crate::corpus::state::State;
use crate::error::{Error, Result};

/// The activations at a site of tokens drawn without replacement, each token with the same chance.
///
/// The draw is decided by the seed and each token's place, so batches and stops do not change it. It holds `4 n d` bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    site: String,
    most: usize,
    seed: u64,
    seen: u64,
    width: usize,
    /// By lot, document and position: the token and its numbers.
    kept: BTreeMap<(u64, usize, usize), (u32, Vec<f32>)>,
}

/// A token that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// The document, from 0.
    pub document: usize,
    /// The position in the document.
    pub position: usize,
    /// The token.
    pub token: u32,
}

impl Samples {
    /// At most `most` tokens at a site.
    pub fn new(site: &str, most: usize, seed: u64) -> Self {
        Self { site: full_name(site), most, seed, seen: 0, width: 0, kept: BTreeMap::new() }
    }

    /// How many tokens were drawn from.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The tokens drawn, in document order.
    pub fn tokens(&self) -> Vec<Drawn> {
        self.in_order().into_iter().map(|(drawn, _)| drawn).collect()
    }

    /// Their activations, `[sample, d]`, in document order and in the units of the site.
    ///
    /// # Errors
    ///
    /// No token was seen.
    pub fn rows(&self, device: &Device) -> Result<Tensor<2>> {
        some("Samples", self.kept.len() as u64)?;
        let flat: Vec<f32> = self.in_order().into_iter().flat_map(|(_, values)| values.to_vec()).collect();
        Ok(Tensor::from_data(TensorData::new(flat, [self.kept.len(), self.width]), device))
    }

    fn in_order(&self) -> Vec<(Drawn, &[f32])> {
        let drawn = self.kept.iter().map(|((_, document, position), (token, values))| {
            (Drawn { document: *document, position: *position, token: *token }, values.as_slice())
        });
        let mut drawn: Vec<_> = drawn.collect();
        drawn.sort_by_key(|(drawn, _)| (drawn.document, drawn.position));
        drawn
    }
}

impl Reducer for Samples {
    fn name(&self) -> String {
        format!("{} samples of {} with seed {}", self.most, self.site, self.seed)
    }

    fn sites(&self) -> Vec<String> {
        vec![self.site.clone()]
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        let rows = batch.rows(&self.site)?;
        self.width = rows.width();
        for token in batch.counted() {
            let key = (lot(self.seed, token), token.document, token.position);
            let full = self.kept.len() >= self.most;
            if full && self.kept.last_key_value().is_none_or(|(last, _)| *last < key) {
                continue;
            }
            self.kept.insert(key, (token.id, rows.of(token).to_vec()));
            if full {
                self.kept.pop_last();
            }
        }
        self.seen += batch.counted().len() as u64;
        Ok(())
    }

    fn state(&self) -> Result<State> {
        let keys: Vec<_> = self.kept.iter().map(|(key, (token, _))| (key, token)).collect();
        let values = self.kept.values().flat_map(|(_, values)| values.iter().map(|value| f64::from(*value)));
        Ok(State::of(&(self.seen, self.width, keys))?.array("values", values.collect()))
    }

    fn restore(&mut self, mut state: State) -> Result<()> {
        let keys: Vec<((u64, usize, usize), u32)>;
        (self.seen, self.width, keys) = state.data()?;
        let values = state.take("values")?;
        if values.len() != keys.len() * self.width {
            let problem =
                format!("its {} numbers are not {} for each of {} tokens", values.len(), self.width, keys.len());
            return Err(Error::Value { of: "State", problem });
        }
        let rows = values.chunks(self.width.max(1)).map(|row| row.iter().map(|value| *value as f32).collect());
        self.kept = keys.into_iter().zip(rows).map(|((key, token), row)| (key, (token, row))).collect();
        Ok(())
    }

    fn is_joinable(&self) -> bool {
        self.seen == 0
    }

    fn join(&mut self, state: State) -> Result<()> {
        let mut other = Self::new(&self.site, self.most, self.seed);
        other.restore(state)?;
        self.kept.append(&mut other.kept);
        while self.kept.len() > self.most {
            self.kept.pop_last();
        }
        (self.seen, self.width) = (self.seen + other.seen, self.width.max(other.width));
        Ok(())
    }
}
