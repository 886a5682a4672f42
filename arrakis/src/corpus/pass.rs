//! A pass: the corpus cut into windows, run in batches, and shown to reducers.

mod saved;

use std::path::{Path, PathBuf};

use arrakis_models::{Bos, HookedTransformer, Plan, Tokens, progress};

use super::batch::Batch;
use super::documents::{Content, Stream};
use super::reducer::Reducer;
use super::report::PassReport;
use super::settings::{Settings, refuse};
use super::shelf::{Row, Shelf};
use super::source::Corpus;
use crate::error::Result;
use saved::Saved;

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

    /// Reads the corpus once and shows every batch to each reducer.
    ///
    /// # Errors
    ///
    /// - a site that the model does not have, before anything is read
    /// - settings that count nothing, and no reducer
    /// - what the corpus contains: a missing file, a line that is not valid, a token the model does not have
    /// - an empty corpus, or one of which nothing is counted
    /// - a saved state of another corpus, model, device, settings or reducers
    /// - a reducer's own error
    pub fn run(&self, reducers: &mut [&mut dyn Reducer]) -> Result<PassReport> {
        self.settings.check(self.model)?;
        let sites = self.sites(reducers)?;
        let mut saved = match &self.saved {
            Some((path, _)) => Saved::resumed(path, self.model, self.corpus, &self.settings, reducers)?,
            None => Saved::default(),
        };
        if saved.done {
            return Ok(saved.report);
        }
        let mut stream = Stream::after(self.corpus, saved.report.documents)?;
        let bar =
            if self.quiet { progress::hidden() } else { progress::bar("corpus", "kB", stream.total as usize / 1000) };
        let mut unsaved = 0;
        while let Some(shelf) = self.fill(&mut stream, &mut saved.report)? {
            let before = saved.report.tokens;
            for row in shelf.batches(self.settings.batch_tokens)? {
                self.batch(&row, &sites, reducers, &mut saved.report)?;
                bar.set_position(stream.done() / 1000);
            }
            unsaved += saved.report.tokens - before;
            if let Some((path, _)) = self.saved.as_ref().filter(|(_, every)| unsaved >= *every) {
                saved.write(path, reducers)?;
                unsaved = 0;
            }
        }
        bar.finish_and_clear();
        counted(&saved.report)?;
        saved.done = true;
        if let Some((path, _)) = &self.saved {
            saved.write(path, reducers)?;
        }
        Ok(saved.report)
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

    /// The next shelf; `None` at the end of the corpus or after the limit.
    fn fill(&self, stream: &mut Stream<'_>, report: &mut PassReport) -> Result<Option<Shelf>> {
        let (mut shelf, mut counted) = (Shelf::default(), report.tokens);
        while shelf.tokens < self.settings.shelf() {
            if self.settings.limit.is_some_and(|limit| counted >= limit) {
                break;
            }
            let Some(document) = stream.next()? else {
                report.whole = true;
                break;
            };
            let index = report.documents;
            report.documents += 1;
            let ids = self.ids(document)?;
            let windows = self.settings.cut.windows(index, &ids);
            report.blank += usize::from(ids.is_empty());
            report.too_short += usize::from(!ids.is_empty() && windows.is_empty());
            counted += windows.iter().map(|window| window.ids.len() - window.context).sum::<usize>();
            shelf.add(windows);
        }
        Ok((!shelf.is_empty()).then_some(shelf))
    }

    fn ids(&self, document: Content) -> Result<Vec<u32>> {
        match document {
            Content::Tokens(ids) => Ok(ids),
            Content::Text(text) if text.trim().is_empty() => Ok(Vec::new()),
            Content::Text(text) => Ok(self.model.tokenizer()?.encode(&text, self.bos)?),
        }
    }

    fn batch(
        &self,
        row: &Row,
        sites: &[String],
        reducers: &mut [&mut dyn Reducer],
        report: &mut PassReport,
    ) -> Result<()> {
        let cache = self.model.capture(&row.tokens, sites.iter().map(String::as_str))?;
        let batch = Batch::new(self.model, &row.tokens, &row.windows, &cache);
        reducers.iter_mut().try_for_each(|reducer| reducer.update(&batch))?;
        let run: usize = row.windows.iter().map(|window| window.ids.len()).sum();
        report.windows += row.windows.len();
        report.tokens += batch.counted().len();
        report.context += run - batch.counted().len();
        report.padding += row.tokens.batch() * row.tokens.pos() - run;
        report.forwards += 1;
        Ok(())
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
