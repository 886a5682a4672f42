use arrakis::prelude::*;

#[log_experiment]
struct Sweep;

fn main() {}
