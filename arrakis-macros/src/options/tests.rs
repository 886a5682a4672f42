//! Every option of every attribute in every wrong form.

use std::collections::BTreeSet;

use super::*;
use crate::mistakes::Mistakes;
use crate::mistakes::tests::messages;

/// The keys that are read, and the mistakes.
fn said(attribute: &Attribute, text: &str) -> (Vec<String>, Vec<String>) {
    let mut mistakes = Mistakes::default();
    let given = read(attribute, text.parse().unwrap(), &mut mistakes);
    let keys = given.iter().map(|given| given.key.to_string()).collect();
    (keys, mistakes.finish().map_or_else(|error| messages(&error), |()| Vec::new()))
}

/// The only mistake.
fn mistake(attribute: &Attribute, text: &str) -> String {
    let (_, said) = said(attribute, text);
    assert_eq!(said.len(), 1, "`#[{}({text})]`: {said:?}", attribute.name);
    said.into_iter().next().unwrap()
}

/// Every option with its attribute.
fn every() -> impl Iterator<Item = (&'static Attribute, &'static Known)> {
    ALL.into_iter()
        .chain([&OF_A_PLOT])
        .flat_map(|attribute| attribute.options.iter().map(move |known| (attribute, known)))
}

/// The option as it is right.
fn right(known: &Known) -> String {
    let Known { name, form, takes } = known;
    let value = match takes {
        Takes::Anything | Takes::Bench => "x",
        Takes::Text => "\"x\"",
        Takes::Texts => "[\"x\"]",
        Takes::Wholes => "[1]",
        Takes::Whole => "3",
        Takes::Number => "-1.5",
        Takes::Probability => "0.5",
        Takes::Truth => "true",
        Takes::VariantOf(_) => "Auto",
        Takes::Argument => "pairs",
    };
    if *form == Form::List { format!("{name}(x)") } else { format!("{name} = {value}") }
}

#[test]
fn every_option_is_read_in_its_form_with_or_without_a_comma_at_the_end() {
    for (attribute, known) in every() {
        for end in ["", ","] {
            let text = format!("{}{end}", right(known));
            assert_eq!(said(attribute, &text), (vec![known.name.to_owned()], vec![]), "{text}");
        }
        assert!(std::ptr::eq(attribute.find(known.name).unwrap(), known), "{} is listed once", known.name);
    }
}

#[test]
fn every_option_in_a_wrong_form_is_told_its_form() {
    for (attribute, known) in every() {
        let name = known.name;
        let wrong_form = match known.form {
            Form::Flag => format!("write `{name}` alone, or `{name} = ..`"),
            _ => format!("write `{name}` as {}", known.usage()),
        };
        let bracketed = if known.form == Form::List { " = x" } else { "(x)" };
        for written in [bracketed, ": x", " == x", " += x", " => x", " := x", "[x]", "{ x }", "!(x)", ".x", "::x", " x"]
        {
            assert_eq!(mistake(attribute, &format!("{name}{written}")), wrong_form, "{name}{written}");
        }
        let no_value = format!("`{name}` needs a value: {}", known.usage());
        if known.form == Form::Flag {
            assert_eq!(said(attribute, name), (vec![name.to_owned()], vec![]));
        } else {
            assert_eq!(mistake(attribute, name), no_value);
            assert_eq!(mistake(attribute, &format!("r#{name}")), no_value.replacen('`', "`r#", 1));
        }
        if known.form != Form::List {
            assert_eq!(mistake(attribute, &format!("{name} =")), no_value);
            let chained = mistake(attribute, &format!("{name} = y = z"));
            assert_eq!(chained, format!("`{name}` has one value; separate options with commas"));
        }
        let right = right(known);
        assert_eq!(mistake(attribute, &format!("{right}, {right}")), format!("`{name}` is given twice"));
    }
}

#[test]
fn every_option_is_the_nearest_to_its_misspellings() {
    for (attribute, known) in every() {
        let name = known.name;
        let meant = format!("`; did you mean {}?", known.usage());
        let capital = name[..1].to_uppercase() + &name[1..];
        let misspelt = [capital, name.to_uppercase(), format!("{name}s"), format!("{name}_"), format!("x{name}")];
        // The plural of one option may be another of the same attribute.
        for misspelt in misspelt.into_iter().filter(|misspelt| attribute.find(misspelt).is_none()) {
            let words = mistake(attribute, &format!("{misspelt} = 3"));
            // Or one of another attribute.
            let belongs = words.starts_with(&format!("`{misspelt}` is an option of"));
            assert!(belongs || words.ends_with(&meant[1..]), "{words}");
        }
    }
}

