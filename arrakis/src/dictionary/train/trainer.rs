//! Dictionaries trained together on one source.

use std::path::{Path, PathBuf};

use arrakis_models::progress;

use super::checkpoint;
use super::learner::{Learner, Trained};
use super::progress::Progress;
use super::settings::refuse;
use super::source::Source;
use crate::error::Result;

/// A training: dictionaries that learn from the same batches.
///
/// ```
/// use arrakis::dictionary::train::{Learner, Trainer, Training};
/// use arrakis::dictionary::{Planted, metrics};
/// use arrakis::models::device;
/// use arrakis::models::dictionary::architectures::{TopK, Standard};
/// use arrakis::models::dictionary::{Dictionary, DictionaryConfig, Init};
///
/// # fn main() -> arrakis::Result<()> {
/// let device = device::cpu().device;
/// let planted = Planted::new(12, 8, 0);
/// let config = DictionaryConfig::autoencoder(8, 12, TopK { k: 2, ..TopK::default() });
/// let dictionary = Dictionary::new(config, &Init::default(), 0, &device)?;
/// let learner = Learner::new("topk", dictionary, &Training::steps(20).lr(0.01))?;
/// let trained = Trainer::new([learner]).quiet().run(&mut planted.stream(256, &device))?;
/// let found = metrics::mcc(trained[0].dictionary.w_dec.val(), planted.features(&device))?;
/// assert!(found > 0.0 && trained[0].history[0].l0 <= 2.0);
/// # Ok(())
/// # }
/// ```
pub struct Trainer {
    learners: Vec<Learner>,
    note_every: usize,
    checkpoint: Option<(PathBuf, usize)>,
    quiet: bool,
}

impl Trainer {
    /// Of some dictionaries. How each one does is noted every 100 steps.
    pub fn new(learners: impl IntoIterator<Item = Learner>) -> Self {
        Self { learners: learners.into_iter().collect(), note_every: 100, checkpoint: None, quiet: false }
    }

    /// Notes [`Progress`] every so many steps, the first and the last included.
    #[must_use]
    pub fn note_every(self, steps: usize) -> Self {
        Self { note_every: steps.max(1), ..self }
    }

    /// Saves the training in a file every so many steps, and goes on from that file if it is there, to the same bits: with
    /// parameters, moments, dead latents and the place in the data. The file stays.
    #[must_use]
    pub fn resumable(self, file: impl AsRef<Path>, steps: usize) -> Self {
        Self { checkpoint: Some((file.as_ref().to_owned(), steps.max(1))), ..self }
    }

    /// Shows no progress bar.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { quiet: true, ..self }
    }

    /// Trains until each dictionary has taken its steps, and gives them in order.
    ///
    /// # Errors
    ///
    /// No dictionary or two of one name, activations of another width, a loss that is not finite, a checkpoint of another
    /// training, and those of the source.
    pub fn run(self, source: &mut dyn Source) -> Result<Vec<Trained>> {
        self.run_while(source, |_, _| true)
    }

    /// The same, told of every note with the name of its dictionary. The training stops, and saves, when `go_on` says no.
    ///
    /// # Errors
    ///
    /// Those of [`Trainer::run`].
    pub fn run_while(
        mut self,
        source: &mut dyn Source,
        mut go_on: impl FnMut(&str, &Progress) -> bool,
    ) -> Result<Vec<Trained>> {
        self.check()?;
        if let Some((path, _)) = &self.checkpoint
            && let Some(place) = checkpoint::read(path, &mut self.learners)?
        {
            source.go_to(&place)?;
        }
        let steps = self.learners.iter().map(|learner| learner.training.steps).max().unwrap_or(0);
        let mut step = self.learners.iter().map(|learner| learner.state.step).max().unwrap_or(0);
        let bar = if self.quiet { progress::hidden() } else { progress::bar("dictionaries", "steps", steps) };
        let mut running = true;
        while running && step < steps {
            let batch = source.next()?;
            for learner in self.learners.iter_mut().filter(|learner| !learner.is_done()) {
                let note = step.is_multiple_of(self.note_every) || step + 1 == learner.training.steps;
                if let Some(progress) = learner.step(&batch, note)? {
                    bar.set_message(format!("{}: {progress}", learner.name));
                    running &= go_on(&learner.name, &progress);
                }
            }
            step += 1;
            bar.set_position(step as u64);
            let due = |every: &usize| step.is_multiple_of(*every) || step == steps || !running;
            if let Some((path, _)) = self.checkpoint.as_ref().filter(|(_, every)| due(every)) {
                checkpoint::write(path, &self.learners, source.place())?;
            }
        }
        bar.finish_and_clear();
        self.learners.into_iter().map(Learner::finish).collect()
    }

    fn check(&self) -> Result<()> {
        if self.learners.is_empty() {
            return Err(refuse("there is no dictionary to train; give at least one learner".into()));
        }
        let mut names: Vec<&str> = self.learners.iter().map(Learner::name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(refuse(format!("two dictionaries are called `{}`; give each its own name", pair[0]))),
            None => Ok(()),
        }
    }
}
