//! The registration of tools: one line each.

/// Declares rooms of tools. A line is the file, which is also the tool's name, its type, and after `with` the types a
/// user writes to call it. The line declares the module, names the tool for `#[use_tools("..")]`, lists it, and puts
/// its types into the prelude.
macro_rules! tools {
    ($($(#[$about:meta])* $room:ident { $($name:ident $kind:ident $(with [$($input:ident),+])?,)* })*) => {
        $(
            $(#[$about])*
            pub mod $room {
                $(
                    pub mod $name;
                    pub use $name::$kind;
                )*
            }
        )*

        $($(pub use $room::$name::$kind;)*)*

        /// Every tool by the name `#[use_tools("..")]` knows it by.
        #[allow(non_camel_case_types, reason = "the names are those of variables")]
        pub mod by_name {
            $($(
                #[doc = concat!("[`", stringify!($kind), "`](super::", stringify!($kind), ").")]
                pub type $name = super::$kind;
            )*)*
        }

        /// What the prelude takes: every tool's type, and the types a user writes to call it.
        pub mod all {
            $($(pub use super::$room::$name::{$kind $($(, $input)+)?};)*)*
        }

        /// The registered names, room by room.
        pub const NAMES: &[&str] = &[$($(stringify!($name)),*),*];

        /// A tool's name, its file and its type are one.
        #[cfg(test)]
        const REGISTERED: &[(&str, &str, &str)] = &[$($(
            (stringify!($name), stringify!($kind), <$kind as Tool>::NAME)
        ),*),*];
    };
}

pub(super) use tools;

#[cfg(test)]
mod tests {
    use crate::tools::{NAMES, REGISTERED};

    fn camel(name: &str) -> String {
        let word = |word: &str| word[..1].to_uppercase() + &word[1..];
        name.split('_').map(word).collect()
    }

    #[test]
    fn name_file_and_type_are_one() {
        assert_eq!(REGISTERED.len(), NAMES.len());
        for (file, kind, name) in REGISTERED {
            assert_eq!((*name, *kind), (*file, camel(file).as_str()));
        }
    }
}
