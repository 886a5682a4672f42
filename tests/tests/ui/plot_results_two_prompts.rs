use arrakis::prelude::*;

#[plot_results(residual_norms())]
fn sweep(_bench: &Bench, prompt: &str, tokens: Tokens) {}

fn main() {}
