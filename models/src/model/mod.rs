//! A loaded model: a transformer with its name, tokenizer and device, and every way to run it.

mod auto;
mod batches;
mod chat;
mod cost;
mod crosscoder;
mod embedded;
mod fingerprint;
mod forward_size;
mod gradients;
mod load_options;
mod loss;
mod memory;
mod next_token;
mod parameters;
mod prompt;
mod run;
mod save;
mod shown;
mod splice;
mod stop;
mod text;
mod trained_on;
mod weights;

pub use auto::{HookedAutoConfig, HookedAutoModel};
pub use batches::Statistics;
pub use cost::Cost;
pub use load_options::LoadOptions;
pub use next_token::{TopToken, TopTokens};
pub use prompt::IntoTokens;
pub use run::RunOptions;
pub use stop::stop_tokens;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use burn::tensor::Device;

use crate::checkpoint::{HfFiles, Origin};
use crate::hooks::Splices;
use crate::tokenizer::Tokenizer;
use crate::transformer::{Transformer, TransformerConfig};

/// A transformer whose every named tensor can be read, edited and differentiated. Cloning copies handles.
#[derive(Clone)]
pub struct HookedTransformer {
    net: Transformer,
    tokenizer: Option<Arc<Tokenizer>>,
    name: String,
    device: Device,
    device_name: String,
    fingerprint: Arc<OnceLock<String>>,
    /// The files that its parameters are loaded from, unless they have changed since.
    origin: Option<Arc<Origin>>,
    /// The files that were read when it was loaded.
    files: Arc<[PathBuf]>,
    splices: Arc<Splices>,
    raw: Option<Arc<HookedTransformer>>,
    hf_files: Option<Arc<HfFiles>>,
    commit: Option<String>,
    stop_tokens: Arc<[u32]>,
}

impl HookedTransformer {
    /// A model from a network, its name, tokenizer and device.
    pub fn new(net: Transformer, name: &str, tokenizer: Option<Tokenizer>, device: &crate::device::Chosen) -> Self {
        crate::dev_profile::warn_unoptimized();
        Self {
            net,
            tokenizer: tokenizer.map(Arc::new),
            name: name.to_owned(),
            device: device.device.clone(),
            device_name: device.name.clone(),
            fingerprint: Arc::default(),
            origin: None,
            files: Arc::default(),
            splices: Arc::default(),
            raw: None,
            hf_files: None,
            commit: None,
            stop_tokens: Arc::default(),
        }
    }

    /// The same model, with the small files it was loaded with.
    pub(crate) fn with_hf_files(self, files: Option<HfFiles>) -> Self {
        Self { hf_files: files.map(Arc::new), ..self }
    }

    /// The same model, with the commit of the Hub that it was loaded from.
    pub(crate) fn with_commit(self, commit: Option<String>) -> Self {
        Self { commit, ..self }
    }

    /// The same model, with the files that were read when it was loaded.
    pub(crate) fn with_files(self, files: Vec<PathBuf>) -> Self {
        Self { files: files.into(), ..self }
    }

    /// The files that were read when it was loaded, sorted: weights, config, tokenizer. Processed weights are of the same files.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The commit of the Hub's repository that it was loaded from, if it came from the Hub or its cache.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// The small files it was loaded with, if it was loaded from Hugging Face's layout.
    pub(crate) fn hf_files(&self) -> Option<&HfFiles> {
        self.hf_files.as_deref()
    }

    /// The same model with other parameters.
    #[must_use]
    pub fn with_net(&self, net: Transformer) -> Self {
        Self { net, fingerprint: Arc::default(), origin: None, raw: None, ..self.clone() }
    }

    /// The same model with processed weights. It keeps the raw ones.
    pub(crate) fn processed_as(&self, net: Transformer) -> Self {
        Self { raw: Some(Arc::new(self.unprocessed())), ..self.with_net(net) }
    }

    /// The model as it was before any processing: the very same tensors, with what is spliced in now.
    #[must_use]
    pub fn unprocessed(&self) -> Self {
        let raw = self.raw.as_deref().unwrap_or(self).clone();
        if Arc::ptr_eq(&raw.splices, &self.splices) { raw } else { raw.with_splices(Arc::clone(&self.splices)) }
    }

    /// Whether its weights are processed.
    pub fn is_processed(&self) -> bool {
        self.raw.is_some()
    }

    /// The network: a Burn module.
    pub fn net(&self) -> &Transformer {
        &self.net
    }

    /// The architecture.
    pub fn config(&self) -> &TransformerConfig {
        &self.net.config
    }

    /// The folder or Hub id it came from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device of its tensors.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The name of the device, for people to read.
    pub fn device_name(&self) -> &str {
        &self.device_name
    }
}
