//! Caches as safetensors files, with their provenance.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::Device;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::cache::ActivationCache;
use crate::error::{Error, Result};
use crate::ground::dtype::widen;
use crate::ground::files::write_whole;
use crate::hooks::tensor::activation::Activation;

/// The only key of a file's metadata. Several would be written in the order of a hash map, which varies.
const KEY: &str = "arrakis";

/// What a file stores besides the tensors.
#[derive(serde::Serialize, serde::Deserialize)]
struct About {
    order: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n_layers: Option<usize>,
    #[serde(default)]
    without_batch: bool,
    provenance: BTreeMap<String, String>,
}

impl ActivationCache {
    /// Writes all tensors as one safetensors file in `f32`, which represents half precision exactly. `provenance`
    /// (model, prompt, …) goes into its metadata. The file is written to a temporary name and moved into place whole.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, provenance: &BTreeMap<String, String>) -> Result<()> {
        let path = path.as_ref();
        let about = About {
            order: self.order.clone(),
            n_layers: self.n_layers,
            without_batch: self.without_batch,
            provenance: provenance.clone(),
        };
        let about = serde_json::to_string(&about).map_err(|error| Error::file(path, error))?;
        let file = self.bytes_with(HashMap::from([(KEY.to_owned(), about)]), path)?;
        write_whole(path, &file)
    }

    fn bytes_with(&self, metadata: HashMap<String, String>, path: &Path) -> Result<Vec<u8>> {
        let mut bytes: Vec<(&str, &[usize], Vec<u8>)> = Vec::new();
        for (site, value) in self.iter() {
            bytes.push((site, value.dims(), value.to_vec()?.iter().flat_map(|x| x.to_le_bytes()).collect()));
        }
        let mut views = Vec::new();
        for (site, dims, raw) in &bytes {
            let view = TensorView::new(Dtype::F32, dims.to_vec(), raw).map_err(|error| Error::file(path, error))?;
            views.push((*site, view));
        }
        safetensors::serialize(views, Some(metadata)).map_err(|error| Error::file(path, error))
    }

    /// Reads a cache that [`ActivationCache::save`] wrote, with its provenance. Any other safetensors file of float
    /// tensors is read too: its sites are ordered by name, and its metadata is the provenance.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] or [`Error::File`] when the file is missing or not a safetensors file.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<(Self, BTreeMap<String, String>)> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| Error::file(path, error))?;
        let mut metadata: BTreeMap<String, String> =
            header.metadata().clone().unwrap_or_default().into_iter().collect();
        let about: Option<About> = metadata
            .remove(KEY)
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| Error::file(path, error))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| Error::file(path, error))?;
        let mut tensors = BTreeMap::new();
        for (site, view) in file.tensors() {
            let values = widen(view.dtype(), view.data())
                .ok_or_else(|| Error::file(path, format!("`{site}` is not a float tensor")))?;
            tensors.insert(site, Activation::from_vec(values, view.shape(), device)?);
        }
        let about = about.unwrap_or_else(|| About {
            order: tensors.keys().cloned().collect(),
            n_layers: None,
            without_batch: false,
            provenance: metadata,
        });
        if !about.order.iter().eq(tensors.keys()) && !same_names(&about.order, &tensors) {
            return Err(Error::file(path, "its metadata lists other sites than the tensors it holds"));
        }
        let mut cache = Self::new(tensors, about.order);
        (cache.n_layers, cache.without_batch) = (about.n_layers, about.without_batch);
        Ok((cache, about.provenance))
    }
}

