use arrakis::prelude::*;

#[log_experiment(tag = ["a"])]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
