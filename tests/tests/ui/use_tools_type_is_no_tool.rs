use arrakis::prelude::*;

#[use_tools]
fn sweep(bench: &Bench, #[tool] depth: String) {
    drop(depth);
}

fn main() {}
