//! When do induction heads form, and what do they bring? (Olsson et al., "In-context Learning and Induction Heads",
//! 2022, arXiv 2209.11895; Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021.)
//!
//! `cargo run --bin induction` trains attention-only models of one and of two layers on documents in which passages
//! recur, for two minutes; `-- --long` trains them for four times as many steps. A run that was stopped goes on from its
//! last checkpoint. The published numbers are those of language models, so the verdicts ask for the same effects.
//!
//! In-context learning of language models stays at about 0.4 nats after the change. Here it goes on rising slowly (0.59
//! nats after 3000 steps), so two verdicts of a longer run are NO: the amount at the end, and the share of training in
//! which prefix matching rises. With `--seed 1` two are NO as well: 0.19 nats before the change, which takes a third of
//! training.

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
    /// Four times as many steps.
    #[arg(long)]
    long: bool,
    #[arg(long, default_value_t = 0)]
    seed: u64,
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

    /// The measurements of two layers around the change: the last one with less than a tenth, and the first one with
    /// more than four fifths of the final prefix matching.
    fn change(&self) -> (&Measured, &Measured) {
        let most = self.last().best_prefix();
        let before = self.two.iter().take_while(|of| of.best_prefix() < 0.1 * most).last();
        let after = self.two.iter().find(|of| of.best_prefix() > 0.8 * most);
        (before.unwrap_or(&self.two[0]), after.unwrap_or_else(|| self.last()))
    }

    fn golden(&self) -> Golden {
        let (last, one) = (self.last(), self.one.last().expect("BUG: a run is measured at its end"));
        let (before, after) = self.change();
        let (writer, reader) = self.heads();
        let composed = |writer: usize| last.composition[writer][reader];
        let (gained, in_all) = (after.in_context - before.in_context, last.in_context - self.two[0].in_context);
        let above = (0..last.composition.len()).filter(|other| composed(*other) > composed(writer)).count();
        Golden::new(format!("Induction heads through training, {} steps", last.step))
            .row("in-context learning before the change, nats", "below 0.15", before.in_context, Expect::AtMost(0.15))
            .row("  at the end", "about 0.4", last.in_context, Expect::Near(0.4, 0.15))
            .row("  at the end, one layer", "little", one.in_context, Expect::AtMost(0.15))
            .row("  share of it that the change brings", "most", gained / in_all, Expect::AtLeast(0.5))
            .row(
                "the change, share of training",
                "a narrow window",
                (after.step - before.step) as f64 / last.step as f64,
                Expect::AtMost(0.25),
            )
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
    let (steps, every) = if options.long { (8000, 100) } else { (2000, 50) };
    let train = |n_layers| Plan { n_layers, steps, every, seed: options.seed }.train(&out);
    let ((_, one), (model, two)) = (train(1)?, train(2)?);
    let random = Composer::new(&model)?.random_baseline(200, options.seed)?;
    let found = Found { one, two, random: [random.mean, random.sd] };
    let files = found.figure().save(&out, "induction")?;
    println!("{}{}", found.golden(), files[0].display());
    Ok(())
}
