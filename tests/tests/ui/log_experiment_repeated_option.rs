use arrakis::prelude::*;

#[log_experiment(seed = 1, seed = 2)]
fn sweep(bench: &Bench) {}

fn main() {}
