//! The stream itself.

use std::collections::VecDeque;

use arrakis_models::device;
use burn::tensor::Tensor;

use super::chunk::{Chunk, batches};
use super::disk::Disk;
use super::place::{FeedPlace, StreamPlace};
use super::{Activations, refuse};
use crate::corpus::{Batch, Feed, PassReport, Ready};
use crate::error::Result;

/// Shuffled activations without end.
pub struct ActivationStream<'a> {
    of: Activations<'a>,
    capacity: usize,
    disk: Option<Disk>,
    /// Where the model goes on; absent while chunks come from the disk.
    source: Option<Source<'a>>,
    chunk: Chunk,
    order: Vec<Vec<i64>>,
    place: StreamPlace,
}

impl<'a> Activations<'a> {
    /// The stream from the start of the corpus.
    ///
    /// # Errors
    ///
    /// Those of [`Activations::widths`] and of [`Pass::run`](crate::corpus::Pass::run), batches of 0 tokens.
    pub fn stream(&self) -> Result<ActivationStream<'a>> {
        self.stream_from(&StreamPlace::default())
    }

    /// The stream from a place: the same batches to the bit as the stream that was there.
    ///
    /// # Errors
    ///
    /// Those of [`Activations::stream`], and a place that this corpus does not have.
    pub fn stream_from(&self, place: &StreamPlace) -> Result<ActivationStream<'a>> {
        if self.batch == 0 {
            return Err(refuse("a batch of 0 tokens trains nothing; give at least 1".into()));
        }
        ActivationStream::at(self, place)
    }
}

impl<'a> ActivationStream<'a> {
    fn at(of: &Activations<'a>, place: &StreamPlace) -> Result<Self> {
        let capacity = of.capacity(&of.widths()?);
        let disk = of.folder.as_ref().map(|folder| Disk::new(folder, of, capacity)).transpose()?;
        let chunk = Chunk { sites: Vec::new(), next: Some(place.start.clone()) };
        let mut stream =
            Self { of: of.clone(), capacity, disk, source: None, chunk, order: Vec::new(), place: place.clone() };
        stream.fill()?;
        if stream.place.given > stream.order.len() {
            return Err(refuse(format!(
                "the place is after batch {} of a chunk of {}; give the same corpus, model, sites and sizes as before",
                stream.place.given,
                stream.order.len()
            )));
        }
        Ok(stream)
    }

    /// The next batch: for each site `[token, width]`, in the units of the site and on the model's device.
    ///
    /// # Errors
    ///
    /// Those of [`Pass::run`](crate::corpus::Pass::run), a corpus of which nothing is counted, and a file that cannot be
    /// read or written.
    #[allow(clippy::should_implement_trait, reason = "it fails, and has no end")]
    pub fn next(&mut self) -> Result<Vec<Tensor<2>>> {
        if self.place.given == self.order.len() {
            self.advance()?;
        }
        let rows = self.chunk.rows(&self.order[self.place.given]);
        self.place.given += 1;
        Ok(rows)
    }

    /// Where it is: before the next batch.
    pub fn place(&self) -> &StreamPlace {
        &self.place
    }

