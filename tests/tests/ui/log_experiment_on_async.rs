use arrakis::prelude::*;

#[log_experiment]
async fn sweep(bench: &Bench) {}

fn main() {}
