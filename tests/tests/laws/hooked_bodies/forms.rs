//! The forms of `forward` a user may write: every site has the path of its module, and the attribute changes nothing
//! else.

use arrakis::models::device::read;
use arrakis::models::hooks::{Edit, Plan};
use arrakis::prelude::*;

/// Adds a number. Its one site is `h`.
#[derive(Clone)]
struct Leaf(f32);

impl Leaf {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let h = x + self.0;
        h
    }

    /// Borrows the module while it runs.
    fn forward_counting(&self, x: Tensor<2>, count: &mut usize) -> Tensor<2> {
        *count += 1;
        self.forward(x)
    }

    fn forward_mapped(&self, x: Tensor<2>, map: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        self.forward(map(x))
    }
}

#[allow(dead_code, reason = "one variant is enough")]
enum Kind {
    One(Leaf),
    Other(Leaf),
}

struct Inner {
    leaf: Leaf,
    list: Vec<Leaf>,
}

struct Net {
    first: Leaf,
    maybe: Option<Leaf>,
    kind: Kind,
    list: Vec<Leaf>,
    inner: Inner,
    inners: Vec<Inner>,
    pair: (Leaf, Leaf),
}

fn net() -> Net {
    let inner = |x: f32| Inner { leaf: Leaf(x), list: vec![Leaf(x + 1.0), Leaf(x + 2.0)] };
    Net {
        first: Leaf(1.0),
        maybe: Some(Leaf(2.0)),
        kind: Kind::Other(Leaf(3.0)),
        list: vec![Leaf(4.0), Leaf(5.0), Leaf(6.0)],
        inner: inner(7.0),
        inners: vec![inner(10.0), inner(20.0)],
        pair: (Leaf(30.0), Leaf(31.0)),
    }
}

fn input() -> Tensor<2> {
    Tensor::from_floats([[1.0, 2.0]], &arrakis::models::device::cpu().device)
}

/// The sites a `forward` meets, in order.
fn sites(body: impl Fn(Tensor<2>) -> Tensor<2>) -> Vec<String> {
    let seen = Plan::new().capture("*").run(|| body(input())).unwrap();
    assert_eq!(read(seen.output).unwrap(), read(body(input())).unwrap());
    for site in seen.cache.sites() {
        let moved = Plan::new().edit(site, Edit::new(|x: Tensor<2>| x + 100.0)).run(|| body(input())).unwrap();
        assert!(read(moved.output).unwrap() != read(body(input())).unwrap(), "an edit at {site}");
    }
    seen.cache.sites().map(str::to_owned).collect()
}

impl Net {
    #[hooked]
    fn by_match(&self, x: Tensor<2>) -> Tensor<2> {
        let y = match &self.maybe {
            Some(part) => part.forward(x),
            None => x,
        };
        match &self.kind {
            Kind::One(part) | Kind::Other(part) => part.forward(y),
        }
    }

    #[hooked]
    fn by_let(&self, x: Tensor<2>) -> Tensor<2> {
        let Some(part) = &self.maybe else { return self.first.forward(x) };
        let x = part.forward(x);
        let Self { first: renamed, list, .. } = self;
        let second = &list[1];
        second.forward(renamed.forward(x))
    }

    #[hooked]
    fn nested(&self, x: Tensor<2>) -> Tensor<2> {
        let deep = self.inner.leaf.forward(self.inner.list[1].forward(x));
        let (a, b) = (self.pair.0.forward(deep.clone()), self.pair.1.forward(deep));
        a + b
    }

    #[hooked(skip(y))]
    fn loops(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for inner in &self.inners {
            y = inner.leaf.forward(y);
            for leaf in &inner.list {
                y = leaf.forward(y);
            }
        }
        for (i, leaf) in self.list.iter().enumerate().skip(1) {
            y = if i > 1 { leaf.forward(y) } else { y };
        }
        for i in 0..2 {
            y = self.list[i + 1].forward(y);
        }
        y
    }

    /// The local variables `i` and `leaf` are not part of the path.
    #[hooked(skip(y, i, leaf))]
    fn shadowed(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = x;
        for (i, item) in self.list.iter().enumerate() {
            let i = i * 7;
            y = item.forward(y) + (i % 7) as f32;
        }
        for leaf in &self.list {
            let leaf = Leaf(leaf.0);
            y = leaf.forward(y);
        }
        y
    }

