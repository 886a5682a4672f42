//! How a model is loaded.

use std::path::PathBuf;

use serde_json::Value;

/// How to load a model.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// `cpu`, `gpu`, …. `None` means the device in the variable `ARRAKIS_DEVICE`, else a GPU if there is one, else the
    /// CPU.
    pub device: Option<String>,
    /// Whether to hide the progress bar.
    pub quiet: bool,
    /// Whether matrices that are stored in half precision stay in it. That takes half the memory. Each product then widens
    /// its matrix, on the CPU a panel at a time. Otherwise matrices are widened once, on load. The numbers are the same.
    pub keep_half: bool,
    /// A LoRA adapter of PEFT that is merged into the weights: its folder, or its Hub id.
    pub adapter: Option<PathBuf>,
    /// What config.json would say, for weights without one.
    pub config: Option<Value>,
}

impl LoadOptions {
    /// The default device, a progress bar, and single precision.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the device by name: `cpu`, `gpu`, …
    #[must_use]
    pub fn device(self, name: impl Into<String>) -> Self {
        Self { device: Some(name.into()), ..self }
    }

    /// Hides the progress bar.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { quiet: true, ..self }
    }

    /// Merges a LoRA adapter of PEFT: the folder with its `adapter_config.json` and `adapter_model.safetensors`, or a Hub
    /// id. The result is what PEFT's `merge_and_unload()` gives; merged matrices are in single precision.
    #[must_use]
    pub fn adapter(self, place: impl Into<PathBuf>) -> Self {
        Self { adapter: Some(place.into()), ..self }
    }

    /// States the architecture of weights that come without a config.json: its keys as JSON, of Hugging Face or of
    /// `HookedTransformer` (`n_layers`, `d_model`, `d_head`, `n_ctx`, `d_vocab`, ...). The weights may then be one file.
    ///
    /// A size that the shapes of the weights contradict is refused when they are loaded, by its key. Some numbers have no
    /// shape: how many heads the fused matrices of a Hugging Face checkpoint have (`[heads * d_head, d_model]`), the epsilon
    /// of norms, the base of rotations, the scale of scores. A wrong one of these gives wrong activations.
    #[must_use]
    pub fn config(self, config: impl Into<Value>) -> Self {
        Self { config: Some(config.into()), ..self }
    }

    /// Keeps matrices in half precision if they are stored so.
    #[must_use]
    pub fn keep_half(self) -> Self {
        Self { keep_half: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn load_options_start_at_the_defaults_and_each_method_sets_one() {
        let plain = LoadOptions::new();
        assert_eq!((plain.device, plain.quiet, plain.keep_half, plain.adapter), (None, false, false, None));
        let stated = LoadOptions::new().config(serde_json::json!({ "n_layers": 1 })).config;
        assert_eq!((LoadOptions::new().config, stated), (None, Some(serde_json::json!({ "n_layers": 1 }))));
        let all = LoadOptions::new().keep_half().device("cpu").quiet().adapter("a");
        assert_eq!((all.device.as_deref(), all.quiet, all.keep_half), (Some("cpu"), true, true));
        assert_eq!(all.adapter.as_deref(), Some(Path::new("a")));
    }
}
