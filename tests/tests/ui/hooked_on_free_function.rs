use arrakis::prelude::*;

#[hooked]
fn forward(x: Tensor<2>) -> Tensor<2> {
    let y = x;
    y
}

fn main() {}
