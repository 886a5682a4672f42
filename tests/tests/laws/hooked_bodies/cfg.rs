//! `#[cfg]` on anything in a hooked body. `test` holds here, `not(test)` does not.

use arrakis::prelude::*;

use super::{Kind, Leaf, Net, Pair, meets, net};

struct Halves {
    left: Tensor<2>,
    #[cfg(not(test))]
    right: Tensor<2>,
}

/// Adds a number, and another one if it is given.
struct Sum(f32);

impl Sum {
    #[hooked(inputs(more))]
    fn forward(&self, x: Tensor<2>, #[cfg(test)] more: Tensor<2>, #[cfg(not(test))] less: Tensor<2>) -> Tensor<2> {
        #[cfg(not(test))]
        let x = x - less;
        let h = x + more + self.0;
        h
    }
}

impl Net {
    #[hooked]
    fn two_versions(&self, x: Tensor<2>) -> Tensor<2> {
        #[cfg(not(test))]
        let y = x * 2.0;
        #[cfg(test)]
        let y = x + 3.0;
        #[cfg(not(test))]
        let y = y + nothing_of_this_name;
        y
    }

    #[hooked(skip(t))]
    fn statements(&self, x: Tensor<2>) -> Tensor<2> {
        let mut t = x;
        #[cfg(test)]
        {
            let part = self.a.forward(t.clone());
            t = part;
        }
        #[cfg(not(test))]
        {
            let part = self.missing.forward(t.clone());
            t = part;
        }
        #[cfg(not(test))]
        self.missing.forward(t.clone());
        #[cfg(not(test))]
        for m in &self.missing {
            t = m.forward(t);
        }
        #[cfg(test)]
        for m in &self.two {
            t = m.forward(t);
        }
        let y = t;
        y
    }

    #[hooked]
    fn late_values(&self, x: Tensor<2>) -> Tensor<2> {
        let scale;
        #[cfg(not(test))]
        scale = 1.0;
        #[cfg(test)]
        scale = 4.0;
        let y = (x + 1.0) * scale;
        y
    }

    #[hooked]
    fn arms(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.kinds[0] {
            #[cfg(not(test))]
            Kind::Missing(m) => m.forward(x),
            Kind::One(m) | Kind::Other(m) => m.forward(x),
            #[cfg(test)]
            Kind::Two(m, _) => m.forward(x),
            _ => x,
        }
    }

    #[hooked]
    fn fields_of_patterns(&self, x: Tensor<2>) -> Tensor<2> {
        let Halves {
            left,
            #[cfg(not(test))]
            right,
        } = Halves {
            left: x + 1.0,
            #[cfg(not(test))]
            right: x,
        };
        let Pair {
            first,
            #[cfg(not(test))]
            missing,
            ..
        } = &self.pair;
        first.forward(left)
    }

    #[hooked]
    fn modules(&self, x: Tensor<2>) -> Tensor<2> {
        #[cfg(not(test))]
        let m = &self.missing;
        #[cfg(not(test))]
        let x = m.forward(x);
        #[cfg(test)]
        let n = &self.d[2];
        #[cfg(test)]
        let y = n.forward(x);
        y
    }

    #[hooked]
    fn arguments(&self, x: Tensor<2>) -> Tensor<2> {
        let y = Leaf(1.0).forward(x);
        let sum = Sum(2.0);
        sum.forward(
            y.clone(),
            #[cfg(test)]
            y,
            #[cfg(not(test))]
            missing,
        )
    }
}

/// An argument under a `#[cfg]` in a call that enters a segment.
struct Holder {
    sum: Sum,
    a: Leaf,
}

impl Holder {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = x + 1.0;
        self.sum.forward(
            self.a.forward(y.clone()),
            #[cfg(test)]
            y,
            #[cfg(not(test))]
            missing,
        )
    }
}

#[test]
fn code_under_a_cfg_is_there_or_not() {
    let net = net();
    meets! { net =>
        two_versions ["y": 3]
        statements ["a.h": 1, "part": 1, "two.0.h": 101, "two.1.h": 301, "y": 301]
        late_values ["y": 4]
        arms ["kinds.0.h": 1000]
        fields_of_patterns ["left": 1, "pair.first.h": 6]
        modules ["d.2.h": 40, "y": 40]
        arguments ["h": 4, "y": 1, "more": 1]
    }
    let holder = Holder { sum: Sum(2.0), a: Leaf(5.0) };
    meets! { holder => forward ["y": 1, "a.h": 6, "sum.more": 1, "sum.h": 9] }
}
