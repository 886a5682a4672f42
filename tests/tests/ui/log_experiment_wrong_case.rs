use arrakis::prelude::*;

#[log_experiment(Seed = 7, TAGS = ["a"])]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
