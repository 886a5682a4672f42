use arrakis::prelude::*;

#[test_hypothesis(claim = "it is large", null = 0.0, alpa = 0.01)]
fn sweep(bench: &Bench) -> f64 {
    1.0
}

fn main() {}
