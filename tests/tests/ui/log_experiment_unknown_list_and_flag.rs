use arrakis::prelude::*;

#[log_experiment(wibble(3), wobble)]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
