use arrakis::prelude::*;

trait Sweep {
    #[test_hypothesis(claim = "it is large", null = 0.0, bench = Bench::embedded())]
    fn sweep(_bench: &Bench) -> f64 {
        1.0
    }
}

fn main() {}
