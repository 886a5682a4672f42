use arrakis::prelude::*;

#[log_experiment("sweep")]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
