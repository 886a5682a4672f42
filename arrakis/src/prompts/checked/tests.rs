use std::collections::BTreeSet;
use std::path::PathBuf;

use arrakis_models::{HookedAutoModel, TransformerConfig, device};

use super::super::text::words;
use super::*;
use crate::tools::testing::planted;

fn embedded() -> HookedTransformer {
    HookedAutoModel::embedded().unwrap()
}

/// A model without knowledge that reads text as GPT-2 does.
fn gpt2_reader() -> HookedTransformer {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tokenizers/gpt2/tokenizer.json");
    let tokenizer = arrakis_models::Tokenizer::from_file(&file, None).unwrap();
    let config = TransformerConfig::plain("reader", 1, 4, 1, 50257, 64);
    let net = planted(&config, |_, row, column| if column == row % 4 { 1.0 } else { 0.0 }).net().clone();
    HookedTransformer::new(net, "reader", Some(tokenizer), &device::cpu())
}

#[test]
fn the_embedded_model_answers_the_sets_it_was_trained_for() {
    let model = embedded();
    for (known, least) in [
        (Known::NameMover, 0.9),
        (Known::NameMoverRandomNames, 0.9),
        (Known::GreaterThan, 0.9),
        (Known::Induction, 0.9),
    ] {
        let set = PromptSet::draw(known, &model, 32, 7).unwrap();
        for side in [set.train(), set.held_out()] {
            let checked = side.check(&model).unwrap();
            assert_eq!((checked.prompts, checked.problems.as_slice()), (32, &[][..]), "{checked}");
            assert!(checked.accuracy >= least && checked.told_apart >= least, "{checked}");
            assert!(checked.clean > 0.5 && checked.corrupted < checked.clean - 0.5, "{checked}");
        }
    }
}

#[test]
fn a_tokenizer_like_gpt2s_reads_every_set() {
    let model = gpt2_reader();
    for known in Known::ALL {
        let set = PromptSet::draw(*known, &model, 24, 3).unwrap();
        assert_eq!(set, PromptSet::draw(*known, &model, 24, 3).unwrap());
        assert_ne!(set, PromptSet::draw(*known, &model, 24, 4).unwrap());
        let problems: Vec<String> = set
            .prompts
            .iter()
            .filter_map(|prompt| mislabelled(Some(*known), prompt).or_else(|| misfit(&model, prompt)))
            .collect();
        assert_eq!(problems, [] as [String; 0], "{known:?}");
        let clean: BTreeSet<&str> = set.prompts.iter().map(|prompt| prompt.clean.as_str()).collect();
        assert_eq!(clean.len(), 48, "{known:?} repeats a prompt");
        assert_eq!(set.pairs(&model).unwrap().groups.len(), 48);
    }
}

#[test]
fn the_held_out_side_has_templates_and_words_of_its_own() {
    let model = gpt2_reader();
    for known in [Known::NameMover, Known::GreaterThan, Known::GenderedPronouns] {
        let set = PromptSet::draw(known, &model, 24, 1).unwrap();
        let (train, held_out) = (set.train(), set.held_out());
        let shared: Vec<&str> =
            train.templates().into_iter().filter(|template| held_out.templates().contains(template)).collect();
        assert_eq!(shared, [] as [&str; 0], "{known:?}");
    }
    for known in [Known::NameMover, Known::Induction, Known::DuplicateTokens] {
        let set = PromptSet::draw(known, &model, 24, 1).unwrap();
        let answers =
            |side: &PromptSet| side.prompts.iter().map(|prompt| prompt.answer.clone()).collect::<BTreeSet<_>>();
        assert!(answers(&set.train()).is_disjoint(&answers(&set.held_out())), "{known:?}");
    }
}

#[test]
fn both_orders_of_the_names_occur() {
    let set = PromptSet::draw(Known::NameMover, &embedded(), 24, 1).unwrap();
    let orders = set.templates().iter().filter(|template| template.ends_with("(ABBA)")).count();
    assert!(orders > 1 && orders < set.templates().len());
    for prompt in &set.prompts {
        let first = words(&prompt.clean).iter().position(|word| *word == prompt.answer.trim());
        let other = words(&prompt.clean).iter().position(|word| *word == prompt.wrong.trim());
        assert_eq!(first < other, prompt.template.ends_with("(ABBA)"), "{prompt:?}");
        let swapped =
            KnownPrompt { clean: prompt.corrupted.clone(), corrupted: prompt.clean.clone(), ..prompt.clone() };
        assert!(mislabelled(Some(Known::NameMover), &swapped).is_some(), "{prompt:?}");
    }
}

#[test]
fn a_model_that_lacks_the_words_says_so() {
    let error = PromptSet::draw(Known::GenderedPronouns, &embedded(), 4, 0).unwrap_err().to_string();
    assert!(error.starts_with("`PromptSet`: 0 of 4 prompts of `gendered_pronouns` fit the tokenizer of `"), "{error}");
    assert!(error.ends_with("ask for fewer, or use another set or model") && error.contains(" he"), "{error}");
}

#[test]
fn problems_of_ones_own_prompts_are_named() {
    let prompt = KnownPrompt {
        clean: "When Mary and John went to the store, John gave a drink to".into(),
        corrupted: "When Mary and John went to the store, Mary gave a drink to".into(),
        answer: " Mary".into(),
        wrong: " John".into(),
        ..KnownPrompt::default()
    };
    let swapped = KnownPrompt { answer: " John".into(), wrong: " Mary".into(), ..prompt.clone() };
    let same = KnownPrompt { corrupted: prompt.clean.clone(), ..prompt.clone() };
    let both = KnownPrompt { wrong: " Mary".into(), ..prompt.clone() };
    let long = KnownPrompt { corrupted: "When Mary".into(), ..prompt.clone() };
    let unknown = KnownPrompt { corrupted: prompt.corrupted.replace("drink", "zebra"), ..prompt.clone() };
    let set = |name: &str| PromptSet {
        name: name.into(),
        prompts: [&prompt, &swapped, &same, &both, &long, &unknown].map(KnownPrompt::clone).to_vec(),
    };
    let checked = set("name_mover").check(&embedded()).unwrap();
    assert_eq!(
        checked.problems,
        [
            format!("prompt 1: ` John` is not the right answer of `{}`", prompt.clean),
            format!("prompt 2: `{}` is not corrupted", prompt.clean),
            "prompt 3: ` Mary` is called both right and wrong".into(),
            format!("prompt 4: `{}` has 15 tokens, and its corrupted version 3", prompt.clean),
            format!("prompt 5: the tokenizer does not know a word of `{}`", unknown.corrupted),
        ]
    );
    assert_eq!((checked.accuracy, checked.told_apart), (1.0, 1.0));
    let own = set("mine").check(&embedded()).unwrap();
    assert_eq!((own.problems.len(), own.accuracy), (4, 0.5), "{own}");
    assert!(own.to_string().starts_with("mine: 6 prompts, 4 with problems; accuracy 50.0 %"), "{own}");
}
