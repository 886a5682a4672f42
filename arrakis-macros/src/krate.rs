//! The name of `arrakis` in the crate that is compiled. A dependency can be renamed:
//! `ark = { package = "arrakis", .. }`.

use std::path::Path;
use std::sync::OnceLock;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;

/// `::arrakis`, or the name that the crate gives it.
pub(crate) fn krate() -> TokenStream {
    static NAME: OnceLock<String> = OnceLock::new();
    let name = NAME.get_or_init(|| named(std::env::args()));
    let name = Ident::new(name, Span::call_site());
    quote!(::#name)
}

/// The cargo features of the crate that is compiled, with spaces between them; `None` if it has none.
pub(crate) fn features() -> Option<String> {
    let features = features_in(std::env::args());
    (!features.is_empty()).then_some(features)
}

/// What `#[hooked]` calls.
pub(crate) fn hooks() -> TokenStream {
    let krate = krate();
    quote!(#krate::__private::hooks)
}

/// [`hooks`] at the place of the user's code that it is for.
pub(crate) fn hooks_at(span: Span) -> TokenStream {
    let placed = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    hooks().into_iter().map(placed).collect()
}

/// The name after `--extern` in the compiler's arguments. They are the one place where it surely is: a manifest can
/// inherit it from a workspace, and other build systems have none. A crate that has no `arrakis` among its
/// dependencies, such as `arrakis` itself, uses its own name.
fn named(arguments: impl Iterator<Item = String>) -> String {
    let mut after_extern = false;
    let externs = arguments.filter_map(|argument| {
        let value = argument.strip_prefix("--extern=").map(str::to_owned);
        let value = value.or_else(|| after_extern.then(|| argument.clone()));
        after_extern = argument == "--extern";
        value
    });
    let names: Vec<String> = externs.filter_map(|value| name_of(&value)).collect();
    let own = "arrakis".to_owned();
    if names.contains(&own) { own } else { names.into_iter().next().unwrap_or(own) }
}

/// The features after `--cfg` in the compiler's arguments.
fn features_in(arguments: impl Iterator<Item = String>) -> String {
    let feature = |argument: String| {
        let value = argument.strip_prefix("--cfg=").unwrap_or(&argument).to_owned();
        value.strip_prefix("feature=\"").and_then(|value| value.strip_suffix('"')).map(str::to_owned)
    };
    let mut features: Vec<String> = arguments.filter_map(feature).collect();
    features.sort();
    features.join(" ")
}

/// The name in `noprelude:ark=/deps/libarrakis-0123.rmeta`, if the file is our library.
fn name_of(value: &str) -> Option<String> {
    let (name, file) = value.split_once('=')?;
    let file = Path::new(file).file_name()?.to_str()?;
    let ours = file.strip_prefix("libarrakis")?.starts_with(['-', '.']);
    ours.then(|| name.rsplit(':').next().unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(arguments: &str) -> String {
        named(arguments.split(' ').map(str::to_owned))
    }

    #[test]
    fn a_renamed_dependency_is_found_by_its_file() {
        assert_eq!(name("rustc --extern ark=/d/libarrakis-01.rmeta --extern serde=/d/libserde-2.rmeta"), "ark");
        assert_eq!(name("rustc --extern=noprelude:ark=/d/libarrakis.rlib"), "ark");
        assert_eq!(name("rustc --extern old=/d/libarrakis-1.rlib --extern arrakis=/d/libarrakis-2.rlib"), "arrakis");
    }

    #[test]
    fn features_are_those_of_the_crate() {
        let arguments = "rustc --cfg feature=\"wgpu\" --cfg=feature=\"default\" --cfg unix --check-cfg cfg(feature)";
        assert_eq!(features_in(arguments.split(' ').map(str::to_owned)), "default wgpu");
    }

    #[test]
    fn other_crates_of_ours_and_none_at_all_leave_the_name() {
        assert_eq!(name("rustc --extern m=/d/libarrakis_models-01.rmeta --extern x --crate-name a=b"), "arrakis");
    }
}
