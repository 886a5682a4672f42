use arrakis::prelude::*;

#[log_experiment]
#[log_experiment(seed = 1)]
fn sweep(bench: &Bench) {}

fn main() {}
