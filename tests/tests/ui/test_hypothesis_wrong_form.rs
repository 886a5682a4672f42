use arrakis::prelude::*;

#[test_hypothesis(claim("it is large"), null = 0.0, args = 3, bench = Bench::embedded())]
fn sweep(bench: &Bench, layer: usize) -> f64 {
    layer as f64
}

fn main() {}
