use arrakis::prelude::*;

#[log_experiment(seed = 1e3)]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
