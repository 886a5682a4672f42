//! Whether a dictionary was trained on activations of weights as this model's are: a checkpoint's own, or processed.
//!
//! Processing keeps what a model predicts and changes its activations: streams are centred, and the output of a folded norm
//! lacks the norm's weight.

use super::HookedTransformer;
use crate::dictionary::{Dictionary, Metadata};

impl HookedTransformer {
    /// Facts for a dictionary of a site of this model.
    pub fn metadata(&self, site: &str) -> Metadata {
        let facts = Metadata::of(self.name(), site);
        if self.is_processed() { facts.with_processed(true) } else { facts }
    }
}

impl Dictionary {
    /// What to know before it meets activations of this model, if one of the two has processed weights and the other does
    /// not. Splicing it in warns of this once.
    pub fn other_weights(&self, model: &HookedTransformer) -> Option<String> {
        let at = self.config.metadata.site().unwrap_or("an unnamed site");
        other_weights(at, self.config.metadata.processed(), model.is_processed())
    }
}

/// What is wrong with a dictionary of the site `at`, if anything.
pub(super) fn other_weights(at: &str, trained_on_processed: bool, processed: bool) -> Option<String> {
    let (trained, model, fix) = match (trained_on_processed, processed) {
        (false, true) => ("a checkpoint's own", "processed", "unprocessed()"),
        (true, false) => ("processed", "a checkpoint's own", "processed()?"),
        _ => return None,
    };
    Some(format!(
        "the dictionary of `{at}` was trained on activations of {trained} weights, but this model's weights are {model}, \
         and their activations differ; use `model.{fix}`, or correct the dictionary's `config.metadata` by \
         `with_processed({processed})`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use crate::dictionary::architectures::Standard;
    use crate::dictionary::{DictionaryConfig, Splicing};
    use crate::model::HookedAutoModel;

    fn dictionary(metadata: Metadata) -> Dictionary {
        let config = DictionaryConfig { metadata, ..DictionaryConfig::autoencoder(12, 5, Standard) };
        let device = crate::device::choose(Some("cpu")).unwrap().device;
        Dictionary::new(config, &crate::dictionary::Init::default(), 0, &device).unwrap()
    }

    #[test]
    fn a_dictionary_and_a_model_of_other_weights_are_told() {
        let raw = HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), 1).unwrap();
        let processed = raw.processed().unwrap();
        let site = "blocks.1.resid_post";
        for own in [&raw, &processed] {
            let dictionary = dictionary(own.metadata(site));
            for model in [&raw, &processed] {
                let said = dictionary.other_weights(model);
                assert_eq!(said.is_some(), own.is_processed() != model.is_processed(), "{said:?}");
            }
            assert_eq!(dictionary.other_weights(&processed.unprocessed()), dictionary.other_weights(&raw));
        }
        let said = dictionary(Metadata::of("test", site)).other_weights(&processed).unwrap();
        assert!(
            said.starts_with(
                "the dictionary of `blocks.1.resid_post` was trained on activations of a checkpoint's own"
            )
        );
        assert!(said.contains("use `model.unprocessed()`") && said.ends_with("by `with_processed(true)`"), "{said}");
        let corrected = dictionary(Metadata::of("test", site).with_processed(true));
        assert_eq!(corrected.other_weights(&processed), None);
    }

    #[test]
    fn what_a_dictionary_was_trained_on_is_kept_in_its_splices_and_files() {
        let facts = Metadata::of("test", "blocks.1.resid_post");
        let folder = tempfile::tempdir().unwrap();
        for processed in [false, true] {
            let own = dictionary(facts.clone().with_processed(processed));
            own.save(folder.path()).unwrap();
            let loaded = Dictionary::from_pretrained(folder.path().to_str().unwrap()).unwrap();
            for dictionary in [own, loaded] {
                let splices = dictionary.splices(&Splicing::default()).unwrap();
                assert!(splices.iter().any(|splice| splice.processed() == Some(processed)));
            }
        }
    }

    #[test]
    fn the_settings_with_which_sae_lens_loaded_a_model_say_whether_it_was_processed() {
        let of = |kwargs| Metadata::default().with("model_from_pretrained_kwargs", kwargs).processed();
        assert!(of(serde_json::json!({ "center_writing_weights": true })));
        assert!(!of(serde_json::json!({ "center_writing_weights": false, "n_ctx": 128 })));
        assert!(!of(serde_json::Value::Null));
        let facts = Metadata::default().with("model_from_pretrained_kwargs", serde_json::json!({ "fold_ln": true }));
        assert!(facts.processed() && !facts.with_processed(false).processed(), "the user is right");
    }
}
