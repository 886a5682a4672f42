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
        let (mut m, mut n) = (&self.a, &self.b);
        std::mem::swap(&mut m, &mut n);
        n.forward(m.forward(x))
    }
}

fn main() {}
