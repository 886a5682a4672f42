use arrakis::prelude::*;

#[plot_results(prompt = words)]
fn sweep(_bench: &Bench, words: &str, #[figure] _fig: &mut Figure) {}

fn main() {}
