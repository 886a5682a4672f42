use arrakis::prelude::*;

#[plot_results]
fn sweep(bench: &Bench, #[figure] fig: &Figure) {}

fn main() {}
