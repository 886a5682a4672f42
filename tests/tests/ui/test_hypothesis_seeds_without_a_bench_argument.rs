use arrakis::prelude::*;

#[test_hypothesis(claim = "it is large", null = 0.0, bench = Bench::embedded(), seeds = 20)]
fn sweep() -> Vec<f64> {
    vec![1.0]
}

fn main() {}
