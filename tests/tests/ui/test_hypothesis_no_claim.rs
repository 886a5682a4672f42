use arrakis::prelude::*;

#[test_hypothesis(null = 0.0)]
fn sweep(bench: &Bench) -> f64 {
    1.0
}

fn main() {}
