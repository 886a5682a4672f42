use arrakis::prelude::*;

#[log_experiment(plot_results(name = "sweep"), #[profile_model])]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
