//! Loops over modules: each item has its index, or its key.

use arrakis::prelude::*;

use super::{Net, meets, net};

impl Net {
    #[hooked(skip(y))]
    fn each(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for m in &self.d {
            y = m.forward(y);
        }
        for m in self.two.iter() {
            y = m.forward(y);
        }
        y
    }

    #[hooked(skip(y))]
    fn some_of_them(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for (_, m) in self.d.iter().enumerate().skip(1) {
            y = m.forward(y);
        }
        for (i, m) in self.outer.list.iter().enumerate().rev() {
            y = if i < 2 { m.forward(y) } else { y };
        }
        for (mut i, m) in self.two.iter().enumerate().step_by(2) {
            i += 1;
            y = m.forward(y) * i as f32;
        }
        y
    }

    #[hooked(skip(y))]
    fn by_number(&self, x: Tensor<2>) -> Tensor<2> {
        let (mut y, mut i) = (x, 0);
        while i < self.d.len() {
            y = self.d[i].forward(y);
            i += 2;
        }
        for (i, other) in self.two.iter().enumerate() {
            y = self.d[i].forward(other.forward(y));
        }
        y
    }

    #[hooked(skip(y))]
    fn by_order(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for i in &self.order {
            let m = &self.d[*i];
            y = m.forward(y);
        }
        y
    }

    #[hooked(skip(y))]
    fn by_key(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for key in self.named.keys() {
            y = self.named[key].forward(y);
        }
        for key in ["right", "left"] {
            let m = &self.hashed[key];
            y = m.forward(y);
        }
        y
    }

    #[hooked(skip(y))]
    fn nested(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for group in &self.groups {
            for m in group {
                y = m.forward(y);
            }
        }
        for (p, q) in &self.pairs {
            y = q.forward(p.forward(y));
        }
        for m in self.maybe.iter() {
            if let Some(m) = m {
                y = m.forward(y);
            }
        }
        y
    }

    /// A loop that runs no module is left as it is, whatever it loops over.
    #[hooked(skip(y))]
    fn without_a_module(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for (name, leaf) in &self.named {
            y = y + name.len() as f32 * leaf.0;
        }
        for (a, b) in self.d.iter().zip(&self.order) {
            y = y + a.0 * *b as f32;
        }
        self.a.forward(y)
    }

    #[hooked(skip(y))]
    fn left_early(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        'all: for (i, m) in self.d.iter().enumerate() {
            for n in &self.two {
                if i == 1 {
                    break 'all;
                }
                y = n.forward(y);
            }
            y = m.forward(y);
        }
        y
    }
}

#[test]
fn each_item_has_its_index_or_key() {
    let net = net();
    meets! { net =>
        each ["d.0.h": 10, "d.1.h": 30, "d.2.h": 70, "two.0.h": 170, "two.1.h": 370]
        some_of_them ["d.1.h": 20, "d.2.h": 60, "outer.list.1.h": 660, "outer.list.0.h": 1160, "two.0.h": 1260]
        by_number ["d.0.h": 160, "d.2.h": 50, "two.0.h": 150, "two.1.h": 360, "d.1.h": 380]
        by_order ["d.2.h": 40, "d.0.h": 50, "d.1.h": 70]
        by_key ["named.dec.h": 51, "named.enc.h": 103, "hashed.right.h": 165, "hashed.left.h": 226]
        nested [
            "groups.0.0.h": 21, "groups.0.1.h": 43, "groups.1.0.h": 66, "pairs.0.0.h": 77, "pairs.0.1.h": 89,
            "pairs.1.0.h": 102, "pairs.1.1.h": 116, "maybe.0.h": 147, "maybe.1.h": 179
        ]
        without_a_module ["a.h": 370]
        left_early ["two.0.h": 100, "two.1.h": 300, "d.0.h": 310]
    }
}
