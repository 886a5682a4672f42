//! Trains the model that ships with the crate, and measures it.
//!
//! `cargo run -p arrakis-models --bin train-embedded -- --out models/weights [--steps N] [--seed S] [--resume]`

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrakis_models::error::{Error, Result};
use arrakis_models::toy::eval::Score;
use arrakis_models::toy::vocab;
use arrakis_models::train::facts::{Facts, Run};
use arrakis_models::train::{StepLog, Trainer, recipe};
use arrakis_models::{HookedTransformer, checkpoint, device};
use indicatif::{ProgressBar, ProgressStyle};

const USAGE: &str = "usage: train-embedded [--out FOLDER] [--checkpoints FOLDER] [--steps N] [--seed S] [--resume]";
/// Steps between checkpoints.
const SAVE_EVERY: u64 = 500;
/// Rows of every exam.
const ROWS: usize = 256;

/// What was asked for.
struct Options {
    out: PathBuf,
    checkpoints: PathBuf,
    steps: u64,
    seed: u64,
    resume: bool,
}

impl Options {
    fn read() -> Result<Self, String> {
        let mut options = Self { out: "models/weights".into(), checkpoints: "target/train-embedded".into(), steps: recipe::STEPS, seed: recipe::SEED, resume: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value\n{USAGE}"));
            match word.as_str() {
                "--out" => options.out = value()?.into(),
                "--checkpoints" => options.checkpoints = value()?.into(),
                "--steps" => options.steps = number(&value()?)?,
                "--seed" => options.seed = number(&value()?)?,
                "--resume" => options.resume = true,
                other => return Err(format!("`{other}` is not an option\n{USAGE}")),
            }
        }
        Ok(options)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number\n{USAGE}"))
}

fn main() -> std::process::ExitCode {
    let done = Options::read().and_then(|options| train(&options).map_err(|error| error.to_string()));
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn train(options: &Options) -> Result<()> {
    let chosen = device::choose(None)?;
    println!("training on {}", chosen.name);
    let earlier = if options.resume { Trainer::resume(&options.checkpoints, &chosen)? } else { None };
    let mut trainer = match earlier {
        Some(trainer) => trainer,
        None => Trainer::new(&recipe::config(), recipe::settings(options.seed, options.steps), &chosen)?,
    };
    let (seconds, logs) = run(&mut trainer, options)?;
    write_log(&options.out, &logs)?;
    let last = &logs[logs.len().saturating_sub(100)..];
    let train_loss = last.iter().map(|log| log.loss).sum::<f64>() / last.len().max(1) as f64;
    let run = Run { settings: *trainer.settings(), text_seed: options.seed, steps: trainer.steps_done(), seconds, train_loss };
    publish(&trainer.model(), &run, &options.out)
}

/// Trains to the end, with a bar, a line every hundred steps and checkpoints. Gives wall time in seconds and the log.
fn run(trainer: &mut Trainer, options: &Options) -> Result<(f64, Vec<StepLog>)> {
    let bar = bar(options.steps, trainer.steps_done());
    let (start, mut logs, mut recent) = (Instant::now(), Vec::new(), VecDeque::new());
    let seed = options.seed;
    trainer.run(options.steps, |step| recipe::batch(seed, step), |trainer, log| {
        logs.push(*log);
        recent.push_back(log.loss);
        if recent.len() > 100 {
            recent.pop_front();
        }
        let mean = recent.iter().sum::<f64>() / recent.len() as f64;
        bar.set_message(format!("loss {mean:.4}"));
        bar.inc(1);
        if (log.step + 1) % 100 == 0 {
            let ms = start.elapsed().as_millis() as f64 / logs.len() as f64;
            bar.suspend(|| println!("step {} loss {mean:.4} grad {:.2} {ms:.0} ms/step", log.step + 1, log.grad_norm));
        }
        if (log.step + 1) % SAVE_EVERY == 0 {
            trainer.save(&options.checkpoints)?;
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok((start.elapsed().as_secs_f64(), logs))
}

fn bar(steps: u64, done: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {msg}, {eta} left").expect("BUG: a constant template");
    ProgressBar::new(steps).with_style(style).with_position(done)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// `training_log.csv`: the mean of every ten steps, so that the file stays small.
fn write_log(out: &Path, logs: &[StepLog]) -> Result<()> {
    std::fs::create_dir_all(out).map_err(|source| Error::Write { path: out.to_owned(), source })?;
    let mut csv = String::from("step,loss,learning_rate,grad_norm\n");
    for ten in logs.chunks(10) {
        let mean = |of: fn(&StepLog) -> f64| ten.iter().map(of).sum::<f64>() / ten.len() as f64;
        csv += &format!("{},{:.5},{:.6},{:.4}\n", ten[0].step, mean(|log| log.loss), mean(|log| log.lr), mean(|log| log.grad_norm));
    }
    write(&out.join("training_log.csv"), &csv)
}

/// Writes model, tokenizer and facts, and prints the facts.
fn publish(model: &HookedTransformer, run: &Run, out: &Path) -> Result<()> {
    let chosen = device::choose(None)?;
    let model = HookedTransformer::new(model.net().clone(), "embedded", Some(recipe::tokenizer()?), &chosen);
    checkpoint::save_own(&model, out)?;
    let config = serde_json::to_string_pretty(&vocab::tokenizer_config()).expect("BUG: plain JSON");
    write(&out.join("tokenizer_config.json"), &config)?;
    let path = out.join("model.safetensors");
    let weights = std::fs::read(&path).map_err(|source| Error::Read { path, source })?;
    let facts = Facts::measure(&model, run, &weights, ROWS)?;
    let json = serde_json::to_string_pretty(&facts).expect("BUG: facts are plain data");
    write(&out.join("facts.json"), &(json + "\n"))?;
    print(&facts);
    Ok(())
}

fn print(facts: &Facts) {
    println!("{} parameters, {} steps in {:.0} s; loss: last hundred steps {:.4}, held-out text {:.4}", facts.parameters, facts.steps, facts.seconds, facts.train_loss, facts.held_out_loss);
    println!("\n{:<36} {:>9} {:>8} {:>9}", "task", "accuracy", "loss", "prob diff");
    let tasks = &facts.tasks;
    row("induction", &tasks.induction);
    row("names: both held out", &tasks.name_mover);
    row("names: held-out names", &tasks.name_mover_names);
    row("names: held-out templates", &tasks.name_mover_templates);
    row("greater-than: held-out years", &tasks.greater_than);
    println!("\n{:<6} {:>9} {:>9} {:>9} {:>7} {:>7} {:>7}   (logit difference {:.2})", "head", "induction", "previous", "duplicate", "to IO", "to S", "drop", facts.logit_diff);
    for (head, name) in facts.heads.iter().zip(&facts.names) {
        println!(
            "{:<6} {:>9.3} {:>9.3} {:>9.3} {:>7.3} {:>7.3} {:>7.2}",
            format!("{}.{}", head.layer, head.head),
            head.induction,
            head.previous_token,
            head.duplicate_token,
            name.to_indirect_object,
            name.to_subject,
            name.drop
        );
    }
}

fn row(task: &str, score: &Score) {
    println!("{task:<36} {:>9.4} {:>8.4} {:>9.4}", score.accuracy, score.loss, score.prob_diff);
}
