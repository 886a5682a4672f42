use arrakis::prelude::*;

struct Block;

impl Block {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        for _ in 0..2 {
            let y = x.clone() * 2.0;
            drop(y);
        }
        x
    }
}

fn main() {}
