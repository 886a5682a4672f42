//! A pass: the corpus cut into windows, run in batches, and shown to reducers.

mod dealt;
mod feed;
mod saved;

use std::path::{Path, PathBuf};

use arrakis_models::ground::shard::Shard;
use arrakis_models::{Bos, HookedTransformer, Plan, Tokens, progress};

use super::documents::Stream;
use super::reducer::Reducer;
use super::report::PassReport;
use super::settings::{Settings, refuse};
use super::source::Corpus;
use crate::error::Result;
use saved::Saved;

pub(crate) use feed::{Feed, Ready};

/// A pass of a model over a corpus.
///
/// - Documents are tokenised whole and cut into windows of [`Pass::window`] tokens.
/// - Windows run in batches of like length. No reducer sees padding, and the size of the batches changes results by
///   rounding at most.
/// - A forward stops after the deepest block that a reducer needs.
/// - With [`Pass::resumable`] a pass that was stopped goes on where it was, and ends with the same bits as one that was
///   not.
#[derive(Clone, Debug)]
pub struct Pass<'a> {
    model: &'a HookedTransformer,
    corpus: &'a Corpus,
    settings: Settings,
    bos: Bos,
    saved: Option<(PathBuf, usize)>,
    quiet: bool,
}

impl<'a> Pass<'a> {
    /// A pass with windows of the model's longest context, batches of 4096 tokens, and the tokenizer's own BOS.
    pub fn new(model: &'a HookedTransformer, corpus: &'a Corpus) -> Self {
        Self { model, corpus, settings: Settings::new(model), bos: Bos::default(), saved: None, quiet: false }
    }

    /// Cuts documents into windows of at most this many tokens.
    #[must_use]
    pub fn window(mut self, tokens: usize) -> Self {
        self.settings.cut.length = tokens;
        self
    }

    /// Repeats this many tokens at the start of each further window of a document, as context that is not counted. The
    /// default is 0.
    #[must_use]
    pub fn overlap(mut self, tokens: usize) -> Self {
        self.settings.cut.overlap = tokens;
        self
    }

    /// Leaves the first tokens of every window out of all results. Many models use the first position as an attention
    /// sink with a huge residual norm, so `1` is common. The default is 0.
    #[must_use]
    pub fn skip_first(mut self, tokens: usize) -> Self {
        self.settings.cut.skip_first = tokens;
        self
    }

    /// Runs at most this many tokens in one forward, padding included, but at least one window.
    #[must_use]
    pub fn batch_tokens(mut self, tokens: usize) -> Self {
        self.settings.batch_tokens = tokens;
        self
    }

    /// Stops after the document with which this many tokens are counted.
    #[must_use]
    pub fn limit(mut self, tokens: usize) -> Self {
        self.settings.limit = Some(tokens);
        self
    }

    /// Whether a document starts with a BOS.
    #[must_use]
    pub fn bos(mut self, bos: Bos) -> Self {
        (self.bos, self.settings.bos) = (bos, format!("{bos:?}"));
        self
    }

    /// Saves the pass in a file about every `tokens` counted tokens, and goes on from that file if it is there. The file
    /// stays, so a finished pass gives its results again without a forward.
    #[must_use]
    pub fn resumable(mut self, file: impl AsRef<Path>, tokens: usize) -> Self {
        self.saved = Some((file.as_ref().to_owned(), tokens));
        self
    }

    /// Shows no progress bar.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The most bytes that a batch holds while it runs, estimated from its largest tensors: captures, working tensors,
    /// and token ids of the shelf. The longest document and the reducers come on top.
    ///
    /// # Errors
    ///
    /// A site that the model does not have, and settings that count nothing.
    pub fn bytes(&self, reducers: &[&dyn Reducer]) -> Result<u64> {
        self.settings.check(self.model)?;
        let length = self.settings.cut.length;
        let rows = (self.settings.batch_tokens / length).max(1);
        let tokens = Tokens::new(vec![vec![0; length]; rows])?;
        let plan = reducers.iter().flat_map(|reducer| reducer.sites()).fold(Plan::new(), Plan::capture);
        let cost = self.model.cost(&tokens, &plan)?;
        Ok(2 * cost.bytes() + cost.working + 8 * self.settings.shelf() as u64)
    }

