//! A stack of small layers, so that sites are many beside the arithmetic.

use arrakis::prelude::*;
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, activation};

/// `[WIDTH, WIDTH]` weights of each layer.
pub(crate) const WIDTH: usize = 128;

/// Each layer has two sites.
const LAYERS: usize = 12;

#[derive(Module, Debug)]
struct Layer {
    weight: Param<Tensor<2>>,
}

/// Layers, one after another.
#[derive(Module, Debug)]
pub(crate) struct Stack {
    layers: Vec<Layer>,
}

impl Layer {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let pre = x.matmul(self.weight.val());
        let post = activation::relu(pre);
        post
    }

    /// The same without the attribute.
    fn plain(&self, x: Tensor<2>) -> Tensor<2> {
        let pre = x.matmul(self.weight.val());
        activation::relu(pre)
    }
}

impl Stack {
    /// Random weights.
    pub(crate) fn new(device: &Device) -> Self {
        let layer = |_| Layer { weight: Param::from_tensor(random([WIDTH, WIDTH], device)) };
        Self { layers: (0..LAYERS).map(layer).collect() }
    }

    /// `[rows, WIDTH]` to the same.
    #[hooked(skip(x))]
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut x = x;
        for layer in &self.layers {
            x = layer.forward(x);
        }
        x
    }

    /// The same without the attribute.
    pub(crate) fn plain(&self, x: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(x, |x, layer| layer.plain(x))
    }
}

/// Numbers from -0.1 to 0.1.
pub(crate) fn random(shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::random(shape, Distribution::Uniform(-0.1, 0.1), device)
}
