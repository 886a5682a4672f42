//! The law of costs: a tool's page states the passes of each method, and the method stays within them.

use arrakis_models::{HookedTransformer, count_passes};

use super::shared::cost::{Call, Letters, Page};
use super::testing::{Cases, Readings, fixture};
use super::{Tool, each_tool, find};

fn page<T: Tool>() -> Page {
    Page::of(&find(T::NAME).unwrap())
}

/// The words that every page may use.
fn letters(model: &HookedTransformer, cases: &Cases) -> Letters {
    let (prompts, positions) = (cases.prompt.batch(), cases.prompt.pos());
    let config = model.config();
    let of_prompts = [("prompts", prompts), ("positions", positions), ("tokens", prompts * positions)];
    of_prompts.into_iter().chain([("layers", config.n_layers), ("heads", config.n_heads)]).collect()
}

#[test]
fn every_method_that_may_run_a_model_states_its_passes() {
    fn check<T: Readings>() {
        let (page, model, cases) = (page::<T>(), fixture("gpt2"), Cases::apart(1, 4));
        assert!(!page.stated().is_empty(), "the page of {} has no table under `# Cost`", T::NAME);
        assert!(page.unstated().is_empty(), "the page of {} states no cost of {:?}", T::NAME, page.unstated());
        let tool = T::new(&model).unwrap();
        let calls = tool.calls(&cases);
        let called = |name: &str| calls.iter().any(|call| call.method == name || call.kind == Some(name));
        let missing: Vec<&str> = page.stated().into_iter().filter(|name| !called(name)).collect();
        assert!(missing.is_empty(), "{}: no call is counted for {missing:?}", T::NAME);
    }
    each_tool!(check);
}

/// What is wrong with the passes of a tool's calls.
fn faults<T: Readings>(cases: &Cases) -> Vec<String> {
    let model = fixture("gpt2");
    let (page, tool, words) = (page::<T>(), T::new(&model).unwrap(), letters(&model, cases));
    let fault = |call: Call| {
        let (what, at_most) = (format!("{}, {}, {} prompts", T::NAME, call.method, cases.prompt.batch()), call.at_most);
        let words = words.iter().chain(&call.letters).map(|(word, value)| (*word, *value)).collect();
        let stated = page.passes(call.method, call.kind, &words).unwrap_or_else(|error| panic!("{what}: {error}"));
        let (found, counted) = count_passes(|| call.run());
        found.unwrap_or_else(|error| panic!("{what}: {error}"));
        let within = (1..=stated.forwards).contains(&counted.forwards) && counted.backwards <= stated.backwards;
        let right = if at_most { within } else { counted == stated };
        (!right).then(|| format!("{what}: {counted:?}, but the page states {stated:?}"))
    };
    tool.calls(cases).into_iter().filter_map(fault).collect()
}

#[test]
fn every_method_runs_the_passes_that_its_page_states() {
    fn check<T: Readings>() {
        // One short prompt, and a batch of which two copies fill a forward.
        for cases in [Cases::apart(1, 4), Cases::apart(344, 2)] {
            let faults = faults::<T>(&cases);
            assert!(faults.is_empty(), "{}", faults.join("\n"));
        }
    }
    each_tool!(check);
}
