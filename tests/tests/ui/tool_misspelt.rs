use arrakis::prelude::*;

#[use_tools]
fn sweep(_bench: &Bench, #[tools] _lens: LogitLens) -> f64 {
    1.0
}

fn main() {}
