//! The digest that says which model a result is of.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::HookedTransformer;
use crate::checkpoint::Origin;
use crate::error::Result;
use crate::ground::cache;
use crate::hooks::{Activation, hash_flat};

/// Files smaller than this are hashed as fast as they are looked up.
const WORTH_KEEPING: u64 = 64 << 20;

impl HookedTransformer {
    /// A digest of weights, architecture, tokenizer and what is spliced in: 64 hexadecimal digits.
    ///
    /// It is computed once. For a large model that was loaded from a folder, it is kept in the user's cache
    /// ([`crate::ground::cache::folder`]), under the identity of the files (path, size, times, number on the disk).
    ///
    /// # Errors
    ///
    /// [`crate::Error::Device`] if the weights cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        if let Some(done) = self.fingerprint.get() {
            return Ok(done.clone());
        }
        let hex = match self.kept(cache::folder(), WORTH_KEEPING, Origin::is_settled)? {
            Some(kept) => kept.get_or(|| self.hashed())?,
            None => self.hashed()?,
        };
        Ok(self.fingerprint.get_or_init(|| hex).clone())
    }

    /// Where the fingerprint is kept. `None` if it is not: the model has no files, they have just been written, they are
    /// small, or something is spliced in.
    fn kept(&self, cache: Option<PathBuf>, worth: u64, is_settled: impl Fn(&Origin) -> bool) -> Result<Option<Kept>> {
        let (Some(origin), Some(cache)) = (self.origin.as_deref(), cache) else { return Ok(None) };
        if self.has_splices() || origin.bytes() < worth || !is_settled(origin) {
            return Ok(None);
        }
        let tokenizer = self.tokenizer.as_deref().map(crate::tokenizer::Tokenizer::to_json).transpose()?;
        Ok(Some(Kept { folder: cache.join("fingerprints"), name: origin.name(&tokenizer.unwrap_or_default()) }))
    }

    fn hashed(&self) -> Result<String> {
        let mut digest = Sha256::new();
        digest.update(serde_json::to_string(self.config()).expect("BUG: a config is plain data"));
        hash_tensors(&mut digest, self.parameters())?;
        if let Some(tokenizer) = &self.tokenizer {
            digest.update(tokenizer.to_json()?);
        }
        self.hash_splices(&mut digest)?;
        Ok(format!("{:x}", digest.finalize()))
    }

    /// The same model, known to be what these files and rules give.
    pub(super) fn with_origin(self, origin: Option<Origin>) -> Self {
        Self { origin: origin.map(Into::into), ..self }
    }
}

/// A fingerprint in the user's cache.
struct Kept {
    folder: PathBuf,
    name: String,
}

impl Kept {
    fn get_or(&self, compute: impl FnOnce() -> Result<String>) -> Result<String> {
        if let Some(known) = cache::read_digest(&self.folder, &self.name) {
            return Ok(known);
        }
        let hex = compute()?;
        cache::write(&self.folder, &self.name, &hex);
        Ok(hex)
    }
}

/// Adds names and numbers. While a tensor is hashed, another core lays out the next one.
fn hash_tensors(digest: &mut Sha256, tensors: Vec<(String, Activation)>) -> Result<()> {
    let laid_out = |(name, tensor): (String, Activation)| (name, tensor.to_flat());
    let mut tensors = tensors.into_iter();
    let mut next = tensors.next().map(laid_out);
    while let Some((name, flat)) = next {
        digest.update(name.as_bytes());
        let coming = tensors.next();
        let (hashed, ahead) = rayon::join(|| hash_flat(digest, &flat?), || coming.map(laid_out));
        hashed?;
        next = ahead;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use super::*;
    use crate::config::TransformerConfig;
    use crate::model::{HookedAutoModel, LoadOptions};

    #[test]
    fn tensors_are_hashed_in_their_order_whatever_their_layout() {
        let cpu = burn::tensor::Device::flex();
        let matrix = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &cpu);
        let tensors =
            vec![("a".into(), Activation::new(matrix.clone().transpose())), ("b".into(), Activation::new(matrix))];
        let mut digest = Sha256::new();
        hash_tensors(&mut digest, tensors).unwrap();
        let bytes = |numbers: [f32; 4]| numbers.map(f32::to_le_bytes).concat();
        let by_hand = [b"a".to_vec(), bytes([1.0, 3.0, 2.0, 4.0]), b"b".to_vec(), bytes([1.0, 2.0, 3.0, 4.0])].concat();
        assert_eq!(digest.finalize(), Sha256::digest(by_hand));
    }

    #[test]
    fn a_fingerprint_is_kept_for_the_very_files_that_were_read() {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let plain = HookedAutoModel::lively(&TransformerConfig::plain("test", 1, 8, 2, 20, 16), 1).unwrap();
        plain.save_own(folder.path()).unwrap();
        let options = LoadOptions::new().quiet().device("cpu");
        let load = || HookedAutoModel::load(folder.path().to_str().unwrap(), &options).unwrap();
        let kept =
            |model: &HookedTransformer, worth: u64| model.kept(Some(cache.path().into()), worth, |_| true).unwrap();
        let name = |model: &HookedTransformer| kept(model, 0).map(|kept| kept.name);
        let model = load();
        assert_eq!(model.fingerprint().unwrap(), plain.fingerprint().unwrap());
        assert_eq!(name(&model), name(&load()));
        assert!(name(&model).is_some() && name(&plain).is_none(), "only what was loaded has files");
        let files = |model: &HookedTransformer| -> Vec<String> {
            model.files().iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(files(&model), ["arrakis.json", "generation_config.json", "model.safetensors"]);
        assert_eq!((files(&model.with_net(model.net().clone())), files(&plain)), (files(&model), vec![]));
        assert!(name(&model.with_net(model.net().clone())).is_none(), "other parameters have no files");
        assert!(kept(&model, 1 << 30).is_none(), "small files are not worth it");
        let settled = model.kept(Some(cache.path().into()), 0, Origin::is_settled).unwrap();
        assert!(settled.is_none(), "files that have just been written may change again");
        let weights = folder.path().join("model.safetensors");
        std::fs::write(folder.path().join("copy"), std::fs::read(&weights).unwrap()).unwrap();
        std::fs::rename(folder.path().join("copy"), &weights).unwrap();
        assert_ne!(name(&load()), name(&model), "another file, though of the same bytes");
    }

    #[test]
    fn what_is_kept_is_given_back_and_a_damaged_file_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let kept = Kept { folder: cache.path().join("f"), name: "n".into() };
        let hex = "0123456789abcdef".repeat(4);
        assert_eq!(kept.get_or(|| Ok(hex.clone())).unwrap(), hex);
        assert_eq!(kept.get_or(|| unreachable!("it is kept")).unwrap(), hex);
        for damaged in ["", &hex[1..], &hex.to_uppercase()] {
            std::fs::write(cache.path().join("f/n"), damaged).unwrap();
            assert_eq!(kept.get_or(|| Ok("computed".into())).unwrap(), "computed", "{damaged}");
        }
    }
}
