use arrakis::prelude::*;

#[use_tools("logit_lens", logit_lens = WriteRead)]
fn sweep(bench: &Bench) {}

fn main() {}