    /// Reads the corpus once and shows every batch to each reducer. In a shard of a job it shows its own batches, and a merged run
    /// joins what all shards gathered.
    ///
    /// # Errors
    ///
    /// - a site that the model does not have, before anything is read
    /// - settings that count nothing, and no reducer
    /// - what the corpus contains: a missing file, a line that is not valid, a token the model does not have
    /// - an empty corpus, or one of which nothing is counted
    /// - a saved state of another corpus, model, device, settings or reducers
    /// - a reducer's own error
    /// - in a shard [`arrakis_models::Error::Part`] when its batches are done
    pub fn run(&self, reducers: &mut [&mut dyn Reducer]) -> Result<PassReport> {
        self.settings.check(self.model)?;
        let sites = self.sites(reducers)?;
        match self.step(reducers)? {
            None => self.run_batches(None, &sites, reducers),
            Some(step) => self.run_dealt(&sites, step, reducers),
        }
    }

    /// Shows the batches of a shard to each reducer. The others are counted as if they had run, so that the report is that of
    /// one machine.
    fn run_batches(
        &self,
        shard: Option<Shard>,
        sites: &[String],
        reducers: &mut [&mut dyn Reducer],
    ) -> Result<PassReport> {
        let file = self.saved.as_ref().map(|(path, every)| (saved::file(path, shard), *every));
        let mut saved = match &file {
            Some((path, _)) => Saved::resumed(path, self.model, self.corpus, &self.settings, reducers)?,
            None => Saved::default(),
        };
        if saved.done {
            return Ok(saved.report);
        }
        let mut feed = self.feed(saved.report.documents)?;
        let total = feed.bytes().1 as usize / 1000;
        let bar = if self.quiet { progress::hidden() } else { progress::bar("corpus", "kB", total) };
        let mut unsaved = 0;
        while let Some(shelf) = feed.shelf(&mut saved.report)? {
            let before = saved.report.tokens;
            for ready in shelf {
                if shard.is_some_and(|shard| !shard.has(saved.report.forwards)) {
                    ready.count(&mut saved.report);
                    continue;
                }
                ready.run(sites, &mut saved.report, |batch| {
                    reducers.iter_mut().try_for_each(|reducer| reducer.update(batch))
                })?;
                bar.set_position(feed.bytes().0 / 1000);
            }
            unsaved += saved.report.tokens - before;
            if let Some((path, _)) = file.as_ref().filter(|(_, every)| unsaved >= *every) {
                saved.write(path, reducers)?;
                unsaved = 0;
            }
        }
        bar.finish_and_clear();
        counted(&saved.report)?;
        saved.done = true;
        if let Some((path, _)) = &file {
            saved.write(path, reducers)?;
        }
        Ok(saved.report)
    }

    /// The same pass with another model, such as this one with something spliced in.
    pub(crate) fn of<'b>(&self, model: &'b HookedTransformer) -> Pass<'b>
    where
        'a: 'b,
    {
        let Self { corpus, settings, bos, saved, quiet, .. } = self.clone();
        Pass { model, corpus, settings, bos, saved, quiet }
    }

    /// The batches of the documents after the first `skipped`.
    pub(crate) fn feed(&self, skipped: usize) -> Result<Feed<'a>> {
        self.settings.check(self.model)?;
        let stream = Stream::after(self.corpus, skipped)?;
        Ok(Feed { model: self.model, settings: self.settings.clone(), bos: self.bos, stream })
    }

    /// The model that runs.
    pub(crate) fn model(&self) -> &'a HookedTransformer {
        self.model
    }

    /// Everything that decides which batches there are and what is in them. Reads the whole corpus once.
    pub(crate) fn key(&self) -> Result<String> {
        Ok(format!("{} {} {}", self.model.fingerprint()?, self.model.device_name(), self.text_key()?))
    }

    /// Everything that decides which tokens there are in which order, but for the tokenizer. Reads the whole corpus once.
    pub(crate) fn text_key(&self) -> Result<String> {
        Ok(format!("{} {:?}", self.corpus.fingerprint()?, self.settings))
    }

    fn sites(&self, reducers: &[&mut dyn Reducer]) -> Result<Vec<String>> {
        if reducers.is_empty() {
            return Err(refuse("no reducer is given, so nothing would be kept".into()));
        }
        let mut sites: Vec<String> = reducers.iter().flat_map(|reducer| reducer.sites()).collect();
        sites.sort();
        sites.dedup();
        sites.iter().cloned().fold(Plan::new(), Plan::capture).check(&self.model.sites())?;
        Ok(sites)
    }
}

/// Checks that a finished pass counted something.
fn counted(report: &PassReport) -> Result<()> {
    match report {
        PassReport { documents: 0, .. } => Err(refuse("the corpus is empty: it has no documents".into())),
        PassReport { tokens: 0, blank, too_short, documents, .. } => Err(refuse(format!(
            "no token is counted: of {documents} documents {blank} are blank and {too_short} too short for `skip_first`"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
