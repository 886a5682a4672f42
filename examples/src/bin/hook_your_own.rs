//! `#[hooked]` on a module of your own: every `let` becomes a site, and removing the attribute changes nothing else.

use arrakis::prelude::*;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, activation};

/// Two layers and a residual.
#[derive(Module, Debug)]
struct Net {
    encoder: Linear,
    decoder: Linear,
}

impl Net {
    #[hooked]
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = activation::relu(self.encoder.forward(x.clone()));
        let out = self.decoder.forward(hidden) + x;
        out
    }
}

fn main() -> Result<()> {
    let device = Device::flex();
    device.seed(0);
    let net = Net { encoder: LinearConfig::new(4, 8).init(&device), decoder: LinearConfig::new(8, 4).init(&device) };
    let x = Tensor::<2>::from_floats([[1.0, 0.0, -1.0, 2.0]], &device);

    let run = Plan::new().capture("hidden").grad("hidden").run(|| net.forward(x.clone()))?;
    println!("hidden                 {:.3?}", run.cache.get::<2>("hidden")?.read()?);
    let gradients = run.gradients(run.output.clone().sum())?;
    println!("d sum / d hidden       {:.3?}", gradients.get::<2>("hidden")?.read()?);

    let zeroed = Plan::new().edit("hidden", Edit::new(|h: Tensor<2>| h * 0.0)).run(|| net.forward(x.clone()))?;
    println!("out with hidden zeroed {:.3?}", zeroed.output.read()?);

    if let Err(typo) = Plan::new().capture("hiden").run(|| net.forward(x)) {
        println!("a typo is an error: {typo}");
    }
    Ok(())
}
