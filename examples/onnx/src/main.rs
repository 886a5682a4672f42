//! Hooks on an ONNX model: its sites, the pattern of its head, and its output without the MLP.
//!
//! In `build.rs`, `burn-onnx` turns `model/block.onnx` into Burn code, and `#[hooked]` is put above its `forward`. A site
//! has the name of its binding: the operator and its number, in the order of the graph.

use arrakis::models::device;
use arrakis::prelude::*;
use burn::tensor::Device;

/// The code generated from `model/block.onnx`.
#[allow(dead_code, reason = "burn-onnx also writes ways to load the weights that are not used here")]
mod block {
    include!(concat!(env!("OUT_DIR"), "/model/block.rs"));
}

#[cfg(test)]
mod tests;

/// The attention pattern of the head, `[batch, query, key]`.
const PATTERN: &str = "softmax1_out1";
/// What the MLP adds, `[batch, pos, d_model]`.
const MLP_OUT: &str = "linear5_out1";

fn main() -> Result<()> {
    let cpu = Device::flex();
    let block = block::Model::from_embedded(&cpu);
    let x = Tensor::<3>::ones([1, 4, 8], &cpu).cumsum(1) * 0.25;

    let run = Plan::new().capture("*").grad(PATTERN).run(|| block.forward(x.clone()))?;
    for (site, value) in run.cache.iter() {
        println!("{site:<16} {:?}", value.dims());
    }
    println!("pattern {}", run.cache.get::<3>(PATTERN)?);
    println!("d sum / d pattern {}", run.gradients(run.output.clone().sum())?.get::<3>(PATTERN)?);

    let silent = Plan::new().edit(MLP_OUT, Edit::new(|mlp: Tensor<3>| mlp * 0.0)).run(|| block.forward(x.clone()))?;
    let moved = device::read((block.forward(x.clone()) - silent.output).abs().max())?[0];
    println!("the MLP moves the output by {moved:.3} at most");

    if let Err(typo) = Plan::new().capture("softmax_out1").run(|| block.forward(x)) {
        println!("a typo is an error: {typo}");
    }
    Ok(())
}
