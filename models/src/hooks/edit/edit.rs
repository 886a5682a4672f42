//! Edits: what a run does to a tensor at a site.

use std::fmt;
use std::sync::Arc;

use burn::tensor::Tensor;

use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

type Apply = dyn Fn(Activation, &At<'_>) -> Result<Activation> + Send + Sync;
type Check = dyn Fn(&[usize], &At<'_>) -> Result<()> + Send + Sync;

/// A change of one tensor. Cheap to clone.
#[derive(Clone)]
pub struct Edit {
    apply: Arc<Apply>,
    check: Option<Arc<Check>>,
    name: Arc<str>,
    measured: bool,
}

impl Edit {
    /// An edit by a closure over a tensor of a known rank.
    ///
    /// ```
    /// use arrakis_models::hooks::Edit;
    /// let halve = Edit::new(|z: burn::tensor::Tensor<4>| z * 0.5);
    /// ```
    pub fn new<const D: usize>(edit: impl Fn(Tensor<D>) -> Tensor<D> + Send + Sync + 'static) -> Self {
        Self::fallible(move |tensor, _| Ok(edit(tensor)))
    }

    /// An edit that is told where it fires.
    pub fn at<const D: usize>(edit: impl Fn(Tensor<D>, &At<'_>) -> Tensor<D> + Send + Sync + 'static) -> Self {
        Self::fallible(move |tensor, at| Ok(edit(tensor, at)))
    }

    /// An edit that may refuse: the error becomes the run's.
    pub fn fallible<const D: usize>(
        edit: impl Fn(Tensor<D>, &At<'_>) -> Result<Tensor<D>> + Send + Sync + 'static,
    ) -> Self {
        Self::any("closure", move |value, at| Ok(Activation::new(edit(value.tensor()?, at)?)))
    }

    /// An edit of a tensor of whatever rank.
    pub fn any(name: &str, edit: impl Fn(Activation, &At<'_>) -> Result<Activation> + Send + Sync + 'static) -> Self {
        Self { apply: Arc::new(edit), check: None, name: name.into(), measured: true }
    }

    /// The same edit, which says before anything runs whether it fits a tensor of given dims.
    #[must_use]
    pub fn checked_by(mut self, check: impl Fn(&[usize], &At<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// Whether it fits a tensor of these dims, as far as that is known before it runs.
    ///
    /// # Errors
    ///
    /// The edit's own.
    pub fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        self.check.as_ref().map_or(Ok(()), |check| check(dims, at))
    }

    /// The same edit, whose effect is not worked out: for edits that are measured elsewhere.
    #[must_use]
    pub(crate) fn unmeasured(mut self) -> Self {
        self.measured = false;
        self
    }

    /// Whether its effect is worked out.
    pub(in crate::hooks) fn is_measured(&self) -> bool {
        self.measured
    }

    /// What it is called in reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The edited tensor, of the shape it had.
    ///
    /// # Errors
    ///
    /// The edit's own; [`Error::EditShape`] where it returned another shape.
    pub fn apply(&self, value: Activation, at: &At<'_>) -> Result<Activation> {
        let dims = value.dims().to_vec();
        let new = (self.apply)(value, at)?;
        if new.dims() != dims {
            return Err(Error::EditShape { site: at.site.to_owned(), expected: dims, actual: new.dims().to_vec() });
        }
        Ok(new)
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Edit({})", self.name)
    }
}
