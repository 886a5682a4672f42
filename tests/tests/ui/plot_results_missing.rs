use arrakis::prelude::*;

#[log_experiment]
fn sweep(bench: &Bench, #[figure] fig: &mut Figure) {}

fn main() {}
