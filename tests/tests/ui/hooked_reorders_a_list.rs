use arrakis::prelude::*;

#[derive(Clone)]
struct Leaf;

impl Leaf {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

struct Net {
    d: Vec<Leaf>,
}

impl Net {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut list = self.d.iter().collect::<Vec<_>>();
        list.reverse();
        let y = list[0].forward(x);
        let mut copy = self.d.clone();
        copy.reverse();
        copy[0].forward(y)
    }
}

fn main() {}
