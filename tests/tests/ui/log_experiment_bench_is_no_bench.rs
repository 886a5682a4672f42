use arrakis::prelude::*;

#[log_experiment(bench = 3)]
fn sweep() {}

fn main() {}
