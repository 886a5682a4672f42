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
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut h = x.clone();
        h.inplace(|h| h * 2.0);
        let mut y = h.clone();
        std::mem::swap(&mut y, &mut h);
        let (mut p, q) = (x.clone(), x);
        let mut push = || p = p.clone() + 1.0;
        push();
        self.a.forward(h + y + p + q)
    }
}

fn main() {}
