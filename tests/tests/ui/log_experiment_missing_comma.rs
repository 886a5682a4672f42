use arrakis::prelude::*;

#[log_experiment(name = "sweep" seed = 7)]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
