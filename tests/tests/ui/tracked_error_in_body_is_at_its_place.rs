use arrakis::prelude::*;

#[tracked]
fn half(x: f64) -> f64 {
    let y: f64 = "a text";
    x / y
}

fn main() {
    half(2.0);
}
