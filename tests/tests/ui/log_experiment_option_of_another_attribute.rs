use arrakis::prelude::*;

#[log_experiment(alpha = 0.05)]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
