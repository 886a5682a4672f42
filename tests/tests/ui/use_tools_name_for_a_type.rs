use arrakis::prelude::*;

#[use_tools(lens = "logit_lens")]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
