use arrakis::prelude::*;

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
        let m = self.d.get(1).unwrap();
        let n = self.d.iter().nth(0).unwrap();
        let y = n.forward(m.forward(x));
        let y2 = self.d.first().unwrap().forward(y);
        let mut items = self.d.iter();
        while let Some(item) = items.next() {
            drop(item.forward(y2.clone()));
        }
        y2
    }
}

fn main() {}
