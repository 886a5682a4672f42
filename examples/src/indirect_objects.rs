//! Sentences in which one of two people gives something and the next word is the name of the other.
//!
//! Source: Wang et al., <https://arxiv.org/abs/2211.00593>.

use arrakis::prelude::*;

const NAMES: [&str; 8] = ["Mary", "John", "Tom", "James", "Sarah", "David", "Anna", "Michael"];
/// `{A}` and `{B}` are the two people; `{S}` is the one who gives, and the other receives.
const TEMPLATES: [&str; 2] = [
    "When {A} and {B} went to the store, {S} gave a drink to",
    "Then, {A} and {B} had a long talk at the park. Afterwards {S} said goodbye to",
];

/// At most sixteen pairs of prompts from both templates, with names and words that the model knows. The corrupted
/// prompt swaps the giver's name.
pub fn indirect_objects(model: &HookedTransformer) -> Result<Vec<PromptPair>> {
    let names: Vec<&str> =
        NAMES.into_iter().filter(|name| model.to_single_token(&format!(" {name}")).is_ok()).collect();
    let mut pairs = Vec::new();
    for (template, step) in TEMPLATES.iter().flat_map(|template| (0..8).map(move |step| (template, step))) {
        let (a, b) = (names[step % names.len()], names[(step * 3 + 1) % names.len()]);
        let prompt = |giver: &str| template.replace("{A}", a).replace("{B}", b).replace("{S}", giver);
        // Leaves out prompts with an unknown word: the model would see something else.
        if a != b && model.decode(&model.to_tokens(&prompt(b))?)?.contains(&prompt(b)) {
            pairs.push(PromptPair {
                clean: prompt(b),
                corrupted: prompt(a),
                answer: format!(" {a}"),
                wrong: format!(" {b}"),
            });
        }
    }
    Ok(pairs)
}
