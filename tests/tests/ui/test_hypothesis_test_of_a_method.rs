use arrakis::prelude::*;

struct Sweep;

impl Sweep {
    #[test_hypothesis(claim = "it is large", null = 0.0, bench = unreachable!())]
    fn sweep(&self, bench: &Bench) -> f64 {
        1.0
    }
}

fn main() {}