#[test]
fn every_option_of_another_attribute_is_told_its_attribute() {
    let mut told = 0;
    for (owner, known) in every().filter(|(owner, _)| **owner != OF_A_PLOT) {
        for attribute in ALL.into_iter().filter(|attribute| attribute.find(known.name).is_none()) {
            let words = mistake(attribute, &right(known));
            assert!(words.starts_with(&format!("`{}` is an option of `#[", known.name)), "{words}");
            assert!(words.contains(&format!("`#[{}]`", owner.name)), "{words}");
            assert!(words.ends_with(&format!(", not of `#[{}]`", attribute.name)), "{words}");
            told += 1;
        }
    }
    assert!(told > 50, "{told}");
}

#[test]
fn every_option_is_missed_when_a_comma_before_it_is() {
    for (attribute, known) in every() {
        let first = attribute.options.iter().find(|other| *other != known);
        let Some(first) = first.map(right) else { continue };
        let comma = "separate options with commas: one is missing before this";
        let expected =
            (vec![first.split([' ', '(']).next().unwrap().to_owned(), known.name.to_owned()], vec![comma.to_owned()]);
        assert_eq!(said(attribute, &format!("{first} {}", right(known))), expected);
        assert_eq!(mistake(attribute, &format!("{first}; {}", right(known))), comma);
    }
}

/// The literals of each kind that an option may be given.
const LITERALS: [&str; 12] = ["\"x\"", "'x'", "b\"x\"", "true", "3", "-3", "0.5", "(0.5)", "1e3", "-1e3", "7.5", "0"];

#[test]
fn every_literal_is_read_or_refused_with_one_that_is_read() {
    for (attribute, known) in every().filter(|(_, known)| known.form != Form::List) {
        let mut refused = BTreeSet::new();
        for literal in LITERALS {
            let (_, mistakes) = said(attribute, &format!("{} = {literal}", known.name));
            let Some(words) = mistakes.first() else { continue };
            let (what, example) = words.rsplit_once(": `").unwrap();
            assert!(what.starts_with(&format!("`{}` is a", known.name)), "{words}");
            if !example.contains("::..") {
                assert_eq!(said(attribute, example.trim_end_matches('`')).1, [] as [String; 0], "{words}");
            }
            refused.insert(literal);
        }
        let taken: Vec<&str> = LITERALS.into_iter().filter(|literal| !refused.contains(literal)).collect();
        let expected: &[&str] = match known.takes {
            Takes::Anything => &LITERALS,
            Takes::Bench | Takes::Texts | Takes::Wholes | Takes::VariantOf(_) | Takes::Argument => &[],
            Takes::Text => &["\"x\""],
            Takes::Whole => &["3", "0"],
            Takes::Number => &["3", "-3", "0.5", "(0.5)", "1e3", "-1e3", "7.5", "0"],
            Takes::Probability => &["0.5", "(0.5)"],
            Takes::Truth => &["true"],
        };
        assert_eq!(taken, expected, "{}", known.name);
    }
    assert_eq!(mistake(&HYPOTHESIS, "draws = 1e3"), "`draws` is a whole number that is not negative: `draws = 1000`");
}

#[test]
fn what_has_no_name_is_told_how_options_are_written() {
    assert_eq!(mistake(&LOG, "\"heads\""), "write options with their name, such as `name = \"heads\"`");
    assert_eq!(mistake(&HYPOTHESIS, "\"it is\""), "write options with their name, such as `claim = \"it is\"`");
    assert_eq!(mistake(&PROFILE, "\"heads\""), "write options with their name, such as `bench = ..`");
    assert_eq!(mistake(&LOG, "3, seed = 4"), "write options with their name, such as `bench = ..`");
    assert_eq!(
        mistake(&LOG, "#[plot_results]"),
        "write this attribute above the function, not inside `#[log_experiment]`"
    );
    for attribute in ALL {
        for text in ["3", "|x, y| x", "-", "(seed = 3)", "{}", ",", "name = 1 + ;"] {
            assert!(!said(attribute, text).1.is_empty(), "`#[{}({text})]`", attribute.name);
        }
    }
}

