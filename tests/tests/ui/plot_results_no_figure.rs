use arrakis::prelude::*;

#[plot_results]
fn sweep(bench: &Bench) {}

fn main() {}
