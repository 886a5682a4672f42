use arrakis::prelude::*;

#[log_experiment]
fn sweep(bench: Bench) {}

fn main() {}
