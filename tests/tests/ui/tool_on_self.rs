use arrakis::prelude::*;

struct Sweep;

impl Sweep {
    #[use_tools]
    fn sweep(#[tool] &self, _bench: &Bench) -> f64 {
        1.0
    }
}

fn main() {}
