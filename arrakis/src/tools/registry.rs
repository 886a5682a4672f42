//! The list of tools, one line for each.

/// A tool of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registered {
    /// The tool's name, which is also its file's name.
    pub name: &'static str,
    /// The tool's type.
    pub kind: &'static str,
    /// What is done to the model.
    pub room: &'static str,
    /// Other names that find the tool.
    pub aliases: &'static [&'static str],
}

impl Registered {
    /// The tool's name and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// Declares the tools, room by room. A line gives the tool's name (which is also its file), its type, after `known_as`
/// other names for it, and after `with` the types that a user writes to call it. The line:
///
/// - declares the module,
/// - names the tool for `#[use_tools("..")]`, under its name and its aliases,
/// - lists it in `TOOLS`,
/// - puts its types into the prelude.
macro_rules! tools {
    ($($(#[$about:meta])* $room:ident { $($name:ident $kind:ident $(known_as [$($alias:ident),+])?
        $(with [$($input:ident),+])?,)* })*) => {
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

        /// Every tool under the name that `#[use_tools("..")]` takes.
        #[allow(non_camel_case_types, reason = "the names are those of variables")]
        pub mod by_name {
            $($(
                #[doc = concat!("[`", stringify!($kind), "`](super::", stringify!($kind), ").")]
                pub type $name = super::$kind;
                $($(
                    #[doc = concat!("[`", stringify!($kind), "`](super::", stringify!($kind), ").")]
                    pub type $alias = super::$kind;
                )+)?
            )*)*
        }

        /// What the prelude exports: every tool's type, and the types that a user writes to call it.
        pub mod all {
            $($(pub use super::$room::$name::{$kind $($(, $input)+)?};)*)*
        }

        /// The registered tools, room by room.
        pub const TOOLS: &[Registered] = &[$($(
            Registered {
                name: stringify!($name),
                kind: stringify!($kind),
                room: stringify!($room),
                aliases: &[$($(stringify!($alias)),+)?],
            }
        ),*),*];

        /// What each tool calls itself.
        #[cfg(test)]
        const OWN_NAMES: &[&str] = &[$($(<$kind as Tool>::NAME),*),*];

        /// Calls a generic function with the type of every registered tool.
        #[cfg(test)]
        macro_rules! each_tool {
            ($check:ident) => { $($($check::<$crate::tools::$kind>();)*)* };
        }
        #[cfg(test)]
        pub(crate) use each_tool;
    };
}

pub(super) use tools;

#[cfg(test)]
mod tests {
    use arrakis_models::HookedTransformer;

    use crate::plot::Figure;
    use crate::tools::testing::{Cases, Reading, Readings, encoder, fixture, not_finite};
    use crate::tools::{OWN_NAMES, Registered, TOOLS, each_tool, find};

    fn camel(name: &str) -> String {
        let word = |word: &str| word[..1].to_uppercase() + &word[1..];
        name.split('_').map(word).collect()
    }

    #[test]
    fn name_file_and_type_are_one() {
        for (tool, own) in TOOLS.iter().zip(OWN_NAMES) {
            assert_eq!((tool.name, tool.kind), (*own, camel(own).as_str()));
        }
    }

    #[test]
    fn no_name_or_alias_is_given_twice() {
        let mut names: Vec<&str> = TOOLS.iter().flat_map(Registered::names).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn the_keys_of_arrakis_mi_find_a_tool() {
        let keys = "attention composer causal feature_viz kg_extractor knowledge k_prober logit logit_lens surgery write_read \
                    decomposer residual sparsity superposition";
        for key in keys.split(' ') {
            assert!(find(key).is_ok(), "{key}");
        }
    }

    #[test]
    fn a_tool_is_found_by_its_name_or_an_alias_and_a_typo_names_the_nearest() {
        assert_eq!(find("logit_lens").unwrap().kind, "LogitLens");
        assert_eq!(find("decomposer").unwrap().name, "residual_decomposition");
        let error = find("decomposr").unwrap_err().to_string();
        assert_eq!(error, "no tool `decomposr`; did you mean `decomposer`? `arrakis tools` lists them all");
        let error = find("logit_lenz").unwrap_err().to_string();
        assert_eq!(error, "no tool `logit_lenz`; did you mean `logit_lens`? `arrakis tools` lists them all");
    }

    fn readings<T: Readings>(model: &HookedTransformer, cases: &Cases) -> Vec<Reading> {
        let found = T::new(model).unwrap().readings(cases);
        assert!(!found.is_empty(), "{} gives no reading", T::NAME);
        found
    }

    /// Checks that a reading has finite numbers and a panel that can be drawn, or an error that is not about NaN.
    fn is_sound(tool: &str, reading: &Reading) {
        let what = format!("{tool}, {}", reading.name);
        match &reading.numbers {
            Ok(numbers) => assert!(numbers.iter().all(|number| number.is_finite()), "{what}: {numbers:?}"),
            Err(problem) => assert!(!problem.contains("NaN") && !problem.contains("inf "), "{what}: {problem}"),
        }
        if let Some(panel) = &reading.panel {
            let mut figure = Figure::new(&what);
            figure.push(panel.clone());
            figure.validate().unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }

    #[test]
    fn every_reading_of_every_tool_answers_on_a_sound_model() {
        fn check<T: Readings>() {
            for reading in readings::<T>(&fixture("gpt2"), &Cases::new()) {
                is_sound(T::NAME, &reading);
                assert!(reading.numbers.is_ok(), "{}, {}: {:?}", T::NAME, reading.name, reading.numbers);
            }
        }
        each_tool!(check);
    }

    #[test]
    fn no_tool_turns_a_number_that_is_not_finite_into_an_answer() {
        fn check<T: Readings>() {
            for reading in readings::<T>(&not_finite(), &Cases::new()) {
                let problem = reading.numbers.expect_err(&format!("{}, {} answered", T::NAME, reading.name));
                assert!(problem.starts_with(&format!("{}: ", T::NAME)), "{}: {problem}", reading.name);
                assert!(problem.contains(" is NaN at "), "{}, {}: {problem}", T::NAME, reading.name);
            }
        }
        each_tool!(check);
    }

    #[test]
    fn no_tool_takes_an_encoder_for_a_causal_model() {
        fn check<T: Readings>() {
            for reading in readings::<T>(&encoder(), &Cases::new()) {
                is_sound(T::NAME, &reading);
            }
        }
        each_tool!(check);
    }

    #[test]
    fn no_tool_turns_a_tie_into_an_answer_that_is_not_finite() {
        fn check<T: Readings>() {
            for reading in readings::<T>(&fixture("gpt2"), &Cases::tie()) {
                is_sound(T::NAME, &reading);
            }
        }
        each_tool!(check);
    }
}
