//! What the errors of `#[hooked]` advise, followed to the letter. `tests/ui` has the bodies that are refused.

use arrakis::prelude::*;

use super::{Kind, Leaf, Net, Wrapper, meets, net};

impl Net {
    /// "call `forward` on the field where it is chosen"
    #[hooked]
    fn chosen_where_it_is_called(&self, x: Tensor<2>) -> Tensor<2> {
        let y = if self.flag { self.b.forward(x) } else { self.a.forward(x) };
        match self.order[0] {
            1 => self.a.forward(y),
            _ => self.pair.second.forward(y),
        }
    }

    /// "write `for (i, item) in self.d.iter().enumerate()`", "with `skip`, `take` or `rev` after it"
    #[hooked(skip(y))]
    fn enumerated(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for (i, item) in self.d.iter().enumerate() {
            y = self.outer.list[i % 2].forward(item.forward(y));
        }
        for (_, item) in self.d.iter().enumerate().skip(1).take(1).rev() {
            y = item.forward(y);
        }
        y
    }

    /// "`if let Some(item) = &self.n` for an option"
    #[hooked]
    fn option_of_a_closure(&self, x: Tensor<2>) -> Tensor<2> {
        if let Some(item) = &self.n { item.forward(x) } else { x }
    }

    /// "write `self.d[i]`, or `if let` for an option"
    #[hooked]
    fn indexed(&self, x: Tensor<2>) -> Tensor<2> {
        let last = self.d.len() - 1;
        let y = self.d[last].forward(self.d[0].forward(x));
        self.two[2 - 1].forward(y)
    }

    /// "bind it to a name of its own first, `let at = ..;`, and index with `at`"
    #[hooked]
    fn index_bound_first(&self, x: Tensor<2>) -> Tensor<2> {
        let mut calls = 0;
        let mut next = || {
            calls += 1;
            calls
        };
        let at = next();
        let m = &self.d[at];
        let i = 1;
        let at = i;
        if let Some(i) = &self.maybe[at] { i.forward(m.forward(x)) } else { x }
    }

    /// "give this module a `let` of its own"
    #[hooked]
    fn module_bound_alone(&self, x: Tensor<2>) -> Tensor<2> {
        let mut i = 0;
        let m = &self.d[i];
        let n = {
            i += 1;
            i
        };
        m.forward(x) * n as f32
    }

    /// "index the list instead", "name all fields of the variant", "write `Type::One(..)`", "the field `.0`"
    #[hooked]
    fn patterns_without_rest(&self, x: Tensor<2>) -> Tensor<2> {
        let [first, _] = &self.two;
        let y = match &self.kinds[2] {
            Kind::One(m) => m.forward(x),
            Kind::Two(m, _) => m.forward(first.forward(x)),
            _ => x,
        };
        let w = &self.w;
        w.0.forward(y)
    }

    /// "write an arm for each"
    #[hooked]
    fn an_arm_for_each(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self { n: None, a: m, .. } => m.forward(x),
            Self { n: Some(m), .. } => m.forward(x),
        }
    }

    /// "loop over the keys and call `self.map[key].forward(..)`"
    #[hooked(skip(y))]
    fn keys(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for key in self.named.keys() {
            y = self.named[key].forward(y);
        }
        y
    }

    /// "call `forward` on the field under each `#[cfg]`", "bind this argument with a `let` under the same `#[cfg]`"
    #[hooked]
    fn under_each_cfg(&self, x: Tensor<2>) -> Tensor<2> {
        #[cfg(not(test))]
        let y = self.a.forward(x);
        #[cfg(test)]
        let y = self.b.forward(x);
        self.a.forward(
            #[cfg(test)]
            y,
        )
    }

    /// "call it as a method", "call it in the method itself"
    #[hooked]
    fn as_a_method(&self, x: Tensor<2>) -> Tensor<2> {
        self.b.forward(self.a.forward(x))
    }

    /// "bind its result with a `let` before the macro"
    #[hooked]
    fn before_the_macro(&self, x: Tensor<2>) -> Tensor<2> {
        let y = self.a.forward(x);
        let parts = vec![y.clone(), y];
        Tensor::cat(parts, 0).narrow(0, 0, 1)
    }

    /// "list it in `#[hooked(skip(..))]` and bind its last value with a `let` of another name"
    #[hooked(skip(h))]
    fn last_value(&self, x: Tensor<2>) -> Tensor<2> {
        let mut h = x;
        for m in &self.two {
            h = m.forward(h);
        }
        let out = h;
        out
    }

    /// "write `let name = ..;` with the value, such as `let name = if ..`"
    #[hooked]
    fn value_at_once(&self, x: Tensor<2>) -> Tensor<2> {
        let y = if self.flag { x * 2.0 } else { x };
        y
    }

    /// "bind it in a method of the module that is looped over"
    #[hooked(skip(y))]
    fn bound_in_the_module(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for wrapper in [Wrapper(self.a.clone()), Wrapper(self.b.clone())] {
            y = y + wrapper.0.0;
        }
        for m in &self.d {
            y = m.forward(y);
        }
        y
    }

    /// "if it is not part of `self`, list it in `#[hooked(skip(norm))]`"
    #[hooked(skip(norm))]
    fn argument(&self, x: Tensor<2>, norm: &Leaf) -> Tensor<2> {
        norm.forward(self.a.forward(x))
    }

    #[hooked]
    fn with_an_argument(&self, x: Tensor<2>) -> Tensor<2> {
        self.argument(x, &Leaf(self.scale))
    }
}

#[test]
fn what_an_error_advises_leads_to_the_right_path() {
    let net = net();
    meets! { net =>
        chosen_where_it_is_called ["b.h": 2, "y": 2, "pair.second.h": 8]
        enumerated ["d.0.h": 10, "outer.list.0.h": 1670, "d.1.h": 1690, "outer.list.1.h": 1130, "d.2.h": 1170]
        option_of_a_closure ["n.h": 3]
        indexed ["d.0.h": 10, "d.2.h": 50, "y": 50, "two.1.h": 250]
        index_bound_first ["d.1.h": 20, "maybe.1.h": 52]
        module_bound_alone ["d.0.h": 10]
        patterns_without_rest ["two.0.h": 100, "kinds.2.0.h": 3100, "y": 3100, "w.0.h": 3104]
        an_arm_for_each ["n.h": 3]
        keys ["named.dec.h": 51, "named.enc.h": 103]
        under_each_cfg ["b.h": 2, "y": 2, "a.h": 3]
        as_a_method ["a.h": 1, "b.h": 3]
        before_the_macro ["a.h": 1, "y": 1]
        last_value ["two.0.h": 100, "two.1.h": 300, "out": 300]
        value_at_once ["y": 0]
        bound_in_the_module ["d.0.h": 13, "d.1.h": 33, "d.2.h": 73]
        with_an_argument ["a.h": 1, "h": 3]
    }
}
