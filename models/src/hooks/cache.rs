//! What a run kept: tensors by site, in the order they were computed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::activation::Activation;
use super::pattern::SitePattern;
use super::selection::Axes;
use crate::error::{Error, Result};
use crate::site::canonical;

/// Captured tensors. Indexed by site name, TransformerLens name or shorthand; keeps the batch axis.
#[derive(Clone, Debug, Default)]
pub struct ActivationCache {
    tensors: BTreeMap<String, Activation>,
    order: Vec<String>,
}

impl ActivationCache {
    pub(crate) fn new(tensors: BTreeMap<String, Activation>, order: Vec<String>) -> Self {
        Self { tensors, order }
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

    /// Bytes of all tensors kept.
    pub fn bytes(&self) -> usize {
        self.tensors.values().map(Activation::bytes).sum()
    }

    /// The tensor at a site.
    ///
    /// # Errors
    ///
    /// [`Error::NotCaptured`] naming the nearest captured site.
    pub fn activation(&self, site: impl AsRef<str>) -> Result<&Activation> {
        let name = canonical(site.as_ref());
        self.tensors.get(&name).ok_or_else(|| Error::not_captured(&name, &self.order))
    }

    /// The tensor at a site, with the axes the site table gives.
    ///
    /// # Errors
    ///
    /// [`Error::NotCaptured`] naming the nearest captured site, [`Error::Rank`] when the site has
    /// another number of axes.
    pub fn get<const D: usize>(&self, site: impl AsRef<str>) -> Result<Tensor<D>> {
        self.activation(site)?.tensor()
    }

    /// The part of the cache whose sites fit a pattern.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownSite`] when none fits.
    pub fn select(&self, pattern: impl Into<SitePattern>) -> Result<Self> {
        let order = pattern.into().select(self.sites())?;
        let tensors = order.iter().map(|site| (site.clone(), self.tensors[site].clone())).collect();
        Ok(Self { tensors, order })
    }

    /// Every tensor cut to a range of its position axis (axis 1; for `scores` and `pattern` axis 2, the query).
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] when the range does not fit.
    pub fn positions(&self, range: Range<usize>) -> Result<Self> {
        self.map(|site, value| slice_axis(value, Axes::of(site, value.dims()).position, range.clone()))
    }

    /// One row of the batch, still with its batch axis of length one.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] when there is no such row.
    pub fn batch_row(&self, row: usize) -> Result<Self> {
        self.map(|_, value| slice_axis(value, 0, row..row + 1))
    }

    /// Caches of the same sites, one behind the other along the batch axis.
    pub(crate) fn stacked(parts: Vec<Self>) -> Result<Self> {
        if parts.len() == 1 {
            return Ok(parts.into_iter().next().unwrap_or_default());
        }
        let order = parts.first().map(|part| part.order.clone()).unwrap_or_default();
        let mut tensors = BTreeMap::new();
        for site in &order {
            let rows = parts.iter().map(|part| part.activation(site).cloned()).collect::<Result<Vec<_>>>()?;
            tensors.insert(site.clone(), Activation::cat(&rows)?);
        }
        Ok(Self { tensors, order })
    }

    /// All tensors on another device.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        self.map(|_, value| value.to_device(device))
    }

    fn map(&self, change: impl Fn(&str, &Activation) -> Result<Activation>) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (site, value) in &self.tensors {
            tensors.insert(site.clone(), change(site, value)?);
        }
        Ok(Self { tensors, order: self.order.clone() })
    }

    /// Writes all tensors as one safetensors file; `provenance` (model, prompt, …) goes into its metadata.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, provenance: &BTreeMap<String, String>) -> Result<()> {
        let path = path.as_ref();
        let mut bytes: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for (site, value) in self.iter() {
            let raw = value.to_vec()?.iter().flat_map(|x| x.to_le_bytes()).collect();
            bytes.push((site.to_owned(), value.dims().to_vec(), raw));
        }
        let mut views = Vec::new();
        for (site, dims, raw) in &bytes {
            let view = TensorView::new(Dtype::F32, dims.clone(), raw).map_err(|error| Error::file(path, error))?;
            views.push((site.as_str(), view));
        }
        let mut metadata: std::collections::HashMap<String, String> = provenance.clone().into_iter().collect();
        metadata.insert("order".into(), self.order.join("\n"));
        let file = safetensors::serialize(views, Some(metadata)).map_err(|error| Error::file(path, error))?;
        std::fs::write(path, file).map_err(|source| Error::Write { path: path.into(), source })
    }

    /// Reads a cache that [`ActivationCache::save`] wrote, with its provenance.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] or [`Error::File`] when the file is missing or not a safetensors file.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<(Self, BTreeMap<String, String>)> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| Error::file(path, error))?;
        let mut provenance: BTreeMap<String, String> =
            header.metadata().clone().unwrap_or_default().into_iter().collect();
        let file = SafeTensors::deserialize(&bytes).map_err(|error| Error::file(path, error))?;
        let mut tensors = BTreeMap::new();
        for (site, view) in file.tensors() {
            let values = crate::checkpoint::widen(view.dtype(), view.data())
                .ok_or_else(|| Error::file(path, format!("`{site}` is not a float tensor")))?;
            tensors.insert(site, Activation::from_vec(values, view.shape(), device)?);
        }
        let listed = provenance.remove("order").unwrap_or_default();
        let mut order: Vec<String> =
            listed.lines().filter(|site| tensors.contains_key(*site)).map(str::to_owned).collect();
        order.extend(tensors.keys().filter(|site| !listed.lines().any(|line| line == *site)).cloned());
        Ok((Self { tensors, order }, provenance))
    }
}

fn slice_axis(value: &Activation, axis: usize, range: Range<usize>) -> Result<Activation> {
    let length = value.dims().get(axis).copied().unwrap_or(0);
    if range.start >= range.end || range.end > length {
        return Err(Error::OutOfRange { what: "position", asked: range.end.saturating_sub(1), length });
    }
    value.narrow(axis, range.start, range.len())
}
