//! A model as text and as data: by what it computes, not by where it came from.

use std::fmt;

use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use super::HookedTransformer;
use crate::error::Result;

/// What decides its numbers. It is the same in every process.
#[derive(Debug, Serialize)]
#[serde(rename = "HookedTransformer")]
struct Shown {
    fingerprint: String,
    device: String,
    dtype: String,
}

impl HookedTransformer {
    /// The element type of its weights: `f32`, `bf16`.
    pub fn dtype(&self) -> String {
        let first = self.parameters().into_iter().next();
        first.map(|(_, tensor)| format!("{:?}", tensor.dtype()).to_lowercase()).unwrap_or_default()
    }

    fn shown(&self) -> Result<Shown> {
        let device = self.device_name().split(' ').next().unwrap_or_default().to_owned();
        Ok(Shown { fingerprint: self.fingerprint()?, device, dtype: self.dtype() })
    }
}

/// Fingerprint, device and element type. The fingerprint is computed once.
impl fmt::Debug for HookedTransformer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shown() {
            Ok(Shown { fingerprint, device, dtype }) => f
                .debug_struct("HookedTransformer")
                .field("fingerprint", &fingerprint)
                .field("device", &device)
                .field("dtype", &dtype)
                .finish(),
            Err(error) => write!(f, "HookedTransformer({error})"),
        }
    }
}

/// As its `Debug`.
impl Serialize for HookedTransformer {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.shown().map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use crate::HookedAutoModel;

    #[test]
    fn a_model_is_shown_by_its_contents() {
        let model = HookedAutoModel::embedded().unwrap();
        let fingerprint = model.fingerprint().unwrap();
        let json = serde_json::to_value(&model).unwrap();
        assert_eq!((json["fingerprint"].as_str(), json["dtype"].as_str()), (Some(fingerprint.as_str()), Some("f32")));
        assert!(format!("{model:?}").starts_with(&format!("HookedTransformer {{ fingerprint: \"{fingerprint}\"")));
    }
}
