//! When do induction heads form, and what do they bring? (Olsson et al., "In-context Learning and Induction Heads",
//! 2022, arXiv 2209.11895; Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021.)
//!
//! `cargo run --bin induction` trains attention-only models of one and of two layers on documents in which passages
//! recur, for two minutes; `-- --long` trains them for twice as many steps. A run that was stopped goes on from its
//! last checkpoint. The published numbers are those of language models, so the verdicts ask for the same effects.
//!
//! The change is the stretch in which the best head goes from a tenth to half of what it gains over heads of one layer.
//! In-context learning is averaged before it and after it. With seeds 0 to 3 all verdicts are yes after 2000 steps and after
//! 3000: 0.07 to 0.08 nats before the change, 0.40 to 0.49 after it. Afterwards it creeps on, to 0.61 nats after 4000 steps
//! with seed 3, where the average after the change is 0.52.

mod measure;
mod text;
mod train;

use std::path::PathBuf;

use arrakis::plot::{Heatmap, Line, Series};
use arrakis::prelude::*;
use arrakis_examples::{Expect, Golden, run_folder};
use clap::Parser;
use measure::Measured;
use train::Plan;

#[derive(Parser)]
struct Options {
    /// Twice as many steps.
    #[arg(long)]
    long: bool,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Steps of training, instead of the setting's own number.
    #[arg(long)]
    steps: Option<u64>,
    /// The folder of checkpoints and figure. The default is `experiments/induction`, or `.._long`.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The measurements of the two models.
struct Found {
    one: Vec<Measured>,
    two: Vec<Measured>,
    /// K-composition of random heads: mean and standard deviation.
    random: [f64; 2],
}

impl Found {
    fn last(&self) -> &Measured {
        self.two.last().expect("BUG: a run is measured at its end")
    }

    /// The head of layer 0 that attends most to the previous token, and the head of layer 1 that matches prefixes best,
    /// both at the end.
    fn heads(&self) -> (usize, usize) {
        (Measured::best(&self.last().previous, 0).0, Measured::best(&self.last().prefix, 1).0)
    }

    /// How far the best head has come, from 0 for the heads of one layer to 1 for its final prefix matching.
    fn progress(&self, of: &Measured) -> f64 {
        let none = self.one.iter().map(Measured::best_prefix).fold(f64::NAN, f64::max);
        (of.best_prefix() - none) / (self.last().best_prefix() - none)
    }

    /// The measurements of two layers before the change and after it: the change is from a tenth to half of the progress.
    fn around(&self) -> (&[Measured], &[Measured]) {
        let count = |most: f64| self.two.iter().take_while(|of| self.progress(of) < most).count();
        let end = count(0.5).min(self.two.len() - 1);
        (&self.two[..count(0.1).clamp(1, end.max(1))], &self.two[end..])
    }

    fn golden(&self) -> Golden {
        let (last, one) = (self.last(), self.one.last().expect("BUG: a run is measured at its end"));
        let (before, after) = self.around();
        let in_context = |of: &[Measured]| measure::mean(of.iter().map(|of| of.in_context));
        let (low, high) = (in_context(before), in_context(after));
        let (begins, ends) = (before[before.len() - 1].step as f64, after[0].step as f64);
        let (writer, reader) = self.heads();
        let composed = |writer: usize| last.composition[writer][reader];
        let above = (0..last.composition.len()).filter(|other| composed(*other) > composed(writer)).count();
        Golden::new(format!("Induction heads through training, {} steps, change from {begins} to {ends}", last.step))
            .row("in-context learning before the change, nats", "below 0.15", low, Expect::AtMost(0.15))
            .row("  after it", "about 0.4", high, Expect::Near(0.4, 0.15))
            .row("  at the end, above that average", "0, it stays", last.in_context - high, Expect::Near(0.0, 0.15))
            .row("  at the end, one layer", "little", one.in_context, Expect::AtMost(0.15))
            .row(
                "  share of it that the change brings",
                "most",
                (after[0].in_context - low) / (last.in_context - low),
                Expect::AtLeast(0.5),
            )
            .row("tokens seen when it ends ÷ when it begins", "2", ends / begins, Expect::Between(1.0, 2.0))
            .row("prefix matching of the best head", "above 0.4", last.best_prefix(), Expect::AtLeast(0.4))
            .row("  one layer", "none", one.best_prefix(), Expect::AtMost(0.1))
            .row(
                "loss on repeated passages ÷ that of one layer",
                "below 1",
                last.repeated / one.repeated,
                Expect::AtMost(0.8),
            )
            .row(
                "K-composition of previous-token and induction head, sd above random",
                "far above",
                (composed(writer) - self.random[0]) / self.random[1],
                Expect::AtLeast(5.0),
            )
            .row("  heads of layer 0 with more", "0", above as f64, Expect::Near(0.0, 0.0))
    }

    fn figure(&self) -> Figure {
        let (writer, reader) = self.heads();
        let line = |name: &str, of: &[Measured], value: &dyn Fn(&Measured) -> f64| {
            Series::new(name, of.iter().map(|of| of.step as f64), of.iter().map(value))
        };
        let losses = Line::new("step", "loss, nats")
            .series(line("repeated, two layers", &self.two, &|of| of.repeated))
            .series(line("repeated, one layer", &self.one, &|of| of.repeated))
            .series(line("new, two layers", &self.two, &|of| of.new))
            .titled("tokens of repeated passages, and new ones");
        let in_context = Line::new("step", "loss at a tenth − loss at the end, nats")
            .series(line("two layers", &self.two, &|of| of.in_context))
            .series(line("one layer", &self.one, &|of| of.in_context))
            .titled("in-context learning");
        let heads = 0..self.last().prefix[0].len();
        let prefix = heads.clone().fold(Line::new("step", "prefix matching"), |panel, head| {
            panel.series(line(&format!("L1H{head}"), &self.two, &|of| of.prefix[1][head]))
        });
        let prefix = prefix.series(line("one layer, best", &self.one, &Measured::best_prefix));
        let previous = heads.fold(Line::new("step", "attention to the previous token"), |panel, head| {
            panel.series(line(&format!("L0H{head}"), &self.two, &|of| of.previous[0][head]))
        });
        let composed = Line::new("step", "K-composition")
            .series(line(&format!("L0H{writer} → L1H{reader}"), &self.two, &|of| of.composition[writer][reader]))
            .series(line("random heads", &self.two, &|_| self.random[0]))
            .titled("previous-token head → induction head");
        let map = Heatmap::new(self.last().composition.clone())
            .rows("writer", (0..).map(|head| format!("L0H{head}")).take(self.last().composition.len()))
            .columns("reader", (0..).map(|head| format!("L1H{head}")).take(self.last().composition[0].len()))
            .units("K-composition")
            .titled("at the end");
        Figure::new("Induction heads through training")
            .columns(2)
            .with(losses)
            .with(in_context)
            .with(prefix.titled("induction heads"))
            .with(previous.titled("previous-token heads"))
            .with(composed)
            .with(map)
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let out = run_folder("induction", options.long, options.out.as_deref());
    let (steps, every) = (if options.long { 4000 } else { 2000 }, 50);
    let steps = options.steps.unwrap_or(steps);
    let train = |n_layers| Plan { n_layers, steps, every, seed: options.seed }.train(&out);
    let ((_, one), (model, two)) = (train(1)?, train(2)?);
    let random = Composer::new(&model)?.random_baseline(200, options.seed)?;
    let found = Found { one, two, random: [random.mean, random.sd] };
    let files = found.figure().save(&out, "induction")?;
    println!("{}{}", found.golden(), files[0].display());
    Ok(())
}
