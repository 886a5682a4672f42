use arrakis::prelude::*;

#[log_experiment(sed = 1)]
fn sweep(bench: &Bench) {}

fn main() {}
