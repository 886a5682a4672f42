use arrakis::prelude::*;

struct Leaf;

impl Leaf {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

struct Net {
    a: Leaf,
    b: Leaf,
}

impl Net {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.a.forward(
            #[cfg(all())]
            self.b.forward(x),
        )
    }
}

fn main() {}