fn same_names(order: &[String], tensors: &BTreeMap<String, Activation>) -> bool {
    let mut sorted: Vec<&String> = order.iter().collect();
    sorted.sort_unstable();
    sorted.into_iter().eq(tensors.keys())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> ActivationCache {
        let of = |values: Vec<f32>, dims: &[usize]| Activation::from_vec(values, dims, &Device::flex()).unwrap();
        let tensors = BTreeMap::from([
            ("blocks.1.attn.z".to_owned(), of(vec![1.0, f32::NEG_INFINITY], &[1, 1, 1, 2])),
            ("blocks.0.resid_pre".to_owned(), of(vec![0.5; 6], &[1, 3, 2])),
            ("embed".to_owned(), of(vec![-0.0; 6], &[1, 3, 2])),
        ]);
        let order = ["embed", "blocks.0.resid_pre", "blocks.1.attn.z"].map(str::to_owned).to_vec();
        ActivationCache::new(tensors, order).of_layers(2)
    }

    #[test]
    fn a_loaded_cache_equals_the_saved_one_and_the_bytes_repeat() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a.safetensors"), folder.path().join("b.safetensors"));
        let words = |word: &str| (format!("the {word}"), format!("{word}\n\"quoted\""));
        let provenance: BTreeMap<_, _> = ["order", "model", "prompt", "arrakis"].map(words).into();
        cache().save(&first, &provenance).unwrap();
        cache().save(&second, &provenance).unwrap();
        assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
        let (back, said) = ActivationCache::load(&first, &Device::flex()).unwrap();
        assert_eq!(said, provenance);
        assert_eq!(back.sites().collect::<Vec<_>>(), cache().sites().collect::<Vec<_>>());
        for (site, value) in cache().iter() {
            let bits = |value: &Activation| value.to_vec().unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(
                (back.activation(site).unwrap().dims(), bits(back.activation(site).unwrap())),
                (value.dims(), bits(value))
            );
        }
        assert_eq!(back.activation(("z", -1)).unwrap().dims(), [1, 1, 1, 2]);
    }

    #[test]
    fn a_failed_write_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let error = cache().save(folder.path().join("absent/a.safetensors"), &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.starts_with("cannot write `") && error.ends_with("is the folder there and writable?"), "{error}");
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        assert!(cache().save(&taken, &BTreeMap::new()).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        std::fs::write(folder.path().join("torn"), b"12345678").unwrap();
        assert!(ActivationCache::load(folder.path().join("torn"), &Device::flex()).is_err());
    }

    #[test]
    fn keys_follow_transformer_lens() {
        let cache = cache();
        for key in [("z", 1), ("z", -1), ("attn.z", 1), ("hook_z", 1)] {
            assert_eq!(cache.activation(key).unwrap().dims(), [1, 1, 1, 2], "{key:?}");
        }
        assert_eq!(cache.activation(("resid_pre", -2)).unwrap().dims(), [1, 3, 2]);
        let said = |key: (&str, isize)| cache.activation(key).unwrap_err().to_string();
        assert_eq!(said(("z", 2)), "layer 2 is out of range: there are 2, numbered from 0");
        assert_eq!(said(("z", -3)), "layer -3 is out of range: there are 2, so the first is -2");
        assert!(
            said(("scale", 0)).starts_with("`blocks.0.scale` could be `blocks.0.ln1.scale` or `blocks.0.ln2.scale`")
        );
        assert!(
            cache.activation(("scale", 0, "ln1")).unwrap_err().to_string().starts_with("`blocks.0.ln1.scale` is not")
        );
    }

    #[test]
    fn slices_and_rows() {
        let of = |values: Vec<f32>, dims: &[usize]| Activation::from_vec(values, dims, &Device::flex()).unwrap();
        let values: Vec<f32> = (0..12).map(|x| x as f32).collect();
        let tensors = BTreeMap::from([("embed".to_owned(), of(values, &[2, 3, 2]))]);
        let cache = ActivationCache::new(tensors, vec!["embed".to_owned()]);
        let numbers = |cache: Result<ActivationCache>| {
            let cache = cache.unwrap();
            let value = cache.activation("embed").unwrap();
            (value.dims().to_vec(), value.to_vec().unwrap())
        };
        assert_eq!(numbers(cache.positions(-1)), (vec![2, 1, 2], vec![4.0, 5.0, 10.0, 11.0]));
        assert_eq!(numbers(cache.positions([2, 0])).1, [4.0, 5.0, 0.0, 1.0, 10.0, 11.0, 6.0, 7.0]);
        assert_eq!(numbers(cache.positions(1..3)).1, [2.0, 3.0, 4.0, 5.0, 8.0, 9.0, 10.0, 11.0]);
        let row = cache.batch_row(1).unwrap().remove_batch_dim().unwrap();
        assert_eq!(numbers(row.positions(-3)), (vec![1, 2], vec![6.0, 7.0]));
        assert!(cache.positions(3).is_err() && cache.positions(2..2).is_err() && cache.batch_row(2).is_err());
        assert!(cache.remove_batch_dim().unwrap_err().to_string().starts_with("expected 1 row in a cache"));
        assert!(row.remove_batch_dim().is_err() && row.batch_row(0).is_err());
    }
}
