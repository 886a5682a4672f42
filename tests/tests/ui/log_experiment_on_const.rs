use arrakis::prelude::*;

#[log_experiment]
const fn sweep(bench: &Bench) {}

fn main() {}
