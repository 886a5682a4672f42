use arrakis::prelude::*;

struct Leaf;

impl Leaf {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

struct Net {
    a: Leaf,
}

impl Net {
    #[hooked(inputs(x))]
    fn forward(&self, mut x: Tensor<2>) -> Tensor<2> {
        x = x * 2.0;
        self.a.forward(x)
    }
}

fn main() {}
