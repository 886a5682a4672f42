//! Trains and measures the model that ships with the crate.
//!
//! `cargo run -p arrakis-recipe --bin train-embedded -- --out models/weights [--steps N] [--seed S] [--resume]`

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrakis::models::files::write_whole;
use arrakis::models::{Error, HookedTransformer, device};
use arrakis_recipe::exam::Score;
use arrakis_recipe::facts::{Facts, Run};
use arrakis_recipe::text::vocab;
use arrakis_recipe::train::{StepLog, Trainer};
use arrakis_recipe::{Result, recipe};
use indicatif::{ProgressBar, ProgressStyle};

const USAGE: &str = "usage: train-embedded [--out FOLDER] [--checkpoints FOLDER] [--steps N] [--seed S] [--resume]";
/// Steps between checkpoints.
const SAVE_EVERY: u64 = 500;
/// Rows of each exam.
const ROWS: usize = 256;

/// The command line.
struct Options {
    out: PathBuf,
    checkpoints: PathBuf,
    steps: u64,
    seed: u64,
    resume: bool,
}

impl Options {
    fn read() -> Result<Self, String> {
        let mut options = Self {
            out: "models/weights".into(),
            checkpoints: "target/train-embedded".into(),
            steps: recipe::STEPS,
            seed: recipe::SEED,
            resume: false,
        };
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
    let mut log = Log::open(&options.out, trainer.steps_done())?;
    run(&mut trainer, options, &mut log)?;
    let run = Run {
        settings: *trainer.settings(),
        text_seed: options.seed,
        steps: trainer.steps_done(),
        seconds: log.seconds(),
        train_loss: log.recent(),
    };
    publish(&trainer.model(), &run, &options.out)
}

/// Trains to the end, with a progress bar, a line every hundred steps, and checkpoints.
fn run(trainer: &mut Trainer, options: &Options, log: &mut Log) -> Result<()> {
    let bar = bar(options.steps, trainer.steps_done());
    let seed = options.seed;
    let each = |trainer: &Trainer, step: &StepLog| {
        log.add(*step);
        bar.set_message(format!("loss {:.4}", log.recent()));
        bar.inc(1);
        if (step.step + 1).is_multiple_of(100) {
            bar.suspend(|| println!("step {} loss {:.4} after {:.0} s", step.step + 1, log.recent(), log.seconds()));
        }
        if (step.step + 1).is_multiple_of(SAVE_EVERY) {
            trainer.save(&options.checkpoints)?;
            log.write()?;
        }
        Ok(())
    };
    trainer.run(options.steps, |step| recipe::batch(seed, step), each)?;
    bar.finish_and_clear();
    log.write()
}

fn bar(steps: u64, done: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {msg}, {eta} left")
        .expect("BUG: a constant template");
    ProgressBar::new(steps).with_style(style).with_position(done)
}

/// `training_log.csv`: means over ten steps, so that the file stays small.
struct Log {
    path: PathBuf,
    /// Rows of the run that is resumed, including the header.
    earlier: String,
    /// The losses in its last rows, each the mean of ten steps.
    earlier_losses: VecDeque<f64>,
    /// Wall time of that run.
    earlier_seconds: f64,
    start: Instant,
    steps: Vec<(StepLog, f64)>,
}

impl Log {
    /// Keeps the rows about steps before `done` of an existing file in the folder.
    fn open(out: &Path, done: u64) -> Result<Self> {
        std::fs::create_dir_all(out).map_err(|source| Error::Write { path: out.to_owned(), source })?;
        let path = out.join("training_log.csv");
        let mut log = Self {
            earlier: "step,loss,learning_rate,grad_norm,seconds\n".into(),
            earlier_losses: VecDeque::new(),
            earlier_seconds: 0.0,
            start: Instant::now(),
            steps: Vec::new(),
            path,
        };
        let old = std::fs::read_to_string(&log.path).unwrap_or_default();
        for row in old.lines().skip(1) {
            let mut cells = row.split(',');
            let step = cells.next().and_then(|cell| cell.parse::<u64>().ok());
            if step.is_some_and(|step| step < done) {
                log.earlier_losses.extend(cells.next().and_then(|cell| cell.parse::<f64>().ok()));
                log.earlier_losses.drain(..log.earlier_losses.len().saturating_sub(10));
                log.earlier_seconds =
                    cells.next_back().and_then(|cell| cell.parse().ok()).unwrap_or(log.earlier_seconds);
                log.earlier.extend([row, "\n"]);
            }
        }
        Ok(log)
    }

