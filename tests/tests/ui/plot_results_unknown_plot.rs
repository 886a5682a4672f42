use arrakis::prelude::*;

#[plot_results(heatmp("blocks.0.resid_post"))]
fn sweep(_bench: &Bench, prompt: &str) {}

fn main() {}