    /// What is streamed, and how.
    pub fn activations(&self) -> &Activations<'a> {
        &self.of
    }

    /// All rows of the chunk that is given out, in corpus order: for each site `[token, width]`.
    pub fn chunk(&self) -> &[Tensor<2>] {
        &self.chunk.sites
    }

    /// Goes to the next chunk, of this epoch or the next. A corpus that fits one chunk stays in memory.
    fn advance(&mut self) -> Result<()> {
        if self.chunk.next.is_none() && self.place.chunk == 0 {
            self.place = StreamPlace { epoch: self.place.epoch + 1, ..StreamPlace::default() };
            self.shuffle();
            return Ok(());
        }
        self.place = match self.chunk.next.take() {
            Some(start) => StreamPlace { chunk: self.place.chunk + 1, given: 0, start, ..self.place },
            None => StreamPlace { epoch: self.place.epoch + 1, ..StreamPlace::default() },
        };
        self.fill()
    }

    /// Puts the chunk at the place into memory.
    fn fill(&mut self) -> Result<()> {
        self.chunk.sites.clear();
        let (index, start) = (self.place.chunk, &self.place.start);
        let kept = self.disk.as_ref().map(|disk| disk.read(index, self.of.model().device())).transpose()?.flatten();
        self.chunk = if let Some(kept) = kept {
            self.source = None;
            kept
        } else {
            let source = match self.source.take().filter(|source| source.place == *start) {
                Some(source) => source,
                None => Source::at(&self.of, start)?,
            };
            let chunk = self.source.insert(source).chunk(&self.of.sites, self.capacity)?;
            self.disk.as_ref().map_or(Ok(()), |disk| disk.write(index, &chunk))?;
            chunk
        };
        self.shuffle();
        Ok(())
    }

    fn shuffle(&mut self) {
        let StreamPlace { epoch, chunk, .. } = self.place;
        self.order = batches(self.chunk.len(), self.of.batch, self.of.seed, epoch, chunk);
    }
}

/// The model, run batch by batch.
struct Source<'a> {
    feed: Feed<'a>,
    shelf: VecDeque<Ready<'a>>,
    report: PassReport,
    /// Before the first batch of the shelf that is left.
    place: FeedPlace,
}

impl<'a> Source<'a> {
    fn at(of: &Activations<'a>, place: &FeedPlace) -> Result<Self> {
        let feed = of.pass.feed(place.before.documents)?;
        let mut source =
            Self { feed, shelf: VecDeque::new(), report: place.before.clone(), place: FeedPlace::default() };
        source.shelve()?;
        for _ in 0..place.batches {
            source.passed();
        }
        Ok(source)
    }

    /// The next chunk: at least one batch, and then as many as fit.
    fn chunk(&mut self, sites: &[String], capacity: usize) -> Result<Chunk> {
        let mut parts: Vec<Vec<Tensor<2>>> = vec![Vec::new(); sites.len()];
        let mut rows = 0;
        while let Some(ready) = self.shelf.front() {
            if rows > 0 && rows + ready.counted() > capacity {
                break;
            }
            rows += ready.counted();
            let of_sites = ready.run(sites, &mut PassReport::default(), |batch| rows_of(sites, batch))?;
            parts.iter_mut().zip(of_sites).for_each(|(parts, own)| parts.push(own));
            self.passed();
            self.shelve()?;
        }
        if rows == 0 {
            return Err(refuse("the corpus counts no token; give text, or skip fewer tokens".into()));
        }
        let sites = parts.into_iter().map(|parts| Tensor::cat(parts, 0)).collect();
        Ok(Chunk { sites, next: (!self.shelf.is_empty()).then(|| self.place.clone()) })
    }

    fn passed(&mut self) {
        if let Some(ready) = self.shelf.pop_front() {
            ready.count(&mut self.report);
            self.place.batches += 1;
        }
    }

    /// Fills an empty shelf.
    fn shelve(&mut self) -> Result<()> {
        if self.shelf.is_empty() {
            self.place = FeedPlace { before: self.report.clone(), batches: 0 };
            self.shelf = self.feed.shelf(&mut self.report)?.unwrap_or_default().into();
        }
        Ok(())
    }
}

/// Each site at the counted tokens. A number that is not finite is found by the sum and then named with its place.
fn rows_of(sites: &[String], batch: &Batch<'_>) -> Result<Vec<Tensor<2>>> {
    let of = |site: &String| {
        let rows = batch.tensor(site)?;
        if !device::read(rows.clone().abs().sum())?[0].is_finite() {
            batch.rows(site)?;
        }
        Ok(rows)
    };
    sites.iter().map(of).collect()
}
