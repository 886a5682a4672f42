use arrakis::prelude::*;

#[use_tools("logit_lens")]
fn sweep(_bench: &Bench, logit_lens: f64) -> f64 {
    1.0
}

fn main() {}
