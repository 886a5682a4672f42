use arrakis::prelude::*;

const THREE: u64 = 3;

#[log_experiment(bench = THREE)]
fn sweep() {}

fn main() {}
