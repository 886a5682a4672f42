use arrakis::prelude::*;

#[plot_results(residual_norms())]
fn sweep(_bench: &Bench, prompt: f64) {}

fn main() {}