    #[hooked]
    fn branches(&self, x: Tensor<2>) -> Tensor<2> {
        let out = if self.list.is_empty() {
            let part = x * 2.0;
            part
        } else {
            let part = x * 3.0;
            part
        };
        if self.inners.is_empty() {
            let last = out;
            return last;
        }
        let last = out + 1.0;
        last
    }

    #[hooked]
    fn borrowed(&self, x: Tensor<2>, count: &mut usize) -> Tensor<2> {
        let a = self.first.forward_counting(x, count);
        let b = self.list[0].forward_counting(a, count);
        self.list[1].forward_mapped(b, |y| y * 2.0)
    }

    #[hooked]
    fn taken_apart(&self, x: Tensor<2>) -> Tensor<2> {
        let [left, right]: [Tensor<2>; 2] = x.chunk(2, 1).try_into().unwrap();
        let [rows, _] = left.dims();
        let (Some(sum), true) = (Some(left + right), rows > 0) else { return self.helper(Self::made()) };
        let r#type: Tensor<2> = sum.repeat_dim(1, 2);
        r#type
    }

    #[allow(clippy::unused_self, reason = "a method to call")]
    fn helper(&self, x: Tensor<2>) -> Tensor<2> {
        x
    }

    fn made() -> Tensor<2> {
        input()
    }
}

#[test]
fn paths_follow_the_modules() {
    let net = net();
    assert_eq!(sites(|x| net.by_match(x)), ["maybe.h", "y", "kind.h"]);
    assert_eq!(sites(|x| net.by_let(x)), ["maybe.h", "x", "first.h", "list.1.h"]);
    assert_eq!(sites(|x| net.nested(x)), ["inner.list.1.h", "inner.leaf.h", "deep", "pair.0.h", "pair.1.h", "a", "b"]);
    assert_eq!(
        sites(|x| net.loops(x)),
        [
            "inners.0.leaf.h",
            "inners.0.list.0.h",
            "inners.0.list.1.h",
            "inners.1.leaf.h",
            "inners.1.list.0.h",
            "inners.1.list.1.h",
            "list.2.h",
            "list.1.h",
        ]
    );
    assert_eq!(sites(|x| net.shadowed(x)), ["list.0.h", "list.1.h", "list.2.h", "h"]);
    assert_eq!(sites(|x| net.branches(x)), ["part", "out", "last"]);
    assert_eq!(sites(|x| net.borrowed(x, &mut 0)), ["first.h", "a", "list.0.h", "b", "list.1.h"]);
    assert_eq!(sites(|x| net.taken_apart(x)), ["left", "right", "sum", "type"]);
}

/// A module that runs twice in one run: each edit applies both times, and a gradient is the sum over both.
#[test]
fn a_module_that_runs_twice_is_edited_twice_and_has_the_sum_of_gradients() {
    struct Twice {
        leaf: Leaf,
    }
    impl Twice {
        #[hooked]
        fn forward(&self, x: Tensor<2>) -> Tensor<2> {
            let once = self.leaf.forward(x);
            self.leaf.forward(once * 2.0)
        }
    }
    let twice = Twice { leaf: Leaf(1.0) };
    let run = Plan::new().capture("leaf.h").grad("leaf.h").run(|| twice.forward(input())).unwrap();
    assert_eq!(run.fired, [2, 2], "the capture and the gradient");
    assert_eq!(read(run.cache.get::<2>("leaf.h").unwrap()).unwrap(), [5.0, 7.0], "the last one is kept");
    let gradients = run.gradients(run.output.clone().sum()).unwrap();
    assert_eq!(read(gradients.get::<2>("leaf.h").unwrap()).unwrap(), [3.0, 3.0]);
    let edited = Plan::new().edit("leaf.h", Edit::new(|h: Tensor<2>| h + 1.0)).run(|| twice.forward(input())).unwrap();
    assert_eq!(read(edited.output).unwrap(), [8.0, 10.0], "adding one each time adds three");
}

/// Nothing is differentiated unless it is asked for.
#[test]
fn without_a_gradient_nothing_is_tracked() {
    let net = net();
    let run =
        Plan::new().capture("*").edit("y", Edit::new(|y: Tensor<2>| y * 2.0)).run(|| net.by_match(input())).unwrap();
    assert!(!run.output.is_tracked() && run.cache.iter().all(|(_, value)| !value.device().is_autodiff()));
}
