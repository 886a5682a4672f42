//! The options of a suite that those of `cargo test` do not have.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where the `JUnit` report goes, and the other arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) junit: Option<PathBuf>,
    pub(super) rest: Vec<String>,
}

impl Options {
    /// Takes `--junit FILE` or `--junit=FILE` out of the arguments. The variable holds without it; an empty one is none.
    pub(super) fn read(arguments: Vec<String>, variable: Option<OsString>) -> Self {
        let mut options = Self { junit: variable.filter(|path| !path.is_empty()).map(PathBuf::from), rest: Vec::new() };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.strip_prefix("--junit") {
                Some("") => options.junit = arguments.next().map(PathBuf::from),
                Some(value) if value.starts_with('=') => options.junit = Some(value[1..].into()),
                _ => options.rest.push(argument),
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_an_argument_or_a_variable() {
        let read = |arguments: &[&str], variable: Option<&str>| {
            let options =
                Options::read(arguments.iter().map(|text| (*text).to_owned()).collect(), variable.map(Into::into));
            (options.junit.map(|path| path.display().to_string()), options.rest.join(" "))
        };
        assert_eq!(read(&["suite", "--list", "--format", "terse"], None), (None, "suite --list --format terse".into()));
        assert_eq!(
            read(&["suite", "--junit", "a.xml", "name"], Some("b.xml")),
            (Some("a.xml".into()), "suite name".into())
        );
        assert_eq!(read(&["suite", "--junit=a.xml"], None), (Some("a.xml".into()), "suite".into()));
        assert_eq!(read(&["suite"], Some("b.xml")), (Some("b.xml".into()), "suite".into()));
        assert_eq!(read(&["suite"], Some("")), (None, "suite".into()));
    }
}
