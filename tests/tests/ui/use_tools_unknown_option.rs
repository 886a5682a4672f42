use arrakis::prelude::*;

#[use_tools(bnech = Bench::embedded())]
fn sweep(#[tool] lens: LogitLens) {}

fn main() {}
