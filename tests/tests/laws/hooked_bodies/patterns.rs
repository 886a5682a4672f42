//! A module keeps its path through every pattern that can name it.

use arrakis::prelude::*;

use super::{Kind, Leaf, Net, Outer, Pair, Wrapper, meets, net};

impl Net {
    #[hooked]
    fn newtype(&self, x: Tensor<2>) -> Tensor<2> {
        let Wrapper(inner) = &self.w;
        inner.forward(x)
    }

    #[hooked]
    fn newtype_in_a_match(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.w {
            Wrapper(inner) => inner.forward(x),
        }
    }

    #[hooked]
    fn fields(&self, x: Tensor<2>) -> Tensor<2> {
        let Self { a, b: other, .. } = self;
        let Pair { first, second } = &self.pair;
        second.forward(first.forward(other.forward(a.forward(x))))
    }

    #[hooked]
    fn nested_fields(&self, x: Tensor<2>) -> Tensor<2> {
        let Net { outer: Outer { pair: Pair { first, .. }, list }, w: Wrapper(inner), .. } = self;
        inner.forward(list[1].forward(first.forward(x)))
    }

    #[hooked]
    fn two_at_once(&self, x: Tensor<2>) -> Tensor<2> {
        let (a, b) = (&self.b, &self.a);
        let [c, d]: [&Leaf; 2] = [&self.two[1], &self.d[0]];
        d.forward(c.forward(b.forward(a.forward(x))))
    }

    /// The new variables are not in scope before both are bound.
    #[hooked]
    fn swapped(&self, x: Tensor<2>) -> Tensor<2> {
        let (a, b) = (&self.a, &self.b);
        let (a, b) = (b, a);
        b.forward(a.forward(x))
    }

    #[hooked]
    fn option(&self, x: Tensor<2>) -> Tensor<2> {
        let y = if let Some(n) = &self.n { n.forward(x) } else { x };
        let Some(n) = self.n.as_ref() else { return y };
        n.forward(y)
    }

    #[hooked]
    fn wrapped_by_hand(&self, x: Tensor<2>) -> Tensor<2> {
        let chosen = Some(&self.a);
        if let Some(m) = chosen { m.forward(x) } else { x }
    }

    #[hooked(skip(y))]
    fn variants(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for kind in &self.kinds {
            y = match kind {
                Kind::One(m) | Kind::Other(m) => m.forward(y),
                Kind::Two(m, n) => n.forward(m.forward(y)),
                Kind::Named { part } => part.forward(y),
            };
        }
        y
    }

    #[hooked]
    fn by_reference(&self, x: Tensor<2>) -> Tensor<2> {
        let Pair { ref first, .. } = self.pair;
        let y = first.forward(x);
        match self.n {
            Some(ref n) => n.forward(y),
            None => y,
        }
    }

    #[hooked]
    fn whole_and_part(&self, x: Tensor<2>) -> Tensor<2> {
        let whole @ Wrapper(inner) = &self.w;
        let y = whole.0.forward(inner.forward(x));
        if let all @ Some(n) = &self.n { n.forward(y) * all.iter().count() as f32 } else { y }
    }

    #[hooked]
    fn slices(&self, x: Tensor<2>) -> Tensor<2> {
        let [l, r] = &self.two;
        let [first, ..] = &self.two;
        first.forward(r.forward(l.forward(x)))
    }

    #[hooked]
    fn tuples(&self, x: Tensor<2>) -> Tensor<2> {
        let (p, _) = &self.tuple;
        let (.., q) = (&self.a, &self.tuple.1);
        q.forward(p.forward(x))
    }

    #[hooked]
    fn several_conditions(&self, x: Tensor<2>) -> Tensor<2> {
        if let (Some(m), true) = (&self.n, self.flag)
            && let Pair { second, .. } = &self.pair
        {
            second.forward(m.forward(x))
        } else {
            x
        }
    }

    #[hooked]
    fn through_self(&self, x: Tensor<2>) -> Tensor<2> {
        let this = self;
        let pair = &this.pair;
        let part = &pair.second;
        part.forward(this.boxed.forward(x))
    }

    #[hooked]
    fn module_then_tensor(&self, x: Tensor<2>) -> Tensor<2> {
        let a = &self.a;
        let a = a.forward(x);
        let b = a * 2.0;
        b
    }

    #[hooked]
    fn tensor_then_module(&self, x: Tensor<2>) -> Tensor<2> {
        let y = x * 2.0;
        let z = y.clone() + 1.0;
        let y = &self.b;
        y.forward(z)
    }

    /// A module that is not stored in `self` has no path of its own.
    #[hooked]
    fn made_here(&self, x: Tensor<2>) -> Tensor<2> {
        let leaf = Leaf(self.scale);
        leaf.forward(x)
    }

    #[hooked]
    fn cloned(&self, x: Tensor<2>) -> Tensor<2> {
        let copy = self.a.clone();
        let boxed = Box::new(copy.clone());
        boxed.forward(x)
    }
}

#[test]
fn a_module_keeps_its_path_through_a_pattern() {
    let net = net();
    meets! { net =>
        newtype ["w.0.h": 4]
        newtype_in_a_match ["w.0.h": 4]
        fields ["a.h": 1, "b.h": 3, "pair.first.h": 8, "pair.second.h": 14]
        nested_fields ["outer.pair.first.h": 300, "outer.list.1.h": 900, "w.0.h": 904]
        two_at_once ["b.h": 2, "a.h": 3, "two.1.h": 203, "d.0.h": 213]
        swapped ["b.h": 2, "a.h": 3]
        option ["n.h": 6, "y": 3]
        wrapped_by_hand ["a.h": 1]
        variants [
            "kinds.0.h": 1000, "kinds.1.h": 3000, "kinds.2.0.h": 6000, "kinds.2.1.h": 10000, "kinds.3.part.h": 15000
        ]
        by_reference ["pair.first.h": 5, "y": 5, "n.h": 8]
        whole_and_part ["w.0.h": 8, "y": 8, "n.h": 11]
        slices ["two.0.h": 400, "two.1.h": 300]
        tuples ["tuple.0.h": 7, "tuple.1.h": 15]
        several_conditions ["n.h": 3, "pair.second.h": 9]
        through_self ["boxed.h": 71, "pair.second.h": 77]
        module_then_tensor ["a.h": 1, "a": 1, "b": 2]
        tensor_then_module ["y": 0, "z": 1, "b.h": 3]
        made_here ["h": 2]
        cloned ["a.h": 1]
    }
}
