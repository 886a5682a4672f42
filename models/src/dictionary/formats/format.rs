//! What a format says, and the lists of all.

use crate::dictionary::config::DictionaryConfig;
use crate::dictionary::parameters::Parameters;

/// What was read: the settings and the parameters.
pub(super) type Found = (DictionaryConfig, Parameters);

/// Declares the modules of the listed files, and the lists of their functions.
macro_rules! register {
    ($($(#[doc = $doc:literal])+ $List:ident { $($file:ident $name:literal [$($part:literal),+];)+ })+) => {
        $($(mod $file;)+)+

        /// A format.
        struct Format {
            /// Its name.
            name: &'static str,
            /// Its files, that which tells it first; or the tensor that tells it, and ends of names of files.
            files: &'static [&'static str],
            /// Reads it.
            read: fn(&Place) -> Result<Found>,
        }

        $($(#[doc = $doc])+
        const $List: &[Format] = &[$(Format { name: $name, files: &[$($part),+], read: $file::read }),+];)+
    };
}
pub(super) use register;
