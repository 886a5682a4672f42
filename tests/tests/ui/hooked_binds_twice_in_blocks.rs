use arrakis::prelude::*;

struct Block;

impl Block {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let a = {
            let part = x.clone() * 2.0;
            part
        };
        let b = {
            let part = x * 3.0;
            part
        };
        a + b
    }
}

fn main() {}
