use arrakis::prelude::*;

#[tracked(name = "half")]
fn half(x: f64) -> f64 {
    x / 2.0
}

fn main() {
    half(2.0);
}
