use arrakis::prelude::*;

#[test_hypothesis(claim = "it is large", null = 0.0, bench = Bench::embedded())]
fn sweep<T: Default>(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
