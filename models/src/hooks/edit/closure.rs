//! Edits that are code.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

type Apply = dyn Fn(Activation, &At<'_>) -> Result<Activation> + Send + Sync;

/// A named closure over a tensor of any rank. Cheap to clone.
#[derive(Clone)]
pub struct Closure {
    name: Arc<str>,
    apply: Arc<Apply>,
    measured: bool,
}

impl Closure {
    pub(super) fn new(
        name: &str,
        apply: impl Fn(Activation, &At<'_>) -> Result<Activation> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), apply: Arc::new(apply), measured: true }
    }

    pub(super) fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    pub(super) fn unmeasured(self) -> Self {
        Self { measured: false, ..self }
    }

    pub(super) fn is_measured(&self) -> bool {
        self.measured
    }

    /// Its name in reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn apply(&self, value: Activation, at: &At<'_>) -> Result<Activation> {
        (self.apply)(value, at)
    }
}

impl fmt::Debug for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Closure({})", self.name)
    }
}
