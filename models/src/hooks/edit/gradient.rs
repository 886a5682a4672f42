//! Changes of gradients in the backward pass. The forward pass stays as it is.

use super::edit::Edit;
use crate::hooks::intervention::intervention::Intervention;

/// What happens to a gradient that reaches a site, before it flows on to earlier sites.
#[derive(Clone, Debug)]
pub enum GradientEdit {
    /// Nothing flows on: the site counts as a constant, like a frozen attention pattern or norm scale. Sites that lead
    /// only to it are not differentiated, so no effect is reported.
    Stop,
    /// Multiplies it. 0 stops the gradient, -1 reverses it.
    Scale(f32),
    /// Changes it by a closure or an intervention, as an edit changes a tensor. The edit receives the gradient of the
    /// metric with respect to the site, with the site's axes, and the place.
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
        Self::By(intervention.into())
    }
}

impl GradientEdit {
    /// The edit that the backward pass applies; `None` where no gradient flows.
    pub(in crate::hooks) fn backward(&self) -> Option<Edit> {
        match self {
            Self::Stop => None,
            Self::Scale(factor) => Some(Intervention::scale(*factor).into()),
            Self::By(edit) => Some(edit.clone()),
        }
    }
}
