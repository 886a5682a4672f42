use arrakis::prelude::*;

#[log_experiment(seed)]
fn sweep(bench: &Bench) {}

fn main() {}
