use arrakis::prelude::*;

struct Block;

impl Block {
    #[hooked(skip, inputs())]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

fn main() {}
