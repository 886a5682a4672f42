use arrakis::prelude::*;

#[plot_results(attention("blocks.0.attn.pattern"))]
fn sweep(_bench: &Bench, words: &str) {}

fn main() {}
