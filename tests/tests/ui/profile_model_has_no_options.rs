use arrakis::prelude::*;

#[profile_model(deep = true)]
fn sweep(bench: &Bench) {}

fn main() {}
