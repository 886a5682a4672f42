//! Trains one dictionary for each line on stdin, so that `dictionaries.py` can time it in turn with `SAELens`.
//!
//! A line is `{"architecture": "topk", "steps": 6, "k": 64}`. The answer is the squared error of the first step, and squared
//! error and L0 of the last.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;

use arrakis::dictionary::metrics::DeadAfter;
use arrakis::dictionary::train::{Learner, Source, Trainer, Training};
use arrakis::models::device;
use arrakis::models::dictionary::architectures::{BatchTopK, Gated, GatedLoss, JumpRelu, Standard, TopK};
use arrakis::models::dictionary::{Architecture, Dictionary, DictionaryConfig, Gate, Objective, Parameters};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Order {
    architecture: String,
    steps: usize,
    k: usize,
}

/// The batches of the folder, again and again.
struct Batches {
    all: Vec<Tensor<2>>,
    given: usize,
}

impl Source for Batches {
    fn next(&mut self) -> arrakis::Result<Vec<Tensor<2>>> {
        self.given += 1;
        Ok(vec![self.all[(self.given - 1) % self.all.len()].clone()])
    }

    fn place(&self) -> Value {
        self.given.into()
    }

    fn go_to(&mut self, place: &Value) -> arrakis::Result<()> {
        self.given = place.as_u64().expect("it gave this place") as usize;
        Ok(())
    }
}

type Failed = Box<dyn std::error::Error>;

pub(super) fn serve(folder: &Path) -> Result<(), Failed> {
    let device = device::cpu().device;
    let start = tensors(&folder.join("start.safetensors"))?;
    let (shape, numbers) = tensors(&folder.join("activations.safetensors"))?.remove("x").ok_or("there is no `x`")?;
    let [rows, d] = [shape[1], shape[2]];
    let batch = |numbers: &[f32]| Tensor::from_data(TensorData::new(numbers.to_vec(), [rows, d]), &device);
    let all: Vec<Tensor<2>> = numbers.chunks(rows * d).map(batch).collect();
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let order: Order = serde_json::from_str(&line?)?;
        let source = Batches { all: all.clone(), given: 0 };
        println!("{}", serde_json::to_string(&trained(&order, &start, source, &device)?)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn tensors(path: &Path) -> Result<Tensors, Failed> {
    let bytes = std::fs::read(path)?;
    let number = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    let all = SafeTensors::deserialize(&bytes)?.tensors().into_iter();
    Ok(all
        .map(|(name, view)| (name, (view.shape().to_vec(), view.data().chunks_exact(4).map(number).collect())))
        .collect())
}

fn trained(order: &Order, start: &Tensors, mut source: Batches, device: &Device) -> Result<[f64; 3], Failed> {
    let (dictionary, objective) = first(order, start, device)?;
    let dead_after = DeadAfter::Steps(1000);
    let training = Training { steps: order.steps, centred: false, dead_after, ..Training::default() };
    let learner = Learner::new(&order.architecture, dictionary, &training)?.objective(objective)?;
    let trained = Trainer::new([learner]).quiet().run(&mut source)?;
    let notes = &trained[0].history;
    let error =
        |at: usize| notes[at].terms.iter().find(|(name, _)| name == "mse_loss").map_or(f64::NAN, |(_, error)| *error);
    let last = notes.len() - 1;
    Ok([error(0), error(last), notes[last].l0])
}

/// The dictionary before training, with `SAELens`'s defaults.
fn first(order: &Order, start: &Tensors, device: &Device) -> Result<(Dictionary, Objective), Failed> {
    let architecture: Architecture = match order.architecture.as_str() {
        "standard" => Standard.into(),
        "gated" => Gated.into(),
        "topk" | "topk-sparse" => TopK { k: order.k, rescale_acts_by_decoder_norm: true }.into(),
        "batchtopk" => BatchTopK { k: order.k as f64, ..BatchTopK::default() }.into(),
        "jumprelu" => JumpRelu::default().into(),
        other => return Err(format!("no architecture `{other}`").into()),
    };
    // SAELens lets the auxiliary term train the decoder.
    let objective = match &architecture {
        Architecture::Gated(_) => GatedLoss { detached: false, ..GatedLoss::default() }.into(),
        other => other.objective(),
    };
    let matrix = |name: &str| {
        let (shape, numbers) = &start[name];
        Tensor::<2>::from_data(TensorData::new(numbers.clone(), shape.clone()), device)
    };
    let (w_enc, w_dec) = (matrix("w_enc"), matrix("w_dec"));
    let [d_in, d_sae] = w_enc.dims();
    let zeros = || Tensor::<1>::zeros([d_sae], device);
    let gated = matches!(architecture, Architecture::Gated(_));
    let threshold = match &architecture {
        Architecture::JumpRelu(own) => Some(zeros() + own.initial_threshold),
        _ => None,
    };
    let parameters = Parameters {
        w_enc,
        b_enc: (!gated).then(zeros),
        w_dec,
        b_dec: Tensor::zeros([d_in], device),
        w_skip: None,
        threshold,
        gate: gated.then(|| Gate { b_gate: zeros(), b_mag: zeros(), r_mag: zeros() }),
        centred: true,
    };
    Ok((Dictionary::of(DictionaryConfig::autoencoder(d_in, d_sae, architecture), parameters)?, objective))
}
