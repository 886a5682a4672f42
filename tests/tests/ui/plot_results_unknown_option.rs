use arrakis::prelude::*;

#[plot_results(title = "Heads", folder = "figures")]
fn sweep(bench: &Bench, #[figure] fig: &mut Figure) {}

fn main() {}
