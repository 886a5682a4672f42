use arrakis::prelude::*;

#[test_hypothesis(claim = "it is large", null = 0.0, bench = Bench::embedded(), args(vec![1.0]), resample = "pairs")]
fn sweep(_bench: &Bench, pairs: Vec<f64>) -> Vec<f64> {
    pairs
}

fn main() {}
