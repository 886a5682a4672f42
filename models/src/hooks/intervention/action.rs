//! The trait of every action.

use crate::error::Result;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

/// An operation on the numbers of a tensor.
pub(super) trait Act {
    /// Its name in reports.
    const NAME: &'static str;

    /// Checks that it fits a tensor of these dims.
    fn check(&self, _dims: &[usize], _at: &At<'_>) -> Result<()> {
        Ok(())
    }

    /// The whole tensor with the action applied, after [`Act::check`] has passed. The caller restores what is not
    /// selected.
    fn apply(&self, value: &Activation, at: &At<'_>) -> Result<Activation>;
}

/// Declares the modules of the listed files, and one enum whose variants are their types.
macro_rules! register {
    ($($(#[doc = $doc:literal])+ $file:ident $Type:ident ($($argument:ident: $kind:ty),*);)+) => {
        $(mod $file;)+

        /// Every action, as records store it.
        pub mod action_types {
            $(pub use super::$file::$Type;)+
        }

        /// What is done to the selected numbers. In JSON it is an object whose `do` is the action's name.
        #[allow(clippy::large_enum_variant, reason = "one per edit, rarely moved")]
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "do", rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Action {
            $($(#[doc = $doc])+ $Type($file::$Type),)+
        }

        $(impl From<$file::$Type> for Action {
            fn from(action: $file::$Type) -> Self {
                Self::$Type(action)
            }
        })+

        impl Action {
            /// Its name in reports.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$Type(_) => <$file::$Type as action::Act>::NAME,)+
                }
            }

            fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
                match self {
                    $(Self::$Type(action) => action::Act::check(action, dims, at),)+
                }
            }

            fn apply(&self, value: &Activation, at: &At<'_>) -> Result<Activation> {
                match self {
                    $(Self::$Type(action) => action::Act::apply(action, value, at),)+
                }
            }
        }
    };
}
pub(super) use register;
