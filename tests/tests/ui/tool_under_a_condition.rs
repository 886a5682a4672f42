use arrakis::prelude::*;

#[use_tools]
fn sweep(bench: &Bench, #[cfg(unix)] #[tool] lens: LogitLens) {}

fn main() {}
