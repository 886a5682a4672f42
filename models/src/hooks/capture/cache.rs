//! What a run kept: tensors by site, in the order they were computed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::cache_key::CacheKey;
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::pattern::{SitePattern, Vocabulary};
use crate::hooks::tensor::slice::Slice;
use crate::site::SiteTable;

/// Captured tensors, indexed by site name; those of a model also by TransformerLens name or shorthand ([`CacheKey`]). They keep the batch axis
/// until [`ActivationCache::remove_batch_dim`].
#[derive(Clone, Debug, Default)]
pub struct ActivationCache {
    pub(in crate::hooks) tensors: BTreeMap<String, Activation>,
    pub(in crate::hooks) order: Vec<String>,
    /// Number of blocks, if the run was of a model: negative layers count back from it.
    pub(in crate::hooks) n_layers: Option<usize>,
    /// Whether the batch axis has been removed.
    pub(in crate::hooks) without_batch: bool,
    /// Every site of the model, with its axes.
    table: Arc<SiteTable>,
}

impl ActivationCache {
    pub(crate) fn new(tensors: BTreeMap<String, Activation>, order: Vec<String>) -> Self {
        Self { tensors, order, ..Self::default() }
    }

    /// The same, of a model with these sites.
    pub(crate) fn with_table(self, table: Arc<SiteTable>) -> Self {
        Self { table, ..self }
    }

    /// Other tensors of the same run.
    fn with_tensors(&self, tensors: BTreeMap<String, Activation>, order: Vec<String>) -> Self {
        let table = Arc::clone(&self.table);
        Self { tensors, order, n_layers: self.n_layers, without_batch: self.without_batch, table }
    }

    /// The same cache, for a model with this many blocks.
    pub(crate) fn of_layers(mut self, n_layers: usize) -> Self {
        self.n_layers = Some(n_layers);
        self
    }

    /// Site names in the order the forward computed them.
    pub fn sites(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }

    /// Sites and tensors in the order the forward computed them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Activation)> {
        self.order.iter().map(|site| (site.as_str(), &self.tensors[site]))
    }

    /// How many tensors were kept.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Bytes of memory that the tensors keep. On the CPU, tensors that share memory (`resid_post` and the next
    /// `resid_pre`) count once, and a part of a tensor counts as the whole that it keeps. Elsewhere each counts alone.
    pub fn bytes(&self) -> usize {
        let mut counted = BTreeSet::new();
        let kept = |tensor: &Activation| match tensor.memory() {
            Some((address, bytes)) => {
                if counted.insert(address) {
                    bytes
                } else {
                    0
                }
            }
            None => tensor.bytes(),
        };
        self.tensors.values().map(kept).sum()
    }

    /// The tensor at a site.
    ///
    /// # Errors
    ///
    /// [`Error::NotCaptured`] naming the nearest captured site, [`Error::OutOfRange`] for a layer that does not exist.
    #[allow(clippy::needless_pass_by_value, reason = "a key is a name or a tuple, made for the call")]
    pub fn activation(&self, site: impl CacheKey) -> Result<&Activation> {
        let mut name = site.literal(self.n_layers)?;
        if self.vocabulary() == Vocabulary::Table && !self.tensors.contains_key(&name) {
            name = site.site(self.n_layers)?;
        }
        self.tensors.get(&name).ok_or_else(|| Error::not_captured(&name, &self.order))
    }

    /// Only a run of a model knows how many blocks there are.
    fn vocabulary(&self) -> Vocabulary {
        if self.n_layers.is_some() { Vocabulary::Table } else { Vocabulary::Own }
    }

    /// The tensor at a site, with the axes the site table gives: `cache.get::<4>(("pattern", -1))`.
    ///
    /// # Errors
    ///
    /// Those of [`ActivationCache::activation`], and [`Error::Rank`] when the site has another number of axes.
    pub fn get<const D: usize>(&self, site: impl CacheKey) -> Result<Tensor<D>> {
        self.activation(site)?.tensor()
    }

    /// The part of the cache whose sites fit a pattern.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`] when no site fits.
    pub fn select(&self, pattern: impl Into<SitePattern>) -> Result<Self> {
        let order = pattern.into().select_in(self.sites(), self.vocabulary())?;
        let tensors = order.iter().map(|site| (site.clone(), self.tensors[site].clone())).collect();
        Ok(self.with_tensors(tensors, order))
    }

    /// Every tensor cut along its position axis (the query axis of `scores` and `pattern`). Takes a range, one position
    /// or a list of positions; negative ones count from the end. A single position leaves an axis of length one, as
    /// TransformerLens's `run_with_cache(pos_slice=3)` does. Slots are counted, including padding;
    /// [`crate::hooks::Capture::positions`] counts tokens.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] when the slice does not fit or a tensor has no position axis.
    pub fn positions(&self, slice: impl Into<Slice>) -> Result<Self> {
        let slice = slice.into();
        self.map(|site, value| {
            let batch = usize::from(self.without_batch);
            let mut dims = vec![1; batch];
            dims.extend(value.dims());
            slice_axis(value, self.table.roles(site, dims.len()).position - batch, "position", &slice)
        })
    }

    /// Every tensor at its last position (the query's in `scores` and `pattern`), as an axis of length one:
    /// `cache.last()?.get::<3>(site::resid_post(1))`. Slots are counted, so the last slot of a row padded on the right
    /// is padding.
    ///
    /// # Errors
    ///
    /// As [`ActivationCache::positions`].
    pub fn last(&self) -> Result<Self> {
        self.positions(-1)
    }

    /// Every tensor cut along the batch axis, like [`ActivationCache::positions`] along the position axis.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] for a row that does not exist, [`Error::NoBatchAxis`] without a batch axis.
    pub fn batch_rows(&self, slice: impl Into<Slice>) -> Result<Self> {
        self.needs_batch()?;
        let slice = slice.into();
        self.map(|_, value| slice_axis(value, 0, "row", &slice))
    }

    /// One row of the batch, with a batch axis of length one.
    ///
    /// # Errors
    ///
    /// As [`ActivationCache::batch_rows`].
    pub fn batch_row(&self, row: usize) -> Result<Self> {
        self.batch_rows(row as isize)
    }

    /// Every tensor without its batch axis. The cache must hold one row.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] for more than one row, [`Error::NoBatchAxis`] if it is already removed, [`Error::Rank`] for a
    /// tensor that has no other axis.
    pub fn remove_batch_dim(&self) -> Result<Self> {
        self.needs_batch()?;
        let removed = self.map(|_, value| match value.dims() {
            [1, rest @ ..] => Activation::shaped(value.to_flat()?, rest),
            dims => Err(Error::Count {
                what: "row in a cache whose batch axis is removed (take one with `batch_rows`)".into(),
                expected: 1,
                actual: dims.first().copied().unwrap_or(0),
            }),
        })?;
        Ok(Self { without_batch: true, ..removed })
    }

    fn needs_batch(&self) -> Result<()> {
        if !self.without_batch {
            return Ok(());
        }
        Err(Error::NoBatchAxis)
    }

    /// Joins caches of the same sites along the batch axis.
    pub(crate) fn stacked(parts: &[Self]) -> Result<Self> {
        let Some(first) = parts.first() else { return Ok(Self::default()) };
        if parts.len() == 1 {
            return Ok(first.clone());
        }
        let order = first.order.clone();
        let mut tensors = BTreeMap::new();
        for site in &order {
            let rows = parts.iter().map(|part| part.activation(site).cloned()).collect::<Result<Vec<_>>>()?;
            tensors.insert(site.clone(), Activation::cat(&rows)?);
        }
        Ok(first.with_tensors(tensors, order))
    }

    /// All tensors on another device.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] for a tensor of more than six axes.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        self.map(|_, value| value.to_device(device))
    }

    fn map(&self, change: impl Fn(&str, &Activation) -> Result<Activation>) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (site, value) in &self.tensors {
            tensors.insert(site.clone(), change(site, value)?);
        }
        Ok(self.with_tensors(tensors, self.order.clone()))
    }
}

