//! Closures that run a module of `self`: its path is that of the method, wherever the closure runs.

use arrakis::prelude::*;

use super::{Net, meets, net};

fn twice(x: Tensor<2>, f: &dyn Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
    f(f(x))
}

impl Net {
    #[hooked]
    fn called_here(&self, x: Tensor<2>) -> Tensor<2> {
        let step = |h| self.a.forward(h);
        step(x)
    }

    #[hooked]
    fn mapped(&self, x: Tensor<2>) -> Tensor<2> {
        let y = Some(x).map(|h| self.a.forward(self.b.forward(h))).unwrap();
        twice(y, &|h| self.d[1].forward(h))
    }

    #[hooked]
    fn run_by_another_module(&self, x: Tensor<2>) -> Tensor<2> {
        let y = self.b.forward_after(x, |h| self.a.forward(h));
        let step = |h| self.d[0].forward(h);
        self.two[1].forward_after(y, step)
    }

    /// Each closure keeps the path of the module that it was made with.
    #[hooked]
    fn kept_for_later(&self, x: Tensor<2>) -> Tensor<2> {
        let mut steps: Vec<Box<dyn Fn(Tensor<2>) -> Tensor<2> + '_>> = Vec::new();
        for i in 0..2 {
            let l = &self.d[i];
            steps.push(Box::new(move |h| l.forward(h)));
        }
        for m in &self.two {
            steps.push(Box::new(move |h| m.forward(h)));
        }
        steps.iter().fold(x, |h, step| step(h))
    }

    #[hooked]
    fn bound_in_a_closure(&self, x: Tensor<2>) -> Tensor<2> {
        let double = |h: Tensor<2>| {
            let doubled = h * 2.0;
            doubled + 1.0
        };
        self.a.forward(double(x))
    }

    #[hooked]
    fn closure_in_a_closure(&self, x: Tensor<2>) -> Tensor<2> {
        let outer = |h| {
            let inner = |h| self.outer.list[1].forward(h);
            self.a.forward_after(h, inner)
        };
        self.b.forward_after(x, outer)
    }
}

impl Net {
    fn a_step(&self) -> impl Fn(Tensor<2>) -> Tensor<2> + '_ {
        self.step()
    }

    #[hooked]
    fn step(&self) -> impl Fn(Tensor<2>) -> Tensor<2> + '_ {
        |h| self.a.forward(h)
    }

    #[hooked]
    fn boxed_step(&self) -> Box<dyn Fn(Tensor<2>) -> Tensor<2> + '_> {
        Box::new(|h| self.b.forward(h))
    }

    #[hooked]
    fn returned(&self, x: Tensor<2>) -> Tensor<2> {
        self.d[0].forward_after(self.a_step()(x), self.boxed_step())
    }
}

/// The same module one level down: the closure's path begins with the caller's.
struct Deep {
    net: Net,
}

impl Deep {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.net.forward_within(x)
    }
}

impl Net {
    #[hooked]
    fn forward_within(&self, x: Tensor<2>) -> Tensor<2> {
        self.b.forward_after(x, |h| self.a.forward(h))
    }
}

#[test]
fn a_closure_keeps_the_path_of_its_method() {
    let net = net();
    meets! { net =>
        called_here ["a.h": 1]
        mapped ["b.h": 2, "a.h": 3, "y": 3, "d.1.h": 43]
        run_by_another_module ["a.h": 1, "b.h": 3, "y": 3, "d.0.h": 13, "two.1.h": 213]
        kept_for_later ["d.0.h": 10, "d.1.h": 30, "two.0.h": 130, "two.1.h": 330]
        bound_in_a_closure ["doubled": 0, "a.h": 2]
        returned ["a.h": 1, "b.h": 3, "d.0.h": 13]
        closure_in_a_closure ["outer.list.1.h": 600, "a.h": 601, "b.h": 603]
    }
    let deep = Deep { net };
    meets! { deep => forward ["net.a.h": 1, "net.b.h": 3] }
}
