use arrakis::prelude::*;

#[use_tools("logit_lenz")]
fn sweep(bench: &Bench) {}

fn main() {}
