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
        #[cfg(all())]
        let m = &self.a;
        #[cfg(any())]
        let m = &self.b;
        m.forward(x)
    }
}

fn main() {}
