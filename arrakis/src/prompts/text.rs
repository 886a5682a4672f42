//! Templates and words of a text.

/// Fills the slots of a template, such as `{A}`.
pub(super) fn fill(template: &str, slots: &[(&str, &str)]) -> String {
    slots.iter().fold(template.to_owned(), |text, (slot, word)| text.replace(slot, word))
}

/// The words of a text without punctuation.
pub(super) fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}
