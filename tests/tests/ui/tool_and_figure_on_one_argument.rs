use arrakis::prelude::*;

#[use_tools]
#[plot_results]
fn sweep(bench: &Bench, #[tool] #[figure] fig: &mut Figure) {}

fn main() {}
