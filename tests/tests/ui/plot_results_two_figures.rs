use arrakis::prelude::*;

#[plot_results]
fn sweep(bench: &Bench, #[figure] first: &mut Figure, #[figure] second: &mut Figure) {}

fn main() {}
