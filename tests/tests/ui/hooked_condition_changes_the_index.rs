use arrakis::prelude::*;

struct Leaf;

impl Leaf {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }
}

struct Net {
    d: Vec<Option<Leaf>>,
}

impl Net {
    #[hooked(skip(y))]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (mut y, mut i) = (x, 0);
        while let Some(m) = &self.d[i]
            && {
                i += 1;
                i < 3
            }
        {
            y = m.forward(y);
        }
        if let Some(i) = &self.d[i] { i.forward(y) } else { y }
    }
}

fn main() {}
