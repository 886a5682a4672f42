//! Forwards of a stack with and without sites, for `count.py`, which counts their instructions.

use arrakis::prelude::*;
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, activation};

/// `[d, d]` weights of each layer.
const WIDTH: usize = 128;

/// Each layer has two sites.
const LAYERS: usize = 12;

#[derive(Module, Debug)]
struct Layer {
    weight: Param<Tensor<2>>,
}

#[derive(Module, Debug)]
struct Stack {
    layers: Vec<Layer>,
}

impl Layer {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let pre = x.matmul(self.weight.val());
        let post = activation::relu(pre);
        post
    }

    fn plain(&self, x: Tensor<2>) -> Tensor<2> {
        let pre = x.matmul(self.weight.val());
        activation::relu(pre)
    }
}

impl Stack {
    #[hooked(skip(x))]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut x = x;
        for layer in &self.layers {
            x = layer.forward(x);
        }
        x
    }

    fn plain(&self, x: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(x, |x, layer| layer.plain(x))
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [which, forwards, rows] = words.as_slice() else {
        return println!("`python tests/bench/instructions/count.py` runs this");
    };
    let [forwards, rows] = [forwards, rows].map(|word| word.parse::<usize>().expect("a number"));
    let device = Device::flex();
    let random = |shape: [usize; 2]| Tensor::random(shape, Distribution::Uniform(-0.1, 0.1), &device);
    let layer = || Layer { weight: Param::from_tensor(random([WIDTH, WIDTH])) };
    let (stack, x) = (Stack { layers: (0..LAYERS).map(|_| layer()).collect() }, random([rows, WIDTH]));
    for _ in 0..forwards {
        std::hint::black_box(if which == "hooked" { stack.forward(x.clone()) } else { stack.plain(x.clone()) });
    }
}
