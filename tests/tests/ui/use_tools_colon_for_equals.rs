use arrakis::prelude::*;

#[use_tools(lens: LogitLens)]
fn sweep(_bench: &Bench) -> f64 {
    1.0
}

fn main() {}
