use arrakis::prelude::*;

#[tracked]
#[log_experiment]
fn sweep(_bench: &Bench) {}

fn main() {
    let _ = sweep;
}
