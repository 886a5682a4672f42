//! What is known about the activations that a dictionary was trained on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The fact of a dictionary trained here on a model with processed weights.
const PROCESSED: &str = "processed";

/// Steps of processing that change activations, by `TransformerLens`'s names.
const STEPS: [&str; 4] = ["fold_ln", "center_writing_weights", "fold_value_biases", "refactor_factored_attn_matrices"];

/// Facts about the model, the site and the text, by `SAELens`'s names, in the order of the file that they come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(pub Map<String, Value>);

impl Metadata {
    /// A dictionary of one site of a model. Sites in any spelling: they are stored as given.
    pub fn of(model: &str, site: &str) -> Self {
        Self::default().with("model_name", model).with("hook_name", site)
    }

    /// The same with one more fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A fact that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The model's name on the Hub.
    pub fn model(&self) -> Option<&str> {
        self.text("model_name")
    }

    /// The site whose tensor is encoded, as the file spells it.
    pub fn site(&self) -> Option<&str> {
        self.text("hook_name")
    }

    /// The site whose tensor a transcoder predicts, as the file spells it.
    pub fn site_out(&self) -> Option<&str> {
        self.text("hook_name_out")
    }

    /// The head that is encoded, if it is one of them.
    pub fn head(&self) -> Option<usize> {
        self.0.get("hook_head_index")?.as_u64().map(|head| head as usize)
    }

    /// The same, with whether the model's weights were processed, whatever the files say.
    #[must_use]
    pub fn with_processed(self, processed: bool) -> Self {
        self.with(PROCESSED, processed)
    }

    /// Whether the model's weights were processed: norms folded, or writing weights centred. `SAELens` keeps the settings with
    /// which it loaded the model.
    pub fn processed(&self) -> bool {
        let flag = |value: Option<&Value>| value.and_then(Value::as_bool);
        let kwargs = self.0.get("model_from_pretrained_kwargs");
        let is_set = |step: &&str| flag(kwargs.and_then(|kwargs| kwargs.get(*step))).unwrap_or(false);
        flag(self.0.get(PROCESSED)).unwrap_or_else(|| STEPS.iter().any(is_set))
    }

    /// Number of tokens of a prompt in training.
    pub fn context_size(&self) -> Option<usize> {
        self.0.get("context_size")?.as_u64().map(|size| size as usize)
    }

    /// Whether prompts began with the token of the beginning.
    pub fn prepend_bos(&self) -> Option<bool> {
        self.0.get("prepend_bos")?.as_bool()
    }
}
