//! The batches of a pass, a shelf at a time.

use arrakis_models::{Bos, HookedTransformer, Tokens};

use crate::corpus::batch::Batch;
use crate::corpus::documents::{Content, Stream};
use crate::corpus::report::PassReport;
use crate::corpus::settings::Settings;
use crate::corpus::shelf::{Row, Shelf};
use crate::corpus::window::Window;
use crate::error::Result;

/// What is still to be run of a corpus.
pub(crate) struct Feed<'a> {
    pub(super) model: &'a HookedTransformer,
    pub(super) settings: Settings,
    pub(super) bos: Bos,
    pub(super) stream: Stream<'a>,
}

/// Windows that run together, and the sites to look at.
pub(crate) struct Ready<'a> {
    model: &'a HookedTransformer,
    row: Row,
}

impl<'a> Feed<'a> {
    /// Bytes of the corpus that have been read, and all of them.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.stream.done(), self.stream.total)
    }

    /// The batches of the next shelf; `None` at the end of the corpus or after the limit. Documents are counted in the
    /// report, and tokens as their batches run.
    pub(crate) fn shelf(&mut self, report: &mut PassReport) -> Result<Option<Vec<Ready<'a>>>> {
        let Some(shelf) = self.fill(report)? else { return Ok(None) };
        let (model, rows) = (self.model, shelf.batches(self.settings.batch_tokens)?);
        Ok(Some(rows.into_iter().map(|row| Ready { model, row }).collect()))
    }

    fn fill(&mut self, report: &mut PassReport) -> Result<Option<Shelf>> {
        let (mut shelf, mut counted) = (Shelf::default(), report.tokens);
        while shelf.tokens < self.settings.shelf() {
            if self.settings.limit.is_some_and(|limit| counted >= limit) {
                break;
            }
            let Some(document) = self.stream.next()? else {
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
}

impl Ready<'_> {
    /// The rows as they run, with padding on the right.
    pub(crate) fn tokens(&self) -> &Tokens {
        &self.row.tokens
    }

    /// How many tokens are counted.
    pub(crate) fn counted(&self) -> usize {
        self.row.windows.iter().map(|window| window.ids.len() - window.context).sum()
    }

    /// Which slots are counted, `[batch · pos]`.
    pub(crate) fn mask(&self) -> Vec<bool> {
        let pos = self.row.tokens.pos();
        let row = |window: &Window| {
            let (context, length) = (window.context, window.ids.len());
            (0..pos).map(move |slot| (context..length).contains(&slot)).collect::<Vec<_>>()
        };
        self.row.windows.iter().flat_map(row).collect()
    }

    /// Runs the batch, counts it in the report, and shows it.
    pub(crate) fn run<R>(
        &self,
        sites: &[String],
        report: &mut PassReport,
        body: impl FnOnce(&Batch<'_>) -> Result<R>,
    ) -> Result<R> {
        let Row { tokens, windows } = &self.row;
        let cache = self.model.capture(tokens, sites.iter().map(String::as_str))?;
        let found = body(&Batch::new(self.model, tokens, windows, &cache))?;
        self.count(report);
        Ok(found)
    }

    /// Counts the batch as run.
    pub(crate) fn count(&self, report: &mut PassReport) {
        let run: usize = self.row.windows.iter().map(|window| window.ids.len()).sum();
        report.windows += self.row.windows.len();
        report.tokens += self.counted();
        report.context += run - self.counted();
        report.padding += self.row.tokens.batch() * self.row.tokens.pos() - run;
        report.forwards += 1;
    }
}
