use arrakis::prelude::*;

#[log_experiment(bench = Bench::embedded())]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
