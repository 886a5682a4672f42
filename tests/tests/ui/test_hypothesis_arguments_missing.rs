use arrakis::prelude::*;

#[test_hypothesis(claim = "it is large", null = 0.0, bench = Bench::new(model()))]
fn sweep(bench: &Bench, layer: usize) -> f64 {
    layer as f64
}

fn model() -> HookedTransformer {
    unimplemented!()
}

fn main() {}
