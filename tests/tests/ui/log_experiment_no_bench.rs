use arrakis::prelude::*;

#[log_experiment]
fn sweep(layer: usize) -> usize {
    layer
}

fn main() {}
