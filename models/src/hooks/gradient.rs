//! Changes of gradients on their way back, which leave the forward as it is.

use std::sync::Arc;

use super::activation::Activation;
use super::backward::{BackwardLog, Hook};
use super::edit::{At, Edit};
use super::intervention::Intervention;
use crate::error::Result;

/// What becomes of a gradient that reaches a site, before it flows on to earlier sites.
#[derive(Clone, Debug)]
pub enum GradientEdit {
    /// Nothing flows on: the site counts as a constant, as a frozen attention pattern or norm scale does. What only leads to
    /// it is not differentiated at all, so there is no effect to report.
    Stop,
    /// Multiplied; 0 stops it, -1 turns it.
    Scale(f32),
    /// Changed as an edit changes a tensor, by a closure or an intervention: it is given the gradient of the metric with
    /// respect to the site, with the site's axes, and where it is.
    ///
    /// ```
    /// use arrakis_models::{Edit, GradientEdit, Intervention, Plan};
    /// use burn::tensor::Tensor;
    ///
    /// let clipped = Edit::new(|gradient: Tensor<4>| gradient.clamp(-1.0, 1.0));
    /// let plan = Plan::new()
    ///     .edit_gradient("blocks.*.attn.z", clipped)
    ///     .edit_gradient("blocks.1.attn.pattern", Intervention::zero().head(3));
    /// ```
    By(Edit),
}

impl From<Edit> for GradientEdit {
    fn from(edit: Edit) -> Self {
        Self::By(edit)
    }
}

impl From<Intervention> for GradientEdit {
    fn from(intervention: Intervention) -> Self {
        Self::By(intervention.edit())
    }
}

impl GradientEdit {
    /// Whether it fits the gradient of a tensor of these dims, as far as that is known before it runs.
    ///
    /// # Errors
    ///
    /// The edit's own.
    pub(super) fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        if let Self::By(edit) = self { edit.check(dims, at) } else { Ok(()) }
    }

    /// The same tensor, through which gradients flow changed; `index` is this edit's place in the plan.
    pub(super) fn apply(
        &self,
        value: &Activation,
        at: &At<'_>,
        log: &Arc<BackwardLog>,
        index: usize,
    ) -> Result<Activation> {
        let edit = match self {
            Self::Stop => return Ok(value.untracked()),
            Self::Scale(factor) => Intervention::scale(*factor).edit(),
            Self::By(edit) => edit.clone(),
        };
        value.with_gradient_hook(&Hook::new(edit, at, log, index))
    }

    /// Whether the backward pass comes by it.
    pub(super) fn is_met(&self) -> bool {
        !matches!(self, Self::Stop)
    }

    /// What it is called in reports.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Scale(_) => "scale",
            Self::By(edit) => edit.name(),
        }
    }
}