#[test]
fn unknown_names_are_told_what_fits_first() {
    assert_eq!(unknown("sed", &LOG), "`sed` is not an option of `#[log_experiment]`; did you mean `seed = ..`?");
    assert_eq!(unknown("title", &PLOT), "`title` is not an option of `#[plot_results]`; did you mean `name = ..`?");
    assert_eq!(
        unknown("use_tools", &LOG),
        "`use_tools` is an attribute: write `#[use_tools]` above the function, not inside `#[log_experiment]`"
    );
    assert_eq!(
        unknown("name", &HYPOTHESIS),
        "`name` is an option of `#[log_experiment]` and `#[plot_results]`, not of `#[test_hypothesis]`"
    );
    assert_eq!(
        unknown("colour", &PLOT),
        "`colour` is not an option of `#[plot_results]`; the options are `bench = ..`, `name = ..`, `dir = ..` and `prompt = ..`"
    );
    assert_eq!(
        unknown("deep", &PROFILE),
        "`deep` is not an option of `#[profile_model]`; the only option is `bench = ..`"
    );
}

#[test]
fn all_mistakes_are_reported_and_what_is_right_is_kept() {
    let text = "sed = |a, b| (a, b), name, tags(\"a\"), seed = 2, seed = 3, colour = 4, wibble(3), wobble";
    let (kept, mistakes) = said(&LOG, text);
    let all = "the options are `bench = ..`, `name = ..`, `seed = ..`, `tags = ..` and `cache`";
    let unknown = |name: &str, fix: &str| format!("`{name}` is not an option of `#[log_experiment]`; {fix}");
    assert_eq!(kept, ["seed"]);
    assert_eq!(
        mistakes,
        [
            unknown("sed", "did you mean `seed = ..`?"),
            "`name` needs a value: `name = ..`".into(),
            "write `tags` as `tags = ..`".into(),
            "`seed` is given twice".into(),
            unknown("colour", all),
            unknown("wibble", all),
            unknown("wobble", all),
        ]
    );
}

#[test]
fn a_word_with_a_bracket_is_a_plot_unless_it_is_like_an_option() {
    let text = "heatmap(\"a\"), heatmap(\"b\", title = \"t\"), name = \"n\"";
    assert_eq!(said(&PLOT, text), (vec!["heatmap".to_owned(), "heatmap".to_owned(), "name".to_owned()], vec![]));
    assert_eq!(mistake(&PLOT, "nam(\"x\")"), "`nam` is not an option of `#[plot_results]`; did you mean `name = ..`?");
    assert_eq!(
        mistake(&PLOT, "seed(3)").split(',').next().unwrap(),
        "`seed` is an option of `#[log_experiment]` and `#[test_hypothesis]`"
    );
}

#[test]
fn a_plot_has_values_first_and_then_options() {
    let call = |text: &str| {
        let mut mistakes = Mistakes::default();
        let (values, given) = read_call(&OF_A_PLOT, text.parse().unwrap(), &mut mistakes);
        let said = mistakes.finish().map_or_else(|error| messages(&error), |()| Vec::new());
        (values.len(), given.len(), said)
    };
    assert_eq!(call("\"a\", site::pattern(1), title = \"t\", heads = [0],"), (2, 2, vec![]));
    assert_eq!(call(""), (0, 0, vec![]));
    let all = "`colour` is not an option of a plot; the options are `title = ..`, `heads = ..` and `neurons = ..`";
    assert_eq!(call("\"a\", colour = 3"), (1, 0, vec![all.to_owned()]));
    assert_eq!(call("title: \"t\""), (0, 0, vec!["write `title` as `title = ..`".to_owned()]));
    assert_eq!(call("head = 3").2, ["`head` is not an option of a plot; did you mean `heads = ..`?"]);
    assert_eq!(call("heads = 3").2, ["`heads` is a list of whole numbers: `heads = [0]`"]);
    assert_eq!(call("\"a\" \"b\"").2, ["separate options with commas: one is missing before this"]);
    assert_eq!(call("title = \"t\", \"a\"").2, ["write options with their name, such as `title = \"a\"`"]);
}
