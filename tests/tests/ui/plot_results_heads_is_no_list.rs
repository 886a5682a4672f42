use arrakis::prelude::*;

#[plot_results(attention(heads = 0))]
fn sweep(_bench: &Bench, prompt: &str) {}

fn main() {}
