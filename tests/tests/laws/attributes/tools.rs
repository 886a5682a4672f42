//! Tools by type and by name.

use super::*;

#[log_experiment]
#[use_tools]
fn typed(_bench: &Bench, offset: usize, #[tool] depth: Depth) -> Result<usize> {
    Ok(depth.n_layers + offset)
}

#[use_tools(mine = Depth)]
fn named(_bench: &Bench) -> usize {
    mine.n_layers
}

#[use_tools]
fn several(_bench: &Bench, #[tool] Depth { n_layers }: Depth, twice: usize, #[tool] mut second: Depth) -> usize {
    second.n_layers *= twice;
    n_layers + second.n_layers
}

#[use_tools("logit_lens", write_read, "attention")]
fn registered(bench: &Bench) -> (LogitLens, WriteRead, AttentionPatterns) {
    let _ = bench;
    (logit_lens, write_read, attention)
}

/// Imports used only by an attribute that another attribute removes still count as used.
mod imported {
    use arrakis::{log_experiment, profile_model, use_tools};

    use super::{Bench, Depth};

    #[use_tools]
    #[log_experiment]
    #[profile_model]
    pub(super) fn layers(_bench: &Bench, #[tool] depth: Depth) -> usize {
        depth.n_layers
    }
}

#[log_experiment]
#[use_tools]
fn impossible(_bench: &Bench, #[tool] _tool: Impossible) -> Result<()> {
    Ok(())
}

#[use_tools]
fn impossible_without_result(_bench: &Bench, #[tool] _tool: Impossible) {}

#[test]
fn tools_are_filled_in_and_not_passed() {
    let (_folder, bench) = bench();
    assert_eq!(typed(&bench, 1).unwrap(), 3);
    assert_eq!(named(&bench), 2);
    assert_eq!(several(&bench, 3), 8);
    assert_eq!(imported::layers(&bench), 2);
    let _: (LogitLens, WriteRead, AttentionPatterns) = registered(&bench);
    assert_eq!(only_run(&bench, "typed").arguments.keys().collect::<Vec<_>>(), ["offset"]);
}

#[test]
fn a_tool_that_cannot_be_built_is_the_functions_error_and_recorded() {
    let (_folder, bench) = bench();
    let error = impossible(&bench).unwrap_err().to_string();
    assert_eq!(error, "impossible: this model has no second head start");
    assert_eq!(message(&only_run(&bench, "impossible").outcome), error);
}

#[test]
#[should_panic(expected = "impossible: this model has no second head start")]
fn without_a_result_it_is_a_panic() {
    let (_folder, bench) = bench();
    impossible_without_result(&bench);
}
