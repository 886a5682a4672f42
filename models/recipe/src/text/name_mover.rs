//! Indirect objects: "When Mary and John went to the store, John gave a drink to" is followed by " Mary".
//!
//! Source: Wang et al., "Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 small"
//! (2022). Both orders of the names are equally frequent, so neither "the first name" nor "the last name" is the
//! answer. The predicted word never follows an earlier copy of the word before it, so induction does not give the
//! answer either.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::document::{Document, PREDICTABLE, TEXT};
use super::templates::{Scene, Template, fill, filler, fillers, templates};
use super::words::{HELD_OUT_NAMES, TRAIN_NAMES};
use super::{Split, vocab};

/// Who is introduced first: A is the indirect object, B the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Indirect object, subject, subject.
    Abba,
    /// Subject, indirect object, subject.
    Baba,
}

/// A sentence that ends before its last name, and its corrupted versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The text of the tokens, without the initial `<|endoftext|>`.
    pub text: String,
    /// Token ids, `<|endoftext|>` first.
    pub tokens: Vec<u32>,
    /// The position whose logits predict the answer, which is the last.
    pub answer_pos: usize,
    /// The indirect object: the name that occurs once.
    pub answer: u32,
    /// The subject: the name that occurs twice.
    pub wrong: u32,
    /// The position where the indirect object is introduced.
    pub io_pos: usize,
    /// The position where the subject is introduced.
    pub s1_pos: usize,
    /// The position where the subject acts.
    pub s2_pos: usize,
    /// Order of the names.
    pub order: Order,
    /// `tokens` with the other name where the subject acts; its answer is `wrong`.
    pub corrupted: Vec<u32>,
    /// `tokens` with three unrelated names (`pABC` of Wang et al.); neither name is an answer.
    pub abc: Vec<u32>,
}

/// The first names of one side of the split.
pub fn names(split: Split) -> &'static [&'static str] {
    match split {
        Split::Train => &TRAIN_NAMES,
        Split::HeldOut => &HELD_OUT_NAMES,
    }
}

/// Draws a prompt at a position that varies: sentences without a name may come before it and within it.
pub fn prompt(rng: &mut impl Rng, from_names: Split, from_templates: Split) -> Prompt {
    let template = templates(from_templates).choose(rng).expect("BUG: both sides have templates");
    let count = if rng.random_bool(0.4) { 0 } else { rng.random_range(1..=3) };
    let between = template.setup.ends_with('.') && rng.random_bool(0.25);
    let order = if rng.random_bool(0.5) { Order::Abba } else { Order::Baba };
    let before = fillers(rng, count);
    let between = between.then(|| filler(rng));
    build(rng, from_names, template, order, &before, between.as_deref())
}

/// Draws only the names and the scene of one template: prompts of one template have the same length and positions.
pub fn aligned_prompt(rng: &mut impl Rng, from_names: Split, template: &Template, order: Order) -> Prompt {
    build(rng, from_names, template, order, &[], None)
}

/// The text of a prompt, without its names.
fn build(
    rng: &mut impl Rng,
    split: Split,
    template: &Template,
    order: Order,
    before: &[String],
    between: Option<&str>,
) -> Prompt {
    let mut sentences: Vec<&str> = before.iter().map(String::as_str).collect();
    sentences.push(template.setup);
    sentences.extend(between);
    sentences.push(template.action);
    let text = fill(&sentences.join(" "), &Scene::draw(rng));
    let people: Vec<&str> = names(split).choose_multiple(rng, 5).copied().collect();
    name(&text, order, [people[0], people[1]], [people[2], people[3], people[4]])
}

/// Fills in the names: the indirect object and the subject, and three others for the `abc` version.
fn name(text: &str, order: Order, [io, s]: [&str; 2], [a, b, c]: [&str; 3]) -> Prompt {
    let [first, second] = if order == Order::Abba { [io, s] } else { [s, io] };
    let tokens = encode(text, [first, second, s]);
    let [answer, wrong] = [io, s].map(vocab::spaced);
    let [a_pos, b_pos, s2_pos] = name_places(&tokens, [io, s]);
    let [io_pos, s1_pos] = if order == Order::Abba { [a_pos, b_pos] } else { [b_pos, a_pos] };
    Prompt {
        text: vocab::decode(&tokens[1..]),
        answer_pos: tokens.len() - 1,
        corrupted: encode(text, [first, second, io]),
        abc: encode(text, [a, b, c]),
        tokens,
        answer,
        wrong,
        io_pos,
        s1_pos,
        s2_pos,
        order,
    }
}

fn encode(text: &str, [a, b, s]: [&str; 3]) -> Vec<u32> {
    let text = text.replace("{A}", a).replace("{B}", b).replace("{S}", s);
    std::iter::once(vocab::END_OF_TEXT_ID).chain(vocab::encode(&text)).collect()
}

/// The three positions of one of two names, with or without a leading space.
fn name_places(tokens: &[u32], names: [&str; 2]) -> [usize; 3] {
    let ids: Vec<u32> = names.iter().flat_map(|name| [Some(vocab::spaced(name)), vocab::id(name)]).flatten().collect();
    let places: Vec<usize> = (0..tokens.len()).filter(|&place| ids.contains(&tokens[place])).collect();
    places.try_into().expect("BUG: a template has three names")
}

