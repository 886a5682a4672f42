use arrakis::prelude::*;

#[tracked]
const fn half(x: u32) -> u32 {
    x / 2
}

fn main() {
    half(2);
}