fn slice_axis(value: &Activation, axis: usize, what: &'static str, slice: &Slice) -> Result<Activation> {
    let length = value.dims().get(axis).copied().unwrap_or(0);
    match slice {
        Slice::Range(range) if range.start < range.end && range.end <= length => {
            value.narrow(axis, range.start, range.len())
        }
        Slice::Range(range) if range.is_empty() => Err(Error::EmptyRange { what, start: range.start, end: range.end }),
        Slice::Range(range) => Err(Error::out_of_range(what, range.end - 1, length)),
        Slice::Indices(indices) => value.select(axis, &Slice::absolute(indices, what, length)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream `[1, 3, 2]` and a pattern `[1, 1, 3, 3]`, each of the numbers from 0.
    fn cache() -> ActivationCache {
        let sites = [("blocks.0.resid_post", vec![1, 3, 2]), ("blocks.0.attn.pattern", vec![1, 1, 3, 3])];
        let counted = |dims: &[usize]| {
            let numbers = (0..dims.iter().product::<usize>()).map(|x| x as f32).collect();
            Activation::from_vec(numbers, dims, &Device::flex()).unwrap()
        };
        let order = sites.iter().map(|(site, _)| (*site).to_owned()).collect();
        ActivationCache::new(sites.iter().map(|(site, dims)| ((*site).to_owned(), counted(dims))).collect(), order)
    }

    #[test]
    fn the_last_position_keeps_its_axis_and_is_a_patterns_last_query() {
        let kept = |cache: &ActivationCache, site: &str| {
            let value = cache.activation(site).unwrap();
            (value.dims().to_vec(), value.to_vec().unwrap())
        };
        let last = cache().last().unwrap();
        assert_eq!(kept(&last, "blocks.0.resid_post"), (vec![1, 1, 2], vec![4.0, 5.0]));
        assert_eq!(kept(&last, "blocks.0.attn.pattern"), (vec![1, 1, 1, 3], vec![6.0, 7.0, 8.0]));
    }

    #[test]
    fn a_range_that_selects_nothing_is_refused() {
        let said = |cut: Result<ActivationCache>| cut.unwrap_err().to_string();
        assert_eq!(
            said(cache().positions(1..1)),
            "the range 1..1 selects no position: give a start that is less than the end"
        );
        assert_eq!(
            said(cache().batch_rows(0..0)),
            "the range 0..0 selects no row: give a start that is less than the end"
        );
        assert_eq!(said(cache().positions(1..4)), "position 3 is out of range: there are 3, numbered from 0");
    }
}
