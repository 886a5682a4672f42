use arrakis::prelude::*;

#[log_experiment(cache)]
fn sweep(_bench: &Bench) -> impl Fn() -> u8 {
    || 3
}

fn main() {
    let _ = sweep;
}
