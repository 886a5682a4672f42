use arrakis::prelude::*;

#[log_experiment(sed = 1, tags("ioi"))]
#[plot_results(nam = "Heads")]
fn sweep(bench: &Bench, #[tool] lens: LogitLens, #[figure] fig: &Figure) {}

fn main() {}
