//! What a reducer sees of one batch.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use arrakis_models::{Activation, ActivationCache, HookedTransformer, Tokens, device};
use burn::tensor::{Int, Tensor, TensorData};

use super::unit::Unit;
use super::window::Window;
use crate::error::{Error, Result};

/// A batch of windows, with the activations that the reducers asked for. Only counted tokens are shown: neither padding
/// nor tokens that are context only.
pub struct Batch<'a> {
    model: &'a HookedTransformer,
    tokens: &'a Tokens,
    windows: &'a [Window],
    cache: &'a ActivationCache,
    counted: Vec<Token>,
    read: RefCell<BTreeMap<String, Rc<[f32]>>>,
}

/// A counted token and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// The row of the batch, an index of [`Batch::windows`].
    pub row: usize,
    /// The position in its window.
    pub slot: usize,
    /// The document, from 0.
    pub document: usize,
    /// The position in the document.
    pub position: usize,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        model: &'a HookedTransformer,
        tokens: &'a Tokens,
        windows: &'a [Window],
        cache: &'a ActivationCache,
    ) -> Self {
        let counted = windows.iter().enumerate().flat_map(|(row, window)| {
            let token = move |slot: usize| Token {
                id: window.ids[slot],
                row,
                slot,
                document: window.document,
                position: window.start + slot,
            };
            (window.context..window.ids.len()).map(token)
        });
        Self { model, tokens, windows, cache, counted: counted.collect(), read: RefCell::default() }
    }

    /// The model that ran.
    pub fn model(&self) -> &HookedTransformer {
        self.model
    }

    /// The rows as they ran, with padding on the right.
    pub fn tokens(&self) -> &Tokens {
        self.tokens
    }

    /// The window of each row.
    pub fn windows(&self) -> &[Window] {
        self.windows
    }

    /// The counted tokens, row by row.
    pub fn counted(&self) -> &[Token] {
        &self.counted
    }

    /// The activation at a site, `[batch, pos, ..]`, with padding.
    ///
    /// # Errors
    ///
    /// A site that the reducer did not ask for.
    pub fn activation(&self, site: &str) -> Result<&Activation> {
        Ok(self.cache.activation(site)?)
    }

    /// How many numbers a site has for a token.
    ///
    /// # Errors
    ///
    /// Those of [`Batch::activation`].
    pub fn width(&self, site: &str) -> Result<usize> {
        Ok(self.activation(site)?.dims()[2..].iter().product())
    }

    /// A site at the counted tokens, `[token, width]`: the axes after the position as one.
    ///
    /// # Errors
    ///
    /// Those of [`Batch::activation`].
    pub fn tensor(&self, site: &str) -> Result<Tensor<2>> {
        let (activation, width) = (self.activation(site)?, self.width(site)?);
        let pos = self.tokens.pos();
        let slots = activation.to_flat()?.reshape([self.tokens.batch() * pos, width]);
        let at: Vec<i64> = self.counted.iter().map(|token| (token.row * pos + token.slot) as i64).collect();
        let at = Tensor::<1, Int>::from_data(TensorData::new(at, [self.counted.len()]), &slots.device());
        Ok(slots.select(0, at))
    }

    /// The numbers of a site at every token, read from the device once for all reducers.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] with the first counted token whose numbers are not finite, and those of
    /// [`Batch::activation`].
    pub fn rows(&self, site: &str) -> Result<Rows> {
        let (width, pos) = (self.width(site)?, self.tokens.pos());
        let known = self.read.borrow().get(site).cloned();
        let rows = |values| Rows { values, width, pos };
        if let Some(values) = known {
            return Ok(rows(values));
        }
        let read = rows(self.activation(site)?.to_vec()?.into());
        self.finite(site, |token| read.of(token).iter().copied().find(|value| !value.is_finite()))?;
        self.read.borrow_mut().insert(site.to_owned(), Rc::clone(&read.values));
        Ok(read)
    }

    /// The numbers of a unit at every token.
    ///
    /// # Errors
    ///
    /// Those of [`Batch::rows`] and of [`Unit::read`].
    pub fn unit(&self, unit: &Unit) -> Result<UnitValues> {
        if let Some(entry) = unit.index() {
            return Ok(UnitValues { rows: self.rows(unit.site())?, entry });
        }
        let values = device::read(unit.read(self.model, self.activation(unit.site())?)?)?.into();
        let read = UnitValues { rows: Rows { values, width: 1, pos: self.tokens.pos() }, entry: 0 };
        self.finite(&unit.label(), |token| Some(read.at(token.row, token.slot)).filter(|value| !value.is_finite()))?;
        Ok(read)
    }

    /// Fails at the first counted token for which `bad` finds a number.
    pub(super) fn finite(&self, what: &str, bad: impl Fn(&Token) -> Option<f32>) -> Result<()> {
        let found = self.counted.iter().find_map(|token| Some((token, bad(token)?)));
        let Some((token, value)) = found else { return Ok(()) };
        Err(Error::NotFinite {
            tool: "corpus pass",
            what: format!("`{what}`"),
            value: f64::from(value),
            place: format!("position {} of document {}", token.position, token.document),
            fix: "run the model on this document with `run_with_cache(prompt, [\"*\"])`, or check the weights".into(),
        })
    }
}

/// The numbers of a site at every token of a batch.
#[derive(Clone, Debug)]
pub struct Rows {
    values: Rc<[f32]>,
    width: usize,
    pos: usize,
}

impl Rows {
    /// How many numbers a token has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The numbers of a token, `[width]`.
    pub fn of(&self, token: &Token) -> &[f32] {
        &self.values[(token.row * self.pos + token.slot) * self.width..][..self.width]
    }
}

/// The number of a unit at every token of a batch.
#[derive(Clone, Debug)]
pub struct UnitValues {
    rows: Rows,
    entry: usize,
}

impl UnitValues {
    /// The number at a slot of a row.
    pub fn at(&self, row: usize, slot: usize) -> f32 {
        self.rows.values[(row * self.rows.pos + slot) * self.rows.width + self.entry]
    }
}
