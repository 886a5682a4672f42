//! Edits: what a run does to a tensor at a site.

use std::sync::Arc;

use burn::tensor::Tensor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::closure::Closure;
use crate::error::{Error, Result};
use crate::hooks::intervention::intervention::Intervention;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

/// A change to one tensor: an [`Intervention`] or a closure. Cheap to clone.
///
/// An intervention converts into an edit wherever an edit is expected. It can be serialised, so a record can keep it
/// and another process can run it. Serialising a closure is an error.
///
/// ```
/// use arrakis_models::{Edit, Intervention, Plan};
/// use burn::tensor::Tensor;
///
/// let plan = Plan::new()
///     .edit("blocks.0.attn.z", Intervention::zero().head(3))
///     .edit("blocks.1.attn.z", Edit::new(|z: Tensor<4>| z * 0.5).named("halve"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Edit {
    /// A named action on a selection.
    Named(Arc<Intervention>),
    /// Code.
    Closure(Closure),
}

impl From<Intervention> for Edit {
    fn from(intervention: Intervention) -> Self {
        Self::Named(Arc::new(intervention))
    }
}

impl Edit {
    /// An edit by a closure over a tensor of known rank.
    ///
    /// The closure must return the same result for the same tensor each time. A sweep first applies an edit outside a
    /// run to the clean tensor at its site, possibly more than once. A closure that counts its calls or draws random
    /// numbers gives inconsistent results there.
    pub fn new<const D: usize>(edit: impl Fn(Tensor<D>) -> Tensor<D> + Send + Sync + 'static) -> Self {
        Self::fallible(move |tensor, _| Ok(edit(tensor)))
    }

    /// An edit that receives the place where it fires; otherwise like [`Edit::new`].
    pub fn at<const D: usize>(edit: impl Fn(Tensor<D>, &At<'_>) -> Tensor<D> + Send + Sync + 'static) -> Self {
        Self::fallible(move |tensor, at| Ok(edit(tensor, at)))
    }

    /// An edit that may fail: its error becomes the run's. Otherwise like [`Edit::new`].
    pub fn fallible<const D: usize>(
        edit: impl Fn(Tensor<D>, &At<'_>) -> Result<Tensor<D>> + Send + Sync + 'static,
    ) -> Self {
        Self::any("closure", move |value, at| Ok(Activation::new(edit(value.tensor()?, at)?)))
    }

    /// An edit of a tensor of any rank; otherwise like [`Edit::new`].
    pub fn any(name: &str, edit: impl Fn(Activation, &At<'_>) -> Result<Activation> + Send + Sync + 'static) -> Self {
        Self::Closure(Closure::new(name, edit))
    }

    /// Names the closure for reports and errors. An intervention keeps its own name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        match self {
            Self::Closure(closure) => Self::Closure(closure.named(name)),
            Self::Named(_) => self,
        }
    }

    /// Checks that it fits a tensor of these dims, as far as that is known before it runs. A closure always passes.
    ///
    /// # Errors
    ///
    /// Those of [`Intervention::check`].
    pub fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        match self {
            Self::Named(intervention) => intervention.check(dims, at),
            Self::Closure(_) => Ok(()),
        }
    }

    /// The same closure without measuring its effect, and so without a warning if it changes nothing: for edits that are
    /// measured elsewhere, or that hold a tensor where it is. An intervention stays measured.
    #[must_use]
    pub fn unmeasured(self) -> Self {
        match self {
            Self::Closure(closure) => Self::Closure(closure.unmeasured()),
            Self::Named(_) => self,
        }
    }

    /// Whether its effect is measured.
    pub(in crate::hooks) fn is_measured(&self) -> bool {
        match self {
            Self::Closure(closure) => closure.is_measured(),
            Self::Named(_) => true,
        }
    }

    /// Its name in reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Named(intervention) => intervention.action.name(),
            Self::Closure(closure) => closure.name(),
        }
    }

    /// The edited tensor. It must have the shape of the input.
    ///
    /// # Errors
    ///
    /// The edit's own; [`Error::EditShape`] if it returned another shape.
    pub fn apply(&self, value: Activation, at: &At<'_>) -> Result<Activation> {
        let dims = value.dims().to_vec();
        let new = match self {
            Self::Named(intervention) => intervention.apply(&value, at)?,
            Self::Closure(closure) => closure.apply(value, at)?,
        };
        if new.dims() != dims {
            return Err(Error::EditShape { site: at.site.to_owned(), expected: dims, actual: new.dims().to_vec() });
        }
        Ok(new)
    }
}

/// The edit as an intervention, if it is one.
impl Serialize for Edit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named(intervention) => intervention.serialize(serializer),
            Self::Closure(closure) => {
                Err(serde::ser::Error::custom(Error::ClosureEdit { edit: closure.name().into() }))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Edit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Intervention::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intervention_is_an_edit_that_comes_back_from_json() {
        let edit = Edit::from(Intervention::scale(2.0).head(1));
        let text = serde_json::to_string(&edit).unwrap();
        assert_eq!(text, r#"{"action":{"do":"scale","factor":2.0},"heads":[1]}"#);
        let back: Edit = serde_json::from_str(&text).unwrap();
        assert_eq!((serde_json::to_string(&back).unwrap(), back.name()), (text, "scale"));
    }

    #[test]
    fn a_closure_refuses_to_be_serialised_by_its_name() {
        let error = serde_json::to_string(&Edit::new(|x: Tensor<3>| x).named("clip")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the edit `clip` is a closure, which no record can keep and no other process can run: write it as an `Intervention`"
        );
    }
}
