//! The profile that makes dev builds fast, and the notice if it is missing.
//!
//! Cargo's own dev profile compiles dependencies without optimisation. A forward pass then takes 80 times as long.

/// Lines for a `Cargo.toml`, which optimise the packages that compute and build the others fast.
///
/// Cargo reads profiles only from the root of a workspace, so a crate that depends on this one must have them itself.
pub const DEV_PROFILE: &str = include_str!("../../dev-profile.toml");

/// The variable that hides the notice if it is `1`.
pub const ALLOW_VARIABLE: &str = "ARRAKIS_ALLOW_UNOPTIMIZED";

/// Prints to stderr, once a process, that this code was compiled without optimisation.
pub(crate) fn warn_unoptimized() {
    let allowed = std::env::var(ALLOW_VARIABLE).is_ok_and(|value| value == "1");
    if let Some(text) = notice(env!("ARRAKIS_OPT_LEVEL"), allowed) {
        super::warnings::warn_once(&text);
    }
}

/// The notice for code compiled at an `opt-level`, if it needs one.
fn notice(opt_level: &str, allowed: bool) -> Option<String> {
    let slow = opt_level == "0" && !allowed;
    slow.then(|| {
        format!(
            "arrakis is compiled without optimisation: a model runs up to 80 times slower than it can. Paste these lines into the \
             `Cargo.toml` at the root of your workspace, or set `{ALLOW_VARIABLE}=1` to hide this:\n\n{DEV_PROFILE}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_without_optimisation_says_so_with_the_lines_to_paste() {
        let text = notice("0", false).unwrap();
        assert!(text.starts_with("arrakis is compiled without optimisation: "), "{text}");
        assert!(text.contains("\n[profile.dev.package]\n") && text.contains("`ARRAKIS_ALLOW_UNOPTIMIZED=1`"), "{text}");
        assert_eq!(notice("0", true), None);
        for level in ["1", "2", "3", "s", "z"] {
            assert_eq!(notice(level, false), None);
        }
    }

    #[test]
    fn the_build_script_knows_the_level() {
        assert!(["0", "1", "2", "3", "s", "z"].contains(&env!("ARRAKIS_OPT_LEVEL")));
    }
}
