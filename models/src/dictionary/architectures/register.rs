//! The enums of all architectures and objectives.

/// Declares the modules of the listed files, the enum of their settings and the enum of their objectives.
macro_rules! register {
    ($($(#[doc = $doc:literal])+ $file:ident $Type:ident $Loss:ident $name:literal;)+) => {
        $(mod $file;)+

        $(pub use $file::{$Type, $Loss};)+

        /// What an encoder computes, with its settings. In JSON it is an object with its `name`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "name")]
        #[non_exhaustive]
        pub enum Architecture {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $Type($Type),)+
        }

        /// What a dictionary is trained on, with its settings: the objective of one architecture.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "name")]
        #[non_exhaustive]
        pub enum Objective {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $Type($Loss),)+
        }

        $(impl From<$Type> for Architecture {
            fn from(settings: $Type) -> Self {
                Self::$Type(settings)
            }
        }

        impl From<$Loss> for Objective {
            fn from(settings: $Loss) -> Self {
                Self::$Type(settings)
            }
        })+

        impl Architecture {
            /// The names of all architectures.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// Its name in files.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$Type(_) => $name,)+
                }
            }

            /// The objective that its dictionaries are trained on if none is given.
            pub fn objective(&self) -> Objective {
                match self {
                    $(Self::$Type(_) => Objective::$Type($Loss::default()),)+
                }
            }

            /// Checks the settings for a number of latents.
            ///
            /// # Errors
            ///
            /// [`Error::Setting`] naming the setting and what it should be.
            pub fn check(&self, d_sae: usize) -> Result<()> {
                self.encoder().check(d_sae)
            }

            pub(in crate::dictionary) fn encoder(&self) -> &dyn Encoder {
                match self {
                    $(Self::$Type(settings) => settings,)+
                }
            }
        }

        impl Objective {
            /// The name of its architecture.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$Type(_) => $name,)+
                }
            }

            /// Checks that the settings are valid for the architecture.
            ///
            /// # Errors
            ///
            /// [`Error::Setting`] naming the setting, or the architecture if it is another's.
            pub fn check(&self, of: &Architecture, d_sae: usize) -> Result<()> {
                match (self, of) {
                    $((Self::$Type(loss), Architecture::$Type(settings)) => Loss::check(loss, settings, d_sae),)+
                    _ => Err(Error::Setting {
                        setting: "objective",
                        value: format!("that of `{}`", self.name()),
                        fix: format!("the dictionary is `{}`; give an objective of that", of.name()),
                    }),
                }
            }

            /// Whether dead latents predict what is left over, in the units of the target.
            pub(in crate::dictionary) fn revives(&self) -> bool {
                match self {
                    $(Self::$Type(loss) => Loss::revives(loss),)+
                }
            }

            /// The losses of one pass.
            pub(in crate::dictionary) fn losses(
                &self,
                of: &Architecture,
                pass: &crate::dictionary::pass::Pass<'_>,
            ) -> crate::dictionary::loss::Losses {
                match (self, of) {
                    $((Self::$Type(loss), Architecture::$Type(settings)) => Loss::losses(loss, settings, pass),)+
                    _ => unreachable!("BUG: `check` comes first"),
                }
            }
        }
    };
}
pub(super) use register;
