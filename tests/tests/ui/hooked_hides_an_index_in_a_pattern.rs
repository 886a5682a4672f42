use arrakis::prelude::*;

struct Leaf;

impl Leaf {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

struct Net {
    two: [Leaf; 3],
    pair: (Leaf, Leaf, Leaf),
    d: Vec<Leaf>,
}

impl Net {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [first, rest @ ..] = &self.two;
        let (.., last) = &self.pair;
        let y = rest[0].forward(first.forward(last.forward(x)));
        if let [.., end] = &self.d[..] { end.forward(y) } else { y }
    }
}

fn main() {}
