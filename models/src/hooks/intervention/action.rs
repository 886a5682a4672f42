//! What every action is.

use crate::error::Result;
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;

/// One thing that can be done to the numbers of a tensor.
pub(super) trait Act {
    /// What reports call it.
    const NAME: &'static str;

    /// Whether it can be done to a tensor of these dims.
    fn check(&self, _dims: &[usize], _at: &At<'_>) -> Result<()> {
        Ok(())
    }

    /// The tensor with the action done to all of it, once [`Act::check`] has passed. What is not selected is put back.
    fn apply(&self, value: &Activation, at: &At<'_>) -> Result<Activation>;
}

/// Makes the files of the list modules, and their types the variants of one enum that a record keeps.
macro_rules! register {
    ($($(#[doc = $doc:literal])+ $file:ident $Type:ident ($($argument:ident: $kind:ty),*);)+) => {
        $(mod $file;)+

        /// Every action, as a record keeps it.
        pub mod action_types {
            $(pub use super::$file::$Type;)+
        }

        /// What is done to the selected numbers: in JSON an object whose `do` is the action's name.
        #[allow(clippy::large_enum_variant, reason = "one an edit, never moved about")]
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
            /// What reports call it.
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
