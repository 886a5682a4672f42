use arrakis::prelude::*;

#[test_hypothesis(claim = "it is large", null = 0.0)]
fn sweep(bench: &Bench) -> String {
    "large".into()
}

fn main() {}
