use arrakis::prelude::*;

#[use_tools(seed = 3)]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
