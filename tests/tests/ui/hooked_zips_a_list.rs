use arrakis::prelude::*;

struct Leaf;

impl Leaf {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

struct Net {
    d: Vec<Leaf>,
    e: Vec<Leaf>,
}

impl Net {
    #[hooked(skip(y))]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for (m, n) in self.d.iter().zip(&self.e) {
            y = n.forward(m.forward(y));
        }
        for pair in self.d.chunks(2) {
            y = pair[0].forward(y);
        }
        y
    }
}

fn main() {}
