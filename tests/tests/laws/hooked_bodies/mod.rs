//! The bodies a user may write under `#[hooked]`. Each states its sites and their values, computed by hand.
//!
//! A [`Leaf`] adds a number of its own, so the value of a site says which modules ran before it. Without a run, each body
//! gives the same output. An edit at each site changes it.

mod advice;
mod cfg;
mod closures;
mod fixed_paths;
mod forms;
mod loops;
mod nets;
mod patterns;
mod values;

use std::collections::{BTreeMap, HashMap};

use arrakis::models::device::read;
use arrakis::models::hooks::Plan;
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

    /// Runs a closure on its input. Its site is `h`.
    #[hooked]
    fn forward_after(&self, x: Tensor<2>, first: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        self.forward(first(x))
    }
}

trait Layer {
    fn forward(&self, x: Tensor<2>) -> Tensor<2>;
}

impl Layer for Leaf {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        Self::forward(self, x)
    }
}

struct Wrapper(Leaf);

struct Pair {
    first: Leaf,
    second: Leaf,
}

struct Outer {
    pair: Pair,
    list: Vec<Leaf>,
}

enum Kind {
    One(Leaf),
    Other(Leaf),
    Two(Leaf, Leaf),
    Named { part: Leaf },
}

/// Modules in every container. Their numbers differ in one digit.
struct Net {
    a: Leaf,
    b: Leaf,
    d: Vec<Leaf>,
    order: Vec<usize>,
    n: Option<Leaf>,
    w: Wrapper,
    pair: Pair,
    tuple: (Leaf, Leaf),
    two: [Leaf; 2],
    outer: Outer,
    kinds: Vec<Kind>,
    pairs: Vec<(Leaf, Leaf)>,
    groups: Vec<Vec<Leaf>>,
    maybe: Vec<Option<Box<Leaf>>>,
    named: BTreeMap<String, Leaf>,
    hashed: HashMap<&'static str, Leaf>,
    boxed: Box<dyn Layer>,
    scale: f32,
    flag: bool,
}

fn net() -> Net {
    let leaf = |number: u32| Leaf(number as f32);
    Net {
        a: leaf(1),
        b: leaf(2),
        d: vec![leaf(10), leaf(20), leaf(40)],
        order: vec![2, 0, 1],
        n: Some(leaf(3)),
        w: Wrapper(leaf(4)),
        pair: Pair { first: leaf(5), second: leaf(6) },
        tuple: (leaf(7), leaf(8)),
        two: [leaf(100), leaf(200)],
        outer: Outer { pair: Pair { first: leaf(300), second: leaf(400) }, list: vec![leaf(500), leaf(600)] },
        kinds: vec![
            Kind::One(leaf(1000)),
            Kind::Other(leaf(2000)),
            Kind::Two(leaf(3000), leaf(4000)),
            Kind::Named { part: leaf(5000) },
        ],
        pairs: vec![(leaf(11), leaf(12)), (leaf(13), leaf(14))],
        groups: vec![vec![leaf(21), leaf(22)], vec![leaf(23)]],
        maybe: vec![Some(Box::new(leaf(31))), Some(Box::new(leaf(32))), None],
        named: BTreeMap::from([("dec".to_owned(), leaf(51)), ("enc".to_owned(), leaf(52))]),
        hashed: HashMap::from([("left", leaf(61)), ("right", leaf(62))]),
        boxed: Box::new(leaf(71)),
        scale: 2.0,
        flag: true,
    }
}

fn input() -> Tensor<2> {
    Tensor::from_floats([[0.0, 0.5]], &arrakis::models::device::cpu().device)
}

/// The first number of a tensor.
fn first(tensor: Tensor<2>) -> f32 {
    read(tensor).unwrap()[0]
}

/// The sites that a body meets in order, each with the first number of its last tensor.
fn met(body: impl Fn(Tensor<2>) -> Tensor<2>) -> Vec<(String, f32)> {
    let plain = read(body(input())).unwrap();
    let run = Plan::new().capture("*").run(|| body(input())).unwrap();
    assert_eq!(read(run.output).unwrap(), plain, "a run changes no bit");
    for site in run.cache.sites() {
        let moved = Plan::new().edit(site, Edit::new(|x: Tensor<2>| x + 1e6)).run(|| body(input())).unwrap();
        assert!(read(moved.output).unwrap() != plain, "an edit at {site}");
    }
    let value = |site: &str| first(run.cache.get::<2>(site).unwrap());
    run.cache.sites().map(|site| (site.to_owned(), value(site))).collect()
}

/// Compares what bodies meet with what is written next to them.
macro_rules! meets {
    ($net:expr => $($body:ident [$($site:literal: $value:expr),* $(,)?])*) => {
        $(
            let expected: Vec<(String, f32)> = vec![$(($site.to_owned(), $value as f32)),*];
            assert_eq!(super::met(|x| $net.$body(x)), expected, stringify!($body));
        )*
    };
}
use meets;
