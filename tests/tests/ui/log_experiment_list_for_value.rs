use arrakis::prelude::*;

#[log_experiment(tags("a"), seed(7))]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