/// One row of training text: a training prompt, its answer, and possibly more text.
pub fn document(rng: &mut impl Rng) -> Document {
    let Prompt { tokens, answer, .. } = prompt(rng, Split::Train, Split::Train);
    let mut document = Document::open();
    document.extend(tokens.into_iter().skip(1), TEXT);
    document.push(answer, PREDICTABLE);
    let rest = if rng.random_bool(0.3) { format!(". {}", filler(rng)) } else { ".".to_string() };
    document.extend(vocab::encode(&rest), TEXT);
    document.close()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::N_CTX;
    use super::*;

    fn count(tokens: &[u32], name: u32) -> usize {
        let spaced = vocab::decode(&[name]);
        tokens.iter().filter(|&&id| id == name || vocab::decode(&[id]) == spaced.trim_start()).count()
    }

    #[test]
    fn the_sentence_of_the_paper() {
        let text = "When {A} and {B} went to the store, {S} gave a drink to";
        let found = name(text, Order::Abba, ["Mary", "John"], ["Tom", "Amy", "Bob"]);
        assert_eq!(found.text, "When Mary and John went to the store, John gave a drink to");
        assert_eq!([found.answer, found.wrong], [" Mary", " John"].map(|name| vocab::id(name).unwrap()));
        assert_eq!([found.io_pos, found.s1_pos, found.s2_pos, found.answer_pos], [2, 4, 10, 14]);
        assert_eq!(vocab::decode(&found.corrupted[1..]), "When Mary and John went to the store, Mary gave a drink to");
        assert_eq!(vocab::decode(&found.abc[1..]), "When Tom and Amy went to the store, Bob gave a drink to");
        let baba = name(text, Order::Baba, ["Mary", "John"], ["Tom", "Amy", "Bob"]);
        assert_eq!(baba.text, "When John and Mary went to the store, John gave a drink to");
        assert_eq!((baba.io_pos, baba.s1_pos, baba.answer), (4, 2, found.answer));
    }

    #[test]
    fn the_answer_occurs_once_and_the_subject_twice_in_every_draw() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for (from_names, from_templates) in
            [(Split::Train, Split::Train), (Split::Train, Split::HeldOut), (Split::HeldOut, Split::HeldOut)]
        {
            for _ in 0..300 {
                let p = prompt(&mut rng, from_names, from_templates);
                assert_eq!([count(&p.tokens, p.answer), count(&p.tokens, p.wrong)], [1, 2], "{}", p.text);
                assert_eq!([count(&p.corrupted, p.answer), count(&p.corrupted, p.wrong)], [2, 1], "{}", p.text);
                assert_eq!([count(&p.abc, p.answer), count(&p.abc, p.wrong)], [0, 0], "{}", p.text);
                assert!(!p.tokens.contains(&vocab::UNKNOWN_ID) && !p.text.contains('{'), "{}", p.text);
                assert_eq!(vocab::encode(&p.text), p.tokens[1..]);
                assert_eq!((p.tokens.len(), p.tokens.len()), (p.corrupted.len(), p.abc.len()));
                assert!(p.tokens.len() < N_CTX, "{}", p.text);
            }
        }
    }

    #[test]
    fn held_out_names_are_not_in_the_training_text() {
        let held_out: Vec<u32> =
            HELD_OUT_NAMES.iter().flat_map(|name| [vocab::spaced(name), vocab::id(name).unwrap()]).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for _ in 0..500 {
            let document = document(&mut rng);
            assert!(document.tokens.iter().all(|id| !held_out.contains(id)));
            assert_eq!(document.weights.iter().filter(|&&weight| weight == PREDICTABLE).count(), 1);
        }
    }

    #[test]
    fn neither_order_nor_induction_gives_the_answer() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let prompts: Vec<_> = (0..1000).map(|_| prompt(&mut rng, Split::Train, Split::Train)).collect();
        let first = prompts.iter().filter(|p| p.order == Order::Abba).count();
        assert!((400..600).contains(&first), "{first} of 1000 answers are the first name");
        for p in &prompts {
            let followed = p.tokens.windows(2).any(|pair| pair[0] == p.tokens[p.answer_pos] && pair[1] == p.answer);
            assert!(!followed, "{}", p.text);
        }
        let places: std::collections::BTreeSet<_> = prompts.iter().map(|p| p.answer_pos).collect();
        assert!(places.len() > 25, "{places:?}");
    }

    #[test]
    fn aligned_prompts_differ_only_in_words() {
        let mut rng = ChaCha8Rng::seed_from_u64(10);
        let template = &templates(Split::Train)[0];
        let [one, two] =
            [Order::Abba, Order::Baba].map(|order| aligned_prompt(&mut rng, Split::HeldOut, template, order));
        assert_eq!((one.answer_pos, one.s2_pos), (two.answer_pos, two.s2_pos));
        assert_eq!((one.io_pos, one.s1_pos), (two.s1_pos, two.io_pos));
    }
}
