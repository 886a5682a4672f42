use arrakis::prelude::*;

#[test_hypothesis(claim = "it is large")]
fn sweep(bench: &Bench) -> f64 {
    1.0
}

fn main() {}
