use arrakis::prelude::*;

struct Depth;

impl Tool for Depth {
    const NAME: &'static str = "depth";
    fn new(_model: &HookedTransformer) -> Result<Self> {
        Ok(Self)
    }
}

#[use_tools]
fn sweep(bench: &Bench, #[tool] _depth: Depth) {
    let _ = bench;
}

fn caller(bench: &Bench) {
    sweep(bench, Depth);
}

fn main() {}
