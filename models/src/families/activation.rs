//! The nonlinearity that `config.json` names, among those of transformers' `ACT2FN`.

use super::HfConfig;
use crate::error::Result;
use crate::ground::nearest::{did_you_mean, nearest};
use crate::transformer::ActivationKind;

/// The names transformers uses, and what each computes.
const KNOWN: &[(&str, ActivationKind)] = &[
    ("gelu", ActivationKind::Gelu),
    ("gelu_python", ActivationKind::Gelu),
    ("gelu_accurate", ActivationKind::GeluTanh),
    ("gelu_fast", ActivationKind::GeluTanh),
    ("gelu_new", ActivationKind::GeluTanh),
    ("gelu_pytorch_tanh", ActivationKind::GeluTanh),
    ("gelu_python_tanh", ActivationKind::GeluTanh),
    ("quick_gelu", ActivationKind::QuickGelu),
    ("relu", ActivationKind::Relu),
    ("relu2", ActivationKind::Relu2),
    ("silu", ActivationKind::Silu),
    ("swish", ActivationKind::Silu),
    ("tanh", ActivationKind::Tanh),
    ("linear", ActivationKind::Identity),
];

impl ActivationKind {
    /// The activation under `key`, with the default of transformers.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::error::Error::Config) listing the known names.
    pub(crate) fn from_hf(hf: &HfConfig, key: &str, default: &str) -> Result<Self> {
        let name = hf.word_or(key, default)?;
        let names: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
        let found = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        found.ok_or_else(|| {
            let near = did_you_mean(nearest(&name, &names).as_deref(), "");
            hf.problem(key, format!("this activation is not known{near} Known: {}", names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hf(act: &serde_json::Value) -> HfConfig {
        HfConfig::new(json!({ "model_type": "llama", "hidden_act": act })).unwrap()
    }

    #[test]
    fn names_and_defaults_are_those_of_transformers() {
        assert_eq!(
            ActivationKind::from_hf(&hf(&json!("gelu_fast")), "hidden_act", "silu").unwrap(),
            ActivationKind::GeluTanh
        );
        assert_eq!(ActivationKind::from_hf(&hf(&json!("gelu")), "hidden_act", "silu").unwrap(), ActivationKind::Gelu);
        assert_eq!(ActivationKind::from_hf(&hf(&json!(null)), "hidden_act", "silu").unwrap(), ActivationKind::Silu);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let error = ActivationKind::from_hf(&hf(&json!("gelu_neu")), "hidden_act", "silu").unwrap_err().to_string();
        assert!(error.contains("did you mean `gelu_new`?") && error.contains("quick_gelu"), "{error}");
    }
}
