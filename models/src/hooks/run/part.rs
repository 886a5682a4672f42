//! One thing that a plan does, and its sites.

use crate::error::Result;
use crate::hooks::capture::capture::Capture;
use crate::hooks::edit::edit::Edit;
use crate::hooks::edit::gradient::GradientEdit;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::pattern::{SitePattern, Vocabulary};

/// A part of a plan.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) sites: SitePattern,
    pub(super) what: What,
}

/// What a part does where it fires.
#[derive(Clone, Debug)]
pub(super) enum What {
    Capture(Box<Capture>),
    Edit(Edit),
    /// Makes the output differentiable with respect to the tensor.
    Grad,
    GradEdit(GradientEdit),
}

impl What {
    /// Its name in errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Capture(_) => "capture",
            Self::Edit(_) => "edit",
            Self::Grad => "gradient",
            Self::GradEdit(_) => "gradient edit",
        }
    }

    pub(super) fn capture(&self) -> Option<&Capture> {
        if let Self::Capture(capture) = self { Some(capture) } else { None }
    }

    pub(super) fn edit(&self) -> Option<&Edit> {
        if let Self::Edit(edit) = self { Some(edit) } else { None }
    }

    pub(super) fn grad(&self) -> Option<()> {
        matches!(self, Self::Grad).then_some(())
    }

    pub(super) fn grad_edit(&self) -> Option<&GradientEdit> {
        if let Self::GradEdit(edit) = self { Some(edit) } else { None }
    }
}

impl Part {
    /// Whether it is for a site.
    pub(super) fn is_at(&self, site: &str, vocabulary: Vocabulary) -> bool {
        self.sites.matches_in(site, vocabulary)
    }

    /// Checks that it fits a tensor of these dims, as far as that is known before it runs.
    pub(super) fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        match &self.what {
            What::Capture(capture) => capture.check(dims, at),
            What::Edit(edit) => edit.check(dims, at),
            What::Grad => Ok(()),
            What::GradEdit(edit) => edit.backward().map_or(Ok(()), |edit| edit.check(dims, at)),
        }
    }

    /// The name and sites of an edit, in words; `None` for other parts.
    pub(super) fn edit_in_words(&self) -> Option<String> {
        match &self.what {
            What::Edit(edit) => Some(format!("`{}` at `{}`", edit.name(), self.sites)),
            What::GradEdit(edit) => {
                let edit = edit.backward();
                let name = edit.as_ref().map_or("stop", Edit::name);
                Some(format!("`{name}` of the gradient at `{}`", self.sites))
            }
            _ => None,
        }
    }
}
