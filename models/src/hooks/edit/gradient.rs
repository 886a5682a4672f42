//! Changes of gradients on their way back, which leave the forward as it is.

use super::edit::Edit;
use crate::hooks::intervention::intervention::Intervention;

/// What happens to a gradient that reaches a site, before it flows on to earlier sites.
#[derive(Clone, Debug)]
pub enum GradientEdit {
    /// Nothing flows on: the site counts as a constant, like a frozen attention pattern or norm scale. What leads only to
    /// it is not differentiated, so there is no effect to report.
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
        Self::By(intervention.into())
    }
}

impl GradientEdit {
    /// What the backward pass does; nothing where no gradient gets to it.
    pub(in crate::hooks) fn backward(&self) -> Option<Edit> {
        match self {
            Self::Stop => None,
            Self::Scale(factor) => Some(Intervention::scale(*factor).into()),
            Self::By(edit) => Some(edit.clone()),
        }
    }
}
