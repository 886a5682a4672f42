use arrakis::prelude::*;

struct Block;

impl Block {
    #[hooked(inputs = x)]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

fn main() {}
