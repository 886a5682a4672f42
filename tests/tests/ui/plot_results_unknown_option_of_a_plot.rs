use arrakis::prelude::*;

#[plot_results(attention("blocks.0.attn.pattern", titel = "Heads", head = [0]))]
fn sweep(_bench: &Bench, prompt: &str) {}

fn main() {}
