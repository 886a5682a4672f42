use arrakis::prelude::*;

struct Leaf;

impl Leaf {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

enum Kind {
    One(Leaf),
    Two(Leaf, Leaf),
    Three(Leaf, Leaf),
}

use Kind::*;

struct Wrapper(Leaf);

struct Net {
    kind: Kind,
    w: Option<Wrapper>,
}

impl Net {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = match &self.kind {
            One(m) => m.forward(x),
            Two(m, ..) => m.forward(x),
            Kind::Three(m, ..) => m.forward(x),
        };
        if let Some(Wrapper(m)) = &self.w { m.forward(y) } else { y }
    }
}

fn main() {}
