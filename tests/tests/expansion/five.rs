use arrakis::prelude::*;

#[log_experiment]
#[use_tools]
#[plot_results]
#[profile_model]
#[test_hypothesis(claim = "the head attends", null = 0.0, alternative = Greater)]
fn score(bench: &Bench, layer: usize, #[tool] lens: LogitLens, #[figure] fig: &mut Figure) -> Result<f64> {
    drawn(&lens, fig, layer)
}

fn drawn(_lens: &LogitLens, _fig: &mut Figure, _layer: usize) -> Result<f64> {
    Ok(1.0)
}

fn main() {}
