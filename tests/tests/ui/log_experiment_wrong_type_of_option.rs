use arrakis::prelude::*;

#[log_experiment(seed = "seven")]
fn sweep(bench: &Bench) {}

fn main() {}
