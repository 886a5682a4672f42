use arrakis::prelude::*;

#[use_tools("logit lens")]
fn sweep(bench: &Bench) {}

fn main() {}
