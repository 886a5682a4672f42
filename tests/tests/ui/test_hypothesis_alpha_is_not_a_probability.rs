use arrakis::prelude::*;

#[test_hypothesis(claim = "it is large", null = 0, alpha = 1)]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
