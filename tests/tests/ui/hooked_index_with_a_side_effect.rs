use arrakis::prelude::*;

struct Leaf;

impl Leaf {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

struct Net {
    d: Vec<Leaf>,
    at: std::cell::Cell<usize>,
}

impl Net {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let m = &self.d[self.at.replace(1)];
        m.forward(x)
    }
}

fn main() {}
