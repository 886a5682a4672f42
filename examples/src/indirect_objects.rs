//! Sentences in which one of two people gives something, and the other is to be named.
//!
//! Source: Wang et al., <https://arxiv.org/abs/2211.00593>.

use arrakis::prelude::*;

const NAMES: [&str; 8] = ["Mary", "John", "Tom", "James", "Sarah", "David", "Anna", "Michael"];
/// `{A}` and `{B}` are there, `{S}` gives; the other receives.
const TEMPLATES: [&str; 2] = [
    "When {A} and {B} went to the store, {S} gave a drink to",
    "Then, {A} and {B} had a long talk at the park. Afterwards {S} said goodbye to",
];

/// Pairs of prompts from both templates, sixteen at most, of the names and words the model knows; the corrupted prompt
/// swaps the giver's name.
pub fn indirect_objects(model: &HookedTransformer) -> Result<Vec<PromptPair>> {
    let names: Vec<&str> =
        NAMES.into_iter().filter(|name| model.to_single_token(&format!(" {name}")).is_ok()).collect();
    let mut pairs = Vec::new();
    for (template, step) in TEMPLATES.iter().flat_map(|template| (0..8).map(move |step| (template, step))) {
        let (a, b) = (names[step % names.len()], names[(step * 3 + 1) % names.len()]);
        let said = |giver: &str| template.replace("{A}", a).replace("{B}", b).replace("{S}", giver);
        // A word the vocabulary lacks would be studied as something else.
        if a != b && model.decode(&model.to_tokens(&said(b))?)?.contains(&said(b)) {
            pairs.push(PromptPair {
                clean: said(b),
                corrupted: said(a),
                answer: format!(" {a}"),
                wrong: format!(" {b}"),
            });
        }
    }
    Ok(pairs)
}
