//! Rust code as text: its tokens, and the items in a file. Nothing is compiled, so old and broken files can be read.

mod items;
mod words;

pub(crate) use items::{Item, items};

use super::json;

/// SHA-256 of the tokens of the item of this name in a text, in hex; of all tokens if there is no such item. Layout,
/// comments, visibility and the attributes of an experiment do not count.
pub(crate) fn hash(text: &str, name: &str) -> String {
    let found = items(text).into_iter().find(|item| item.name == name);
    json::digest(&found.map_or_else(|| items::joined(&words::words(text)), |item| item.tokens))
}

/// The text of the item of this name, at the margin, without its attributes and what is above them.
pub(crate) fn text_of(text: &str, name: &str) -> Option<String> {
    items(text).into_iter().find(|item| item.name == name).map(|item| item.text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_does_not_count_and_code_does() {
        let plain = hash("fn f(x: f64) -> f64 { 2.0 * x }", "f");
        let dressed = "/// Doubles.\n#[tracked]\npub(crate) fn f(\n    x: f64) -> f64\n{ // twice\n    2.0*x }";
        assert_eq!(plain, hash(dressed, "f"));
        for other in ["fn f(x: f64) -> f64 { 2.5 * x }", "#[inline] fn f(x: f64) -> f64 { 2.0 * x }"] {
            assert_ne!(plain, hash(other, "f"));
        }
        assert_eq!(hash("not { an item", "f"), hash("not  {  an item", "f"));
    }
}
