use arrakis::prelude::*;

const SEVEN: &str = "seven";

#[log_experiment(seed = SEVEN)]
fn sweep(bench: &Bench) {}

fn main() {}
