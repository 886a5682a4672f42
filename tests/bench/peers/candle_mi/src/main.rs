//! candle-mi's side of run.py: one forward for each line on stdin, as worker.rs.

use std::error::Error;
use std::io::{BufRead, Write};

use candle_core::{DType, Device, IndexOp, Tensor};
use candle_mi::{GenericTransformer, HookSpec, MIBackend, TransformerConfig};
use candle_nn::VarBuilder;
use serde_json::Value;

const SHOWN: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give the model's folder")?;
    let config = serde_json::from_str(&std::fs::read_to_string(format!("{folder}/config.json"))?)?;
    let weights = std::fs::read(format!("{folder}/model.safetensors"))?;
    let builder = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
    let config = TransformerConfig::from_hf_config(&config)?;
    let model = GenericTransformer::load(config, &Device::Cpu, DType::F32, builder)?;
    println!("ready candle-mi 0.2.2");
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line?)?;
        let tokens: Vec<Vec<u32>> = serde_json::from_value(order["tokens"].clone())?;
        let logits = model.forward(&Tensor::new(tokens, &Device::Cpu)?, &HookSpec::new())?.into_output();
        let (batch, pos, _) = logits.dims3()?;
        let shown = logits.i((batch - 1, pos - 1, ..SHOWN))?.to_vec1::<f32>()?;
        println!("{}", serde_json::to_string(&shown)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}