    fn add(&mut self, step: StepLog) {
        self.steps.push((step, self.seconds()));
    }

    /// Wall time of the whole training so far, in seconds.
    fn seconds(&self) -> f64 {
        self.earlier_seconds + self.start.elapsed().as_secs_f64()
    }

    /// Mean loss of the last hundred steps, in nats.
    fn recent(&self) -> f64 {
        let losses: Vec<f64> = self
            .earlier_losses
            .iter()
            .flat_map(|loss| [*loss; 10])
            .chain(self.steps.iter().map(|(step, _)| step.loss))
            .collect();
        let last = &losses[losses.len().saturating_sub(100)..];
        last.iter().sum::<f64>() / last.len().max(1) as f64
    }

    fn write(&self) -> Result<()> {
        let mut csv = self.earlier.clone();
        for ten in self.steps.chunks(10) {
            let mean = |of: fn(&StepLog) -> f64| ten.iter().map(|(step, _)| of(step)).sum::<f64>() / ten.len() as f64;
            let (first, seconds) = (ten[0].0.step, ten[ten.len() - 1].1);
            let (loss, lr, norm) = (mean(|step| step.loss), mean(|step| step.lr), mean(|step| step.grad_norm));
            writeln!(csv, "{first},{loss:.5},{lr:.6},{norm:.4},{seconds:.1}").expect("BUG: writing to a string");
        }
        Ok(write_whole(&self.path, csv)?)
    }
}

/// Writes the model, the tokenizer and the facts, and prints the facts.
fn publish(model: &HookedTransformer, run: &Run, out: &Path) -> Result<()> {
    let chosen = device::choose(None)?;
    let model = HookedTransformer::new(model.net().clone(), "embedded", Some(recipe::tokenizer()?), &chosen);
    model.save_own(out)?;
    let config = serde_json::to_string_pretty(&vocab::tokenizer_config()).expect("BUG: plain JSON");
    write_whole(&out.join("tokenizer_config.json"), config)?;
    let path = out.join("model.safetensors");
    let weights = std::fs::read(&path).map_err(|source| Error::Read { path, source })?;
    let facts = Facts::measure(&model, run, &weights, ROWS)?;
    let json = serde_json::to_string_pretty(&facts).expect("BUG: facts are plain data");
    write_whole(&out.join("facts.json"), json + "\n")?;
    print(&facts);
    Ok(())
}

fn print(facts: &Facts) {
    println!(
        "{} parameters, {} steps in {:.0} s; loss: last hundred steps {:.4}, held-out text {:.4}",
        facts.parameters, facts.steps, facts.seconds, facts.train_loss, facts.held_out_loss
    );
    println!("\n{:<36} {:>9} {:>8} {:>9}", "task", "accuracy", "loss", "prob diff");
    let tasks = &facts.tasks;
    row("induction", &tasks.induction);
    row("names: both held out", &tasks.name_mover);
    row("names: held-out names", &tasks.name_mover_names);
    row("names: held-out templates", &tasks.name_mover_templates);
    row("greater-than: held-out years", &tasks.greater_than);
    println!(
        "\n{:<6} {:>9} {:>9} {:>9} {:>7} {:>7} {:>7}   (logit difference {:.2})",
        "head", "induction", "previous", "duplicate", "to IO", "to S", "drop", facts.logit_diff
    );
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
