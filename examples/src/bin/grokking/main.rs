//! Does a network that groks modular addition compute with waves? (Nanda et al., "Progress measures for grokking via
//! mechanistic interpretability", 2023, arXiv 2301.05217.)
//!
//! `cargo run --bin grokking` trains on a smaller modulus, for some minutes; `-- --long` has the paper's modulus and split.
//! A run that was stopped goes on from its last checkpoint.

mod fourier;
mod model;
mod train;

use std::path::PathBuf;

use arrakis::models::device;
use arrakis::plot::{Bars, Line, Series};
use arrakis::prelude::*;
use arrakis_examples::{Expect, Golden, run_folder};
use burn::module::Module as _;
use clap::Parser;
use fourier::Logits;
use train::{Plan, Training};

/// Waves with less than this share of the logits' variance are noise.
const KEY_SHARE: f64 = 0.02;
/// A split is learned when its loss is below this, in nats.
const LEARNED: f64 = 0.05;

#[derive(Parser)]
struct Options {
    /// The paper's modulus of 113 and 30 % of the pairs, for 20,000 of its 40,000 epochs: three quarters of an hour of one core. With
    /// seed 0 the test loss falls before epoch 6000.
    #[arg(long)]
    long: bool,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Passes over the training pairs, instead of the setting's own number.
    #[arg(long)]
    epochs: Option<u64>,
    /// The folder of checkpoints and figure. The default is `experiments/grokking`, or `.._long`.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Options {
    fn plan(&self) -> Plan {
        let (p, fraction, epochs) = if self.long { (113, 0.3, 20_000) } else { (53, 0.5, 10_000) };
        Plan { p, fraction, epochs: self.epochs.unwrap_or(epochs), seed: self.seed }
    }
}

/// The first logged epoch after which a split is learned.
fn learned(training: &Training, loss: impl Fn(&train::Log) -> f64) -> f64 {
    let unlearned = training.logs.iter().rposition(|log| loss(log) >= LEARNED).map_or(0, |last| last + 1);
    training.logs.get(unlearned).map_or(f64::NAN, |log| log.epoch as f64)
}

/// The share of varying neurons that one frequency explains to 85 %.
fn neurons(training: &Training) -> Result<f64> {
    let (p, net) = (training.plan.p, training.net.valid());
    let all = model::tokens(&model::pairs(p), p, &device::cpu().device);
    let run = Plan::capture_post(|| net.forward(all.clone()))?;
    let shares: Vec<f64> = fourier::neuron_shares(p, &run).into_iter().flatten().collect();
    Ok(shares.iter().filter(|share| **share > 0.85).count() as f64 / shares.len() as f64)
}

impl Plan {
    /// The values of `post`, `[p * p, d_mlp]`, after each `ReLU`.
    fn capture_post(forward: impl FnOnce() -> Tensor<2>) -> Result<Vec<f32>> {
        let run = arrakis::models::Plan::new().capture("post").run(forward)?;
        Ok(run.cache.get::<2>("post")?.read()?)
    }
}

fn golden(training: &Training, logits: &Logits, key: &[usize], shares: &[f64]) -> Result<Golden> {
    let (train, test) = training.plan.split();
    let (fitted, generalised) = (learned(training, |log| log.train), learned(training, |log| log.test));
    let explained: f64 = key.iter().map(|k| shares[k - 1]).sum();
    let test_loss = logits.loss(&test);
    Ok(Golden::new(format!("Grokking of addition modulo {}, frequencies {key:?}", training.plan.p))
        .row("test loss, nats", "2.4e-7", test_loss, Expect::AtMost(1e-3))
        .row("test accuracy", "1", logits.accuracy(&test), Expect::AtLeast(0.999))
        .row(
            "epoch of learning the test pairs ÷ the training pairs",
            "5 to 10",
            generalised / fitted,
            Expect::AtLeast(2.0),
        )
        .row("key frequencies", "5", key.len() as f64, Expect::Between(2.0, 6.0))
        .row("variance of the logits that they explain", "0.95", explained, Expect::AtLeast(0.9))
        .row("neurons that one frequency explains to 85 %", "0.846", neurons(training)?, Expect::AtLeast(0.7))
        .row(
            "test loss with key waves only ÷ test loss",
            "0.23",
            logits.restricted_loss(&test, key) / test_loss,
            Expect::AtMost(1.0),
        )
        .row(
            "train loss without key waves, nats",
            "above chance",
            logits.excluded_loss(&train, key),
            Expect::AtLeast((training.plan.p as f64).ln()),
        ))
}

fn figure(training: &Training, shares: &[f64]) -> Figure {
    let logs = &training.logs;
    let series = |name: &str, loss: fn(&train::Log) -> f64| {
        Series::new(name, logs.iter().map(|log| log.epoch as f64), logs.iter().map(|log| loss(log).max(1e-12)))
    };
    let losses = Line::new("epoch", "loss, nats")
        .series(series("train", |log| log.train))
        .series(series("test", |log| log.test));
    let waves = Bars::new(shares.iter().enumerate().map(|(index, share)| (index + 1, *share)));
    Figure::new("Grokking of modular addition")
        .subtitle(format!("{:?}", training.plan))
        .with(losses.log_y().titled("memorised first, understood later"))
        .with(
            waves
                .axes("frequency of cos 2πk(a + b − c) / p", "share of the logits' variance")
                .titled("what it computes with"),
        )
}

fn main() -> Result<()> {
    let options = Options::parse();
    let out = run_folder("grokking", options.long, options.out.as_deref());
    let mut training = Training::resume(options.plan(), &device::cpu().device, &out)?;
    let bar = arrakis::models::progress::bar("training", "epochs", 0);
    training.run(&out, 100, &bar)?;
    bar.finish_and_clear();
    let logits = training.logits()?;
    let shares = logits.shares();
    let key: Vec<usize> = (1..=shares.len()).filter(|k| shares[k - 1] > KEY_SHARE).collect();
    let files = figure(&training, &shares).save(&out, "grokking")?;
    println!("{}{}", golden(&training, &logits, &key, &shares)?, files[0].display());
    Ok(())
}
