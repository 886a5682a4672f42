//! Heads of known kinds, found by where they look.

mod likeness;
mod measure;

pub use likeness::detection_pattern;
pub use measure::{ErrorMeasure, Exclude, HeadKind};

use arrakis_models::{HookedTransformer, IntoTokens, Tokens, site};
use burn::tensor::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tools::shared::{common, finite};
use crate::tools::{ScoreTable, Tool};

/// Finds previous-token, duplicate-token and induction heads by their attention.
///
/// # What it tells you
///
/// For each head, how much of its attention lies where a perfect head of the kind would look:
///
/// - previous token: one position back,
/// - duplicate token: at an earlier copy of the current token,
/// - induction: at the token after that copy.
///
/// # How to read it
///
/// - [`HeadDetector::stripe`] is a mean weight between 0 and 1 on a random sequence repeated once. It is near 1 for a
///   perfect head, and near `1 / visible positions` for a head that attends evenly.
/// - [`HeadDetector::detect`] scores prompts of your own.
///
/// # When it misleads
///
/// - Attention is not effect, so confirm by ablation. A model can copy although no head scores above 0.1.
/// - [`ErrorMeasure::Mul`] averages over all queries, including those with nothing to match. A perfect induction head
///   scores about 0.5 on a sequence repeated once.
/// - In an encoder a head may also look ahead to a later copy. None of these kinds counts that.
///
/// # Cost
///
/// Passes at most, in [the words of all tools](crate::tools#cost).
///
/// | method | forwards | backwards |
/// | --- | --- | --- |
/// | `induction`, `previous_token`, `duplicate_token`, `stripe`, `stripes`, `stripes_of`, `detect` | 1 | 0 |
/// | `repeated_tokens` | 0 | 0 |
///
/// # Example
///
/// ```
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let detector: HeadDetector = Bench::embedded()?.tool()?;
/// for head in detector.induction(&Repeated::default())?.highest(3) {
///     println!("layer {} head {}: {:.2}", head.layer, head.head, head.value);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Source
///
/// Olsson et al., <https://arxiv.org/abs/2209.11895>; the diagonals of `TransformerLens`'s main demo;
/// `transformer_lens.head_detector` 2.18.
#[derive(Clone, Debug)]
pub struct HeadDetector {
    model: HookedTransformer,
}

/// A random sequence repeated once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// The length of the sequence in tokens, before it repeats.
    pub length: usize,
    /// The number of sequences that the score is averaged over.
    pub batch: usize,
    /// The seed of the random tokens.
    pub seed: u64,
    /// A token before each sequence, such as the model's BOS.
    pub bos: Option<u32>,
}

impl Default for Repeated {
    fn default() -> Self {
        Self { length: 20, batch: 4, seed: 0, bos: None }
    }
}

impl Tool for HeadDetector {
    const NAME: &'static str = "head_detector";

    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl HeadDetector {
    /// Induction scores on repeated random tokens, `[layer][head]`, between 0 and 1.
    ///
    /// # Errors
    ///
    /// Those of [`HeadDetector::stripe`].
    pub fn induction(&self, repeated: &Repeated) -> Result<ScoreTable> {
        self.stripe(HeadKind::Induction, repeated)
    }

    /// Previous-token scores on repeated random tokens, `[layer][head]`, between 0 and 1.
    ///
    /// # Errors
    ///
    /// Those of [`HeadDetector::stripe`].
    pub fn previous_token(&self, repeated: &Repeated) -> Result<ScoreTable> {
        self.stripe(HeadKind::PreviousToken, repeated)
    }

    /// Duplicate-token scores on repeated random tokens, `[layer][head]`, between 0 and 1.
    ///
    /// # Errors
    ///
    /// Those of [`HeadDetector::stripe`].
    pub fn duplicate_token(&self, repeated: &Repeated) -> Result<ScoreTable> {
        self.stripe(HeadKind::DuplicateToken, repeated)
    }

    /// Mean attention where a perfect head would look, over repeated random tokens: `[layer][head]`.
    ///
    /// Keys are 1 (previous token), `length` (duplicate) or `length - 1` (induction) positions back. For duplicate and
    /// induction only queries in the second copy count, because those in the first have nothing to match.
    ///
    /// # Errors
    ///
    /// A sequence shorter than 2, an empty batch, or twice the length beyond the model's context.
    pub fn stripe(&self, kind: HeadKind, repeated: &Repeated) -> Result<ScoreTable> {
        let patterns = self.patterns(self.repeated_tokens(repeated)?)?;
        on_diagonal(&patterns, kind, repeated.length)
    }

    /// The scores of [`HeadDetector::stripe`] for induction, previous token and duplicate token, from one run: each
    /// `[layer][head]`.
    ///
    /// # Errors
    ///
    /// Those of [`HeadDetector::stripe`].
    pub fn stripes(&self, repeated: &Repeated) -> Result<Vec<(HeadKind, ScoreTable)>> {
        self.stripes_of(self.repeated_tokens(repeated)?, repeated.length)
    }

    /// The scores of [`HeadDetector::stripes`] on rows of your own, each `[layer][head]`. A row ends in `length` tokens
    /// and the same tokens again.
    ///
    /// # Errors
    ///
    /// A row that does not end in this way, is padded, or does not fit the model.
    pub fn stripes_of(&self, rows: impl IntoTokens, length: usize) -> Result<Vec<(HeadKind, ScoreTable)>> {
        let tokens = rows.into_tokens(&self.model)?;
        unpadded(&tokens)?;
        let twice = |ids: &Vec<u32>| {
            let start = ids.len().checked_sub(2 * length).filter(|_| length >= 2);
            start.is_some_and(|start| ids[start..start + length] == ids[start + length..])
        };
        if let Some(row) = tokens.ids().iter().position(|ids| !twice(ids)) {
            let problem = format!("row {row} does not end in {length} tokens and the same tokens again");
            return Err(Error::Tool { tool: Self::NAME, problem });
        }
        let patterns = self.patterns(tokens)?;
        let kinds = [HeadKind::Induction, HeadKind::PreviousToken, HeadKind::DuplicateToken];
        kinds.into_iter().map(|kind| Ok((kind, on_diagonal(&patterns, kind, length)?))).collect()
    }

    /// Random tokens, `[batch, pos]`. Each row is `bos` if given, a sequence, and the sequence again. The same seed
    /// gives the same tokens.
    ///
    /// # Errors
    ///
    /// Those of [`HeadDetector::stripe`].
    pub fn repeated_tokens(&self, repeated: &Repeated) -> Result<Tokens> {
        let Repeated { length, batch, seed, bos } = *repeated;
        let (longest, d_vocab) = (self.model.config().max_positions(), self.model.config().d_vocab as u32);
        if length < 2 || batch == 0 || 2 * length + usize::from(bos.is_some()) > longest {
            let most = longest.saturating_sub(usize::from(bos.is_some())) / 2;
            return Err(Error::Tool {
                tool: Self::NAME,
                problem: format!(
                    "cannot repeat {length} tokens in {batch} rows; give a length from 2 to {most} and a batch of at least 1"
                ),
            });
        }
        bos.map_or(Ok(()), |bos| common::check_token(&self.model, bos))?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut row = || {
            let sequence: Vec<u32> = (0..length).map(|_| rng.random_range(0..d_vocab)).collect();
            [bos.into_iter().collect(), sequence.clone(), sequence].concat()
        };
        Ok(Tokens::new((0..batch).map(|_| row()).collect())?)
    }

    /// How similar each head's pattern on these prompts is to that of a perfect head of this kind, averaged over rows:
    /// `[layer][head]`. The formulas are those of `TransformerLens`'s `detect_head`.
    ///
    /// # Errors
    ///
    /// Prompts that do not fit the model, or are padded.
    pub fn detect(
        &self,
        prompts: impl IntoTokens,
        kind: HeadKind,
        measure: ErrorMeasure,
        exclude: &[Exclude],
    ) -> Result<ScoreTable> {
        let tokens = prompts.into_tokens(&self.model)?;
        unpadded(&tokens)?;
        let each = |pattern: &[Vec<f64>], ids: &[u32]| {
            likeness::similarity(pattern, &detection_pattern(kind, ids), measure, exclude)
        };
        self.patterns(tokens)?.score("similarity to a perfect head", each)
    }

    /// The pattern of every head on every row. Logits are not computed.
    fn patterns(&self, tokens: Tokens) -> Result<Patterns> {
        let cache = self.model.capture(&tokens, [site::every(site::pattern)])?;
        let (heads, pos) = (self.model.config().n_heads, tokens.pos());
        let layer = |layer: usize| {
            let pattern: Tensor<4> = cache.get(site::pattern(layer))?;
            let total = common::number(pattern.clone().abs().sum())?;
            finite::check(Self::NAME, &self.model, &tokens, "an attention weight", total)?;
            common::rows(pattern.reshape([tokens.batch() * heads * pos, pos]))
        };
        let layers = (0..self.model.config().n_layers).map(layer).collect::<Result<_>>()?;
        Ok(Patterns { tokens, heads, layers })
    }
}

/// Attention patterns read from the device.
struct Patterns {
    tokens: Tokens,
    heads: usize,
    /// `[layer][row * head * query][key]`
    layers: Vec<Vec<Vec<f64>>>,
}

impl Patterns {
    /// Scores each head's pattern (`[query][key]`): `[layer][head]`, averaged over rows, with each row's score kept.
    fn score(&self, units: &str, each: impl Fn(&[Vec<f64>], &[u32]) -> f64) -> Result<ScoreTable> {
        let (heads, pos, batch) = (self.heads, self.tokens.pos(), self.tokens.batch());
        let by_head = |rows: &Vec<Vec<f64>>, head: usize| {
            let one = |row: usize| each(&rows[(row * heads + head) * pos..][..pos], &self.tokens.ids()[row]);
            (0..batch).map(one).collect::<Vec<f64>>()
        };
        let cells = self.layers.iter().flat_map(|rows| (0..heads).map(move |head| by_head(rows, head))).collect();
        let layers = (0..self.layers.len()).collect();
        ScoreTable::of_prompts(HeadDetector::NAME, units, layers, (0..heads).collect(), cells)
            .map(|table| table.measured_on(&self.tokens))
    }
}

fn unpadded(tokens: &Tokens) -> Result<()> {
    if tokens.real().iter().flatten().all(|real| *real) {
        return Ok(());
    }
    let problem = "padded rows cannot be scored; give rows of one length".into();
    Err(Error::Tool { tool: HeadDetector::NAME, problem })
}

/// Mean attention where a perfect head of this kind looks, over the queries that have such a key.
fn on_diagonal(patterns: &Patterns, kind: HeadKind, length: usize) -> Result<ScoreTable> {
    let second_copy = patterns.tokens.pos() - length;
    let (first, back) = match kind {
        HeadKind::PreviousToken => (1, 1),
        HeadKind::DuplicateToken => (second_copy, length),
        HeadKind::Induction => (second_copy, length - 1),
    };
    let each = |pattern: &[Vec<f64>], _: &[u32]| {
        let on: f64 = (first..pattern.len()).map(|query| pattern[query][query - back]).sum();
        on / (pattern.len() - first) as f64
    };
    patterns.score(&format!("mean attention {back} back"), each)
}

#[cfg(test)]
mod tests {
    use super::likeness::similarity;
    use super::*;
    use crate::tools::shared::cost::Call;
    use crate::tools::testing::{Cases, Reading, Readings, VOCAB, close, fixture, induction_model};

    impl Readings for HeadDetector {
        fn readings(&self, cases: &Cases) -> Vec<Reading> {
            let repeated = Repeated { length: 4, batch: 2, seed: 0, bos: None };
            let kinds = [HeadKind::Induction, HeadKind::PreviousToken, HeadKind::DuplicateToken];
            let detected = |measure| self.detect(&cases.prompt, HeadKind::Induction, measure, &[Exclude::CurrentToken]);
            let stripes = kinds.map(|kind| Reading::table("stripe", self.stripe(kind, &repeated)));
            let measured = [ErrorMeasure::Mul, ErrorMeasure::Abs].map(|how| Reading::table("detect", detected(how)));
            stripes.into_iter().chain(measured).collect()
        }

        fn calls<'a>(&'a self, cases: &'a Cases) -> Vec<Call<'a>> {
            let repeated = Repeated { length: 4, batch: 3, seed: 0, bos: None };
            vec![
                Call::new("induction", move || self.induction(&repeated)),
                Call::new("previous_token", move || self.previous_token(&repeated)),
                Call::new("duplicate_token", move || self.duplicate_token(&repeated)),
                Call::new("stripe", move || self.stripe(HeadKind::Induction, &repeated)),
                Call::new("stripes", move || self.stripes(&repeated)),
                Call::new("stripes_of", move || self.stripes_of(self.repeated_tokens(&repeated)?, 4)),
                Call::new("repeated_tokens", move || self.repeated_tokens(&repeated)),
                Call::new("detect", || self.detect(&cases.prompt, HeadKind::Induction, ErrorMeasure::Mul, &[])),
            ]
        }
    }

    #[test]
    fn the_planted_heads_are_found() {
        let tool = HeadDetector::new(&induction_model()).unwrap();
        let mut sequence: Vec<u32> = (0..VOCAB as u32).collect();
        sequence.extend(sequence.clone());
        let found = tool.detect(sequence, HeadKind::Induction, ErrorMeasure::Mul, &[]).unwrap();
        assert_eq!(found.highest(1)[0].label, "L1H0");
        close(found.values[1][0], 0.5, 0.06);
        let repeated = Repeated { length: 8, batch: 6, seed: 1, bos: None };
        let previous = tool.previous_token(&repeated).unwrap();
        assert_eq!(previous.highest(1)[0].label, "L0H1");
        assert!(previous.values[0][1] > 0.9, "{previous:?}");
        assert_eq!(tool.induction(&repeated).unwrap().highest(1)[0].label, "L1H0");
    }

    #[test]
    fn rows_of_your_own_score_as_drawn_ones_do_and_must_repeat() {
        let tool = HeadDetector::new(&induction_model()).unwrap();
        let repeated = Repeated { length: 8, batch: 2, seed: 1, bos: Some(0) };
        let drawn = tool.repeated_tokens(&repeated).unwrap();
        assert_eq!(tool.stripes_of(&drawn, 8).unwrap(), tool.stripes(&repeated).unwrap());
        let once: Vec<u32> = (0..VOCAB as u32).collect();
        let (_, induction) = tool.stripes_of([once.clone(), once].concat(), VOCAB).unwrap().remove(0);
        assert!(induction.values[1][0] > 0.9, "every query has one token to match: {}", induction.values[1][0]);
        let error = tool.stripes_of([1, 2, 3, 1, 2, 4], 3).unwrap_err().to_string();
        assert_eq!(error, "head_detector: row 0 does not end in 3 tokens and the same tokens again");
        assert!(tool.stripes_of([1, 1], 1).is_err() && tool.stripes_of([1, 2], 4).is_err());
    }

    #[test]
    fn patterns_by_hand() {
        let ids = [7, 8, 7, 8];
        assert_eq!(detection_pattern(HeadKind::PreviousToken, &ids)[2], [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(detection_pattern(HeadKind::DuplicateToken, &ids)[3], [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(detection_pattern(HeadKind::Induction, &ids)[2], [0.0, 1.0, 0.0, 0.0]);
        let pattern = vec![vec![1.0, 0.0], vec![0.25, 0.75]];
        let perfect = detection_pattern(HeadKind::PreviousToken, &[1, 2]);
        close(similarity(&pattern, &perfect, ErrorMeasure::Mul, &[]), 0.125, 1e-6);
        close(similarity(&pattern, &perfect, ErrorMeasure::Mul, &[Exclude::CurrentToken]), 1.0, 1e-6);
        close(similarity(&pattern, &perfect, ErrorMeasure::Abs, &[]), 1.0 - 1.25, 1e-6);
    }

    #[test]
    fn a_head_that_attends_evenly_scores_one_over_the_visible_positions() {
        let tool = HeadDetector::new(&induction_model()).unwrap();
        let repeated = Repeated { length: 10, batch: 1, seed: 3, bos: None };
        let mean: f64 = (1..20).map(|query| 1.0 / f64::from(query + 1)).sum::<f64>() / 19.0;
        close(tool.previous_token(&repeated).unwrap().values[0][0], mean, 1e-5);
    }

    #[test]
    fn the_same_seed_gives_the_same_tokens_and_mistakes_are_named() {
        let tool = HeadDetector::new(&fixture("gpt2")).unwrap();
        let repeated = Repeated { bos: Some(2), length: 5, ..Repeated::default() };
        assert_eq!(tool.repeated_tokens(&repeated).unwrap(), tool.repeated_tokens(&repeated).unwrap());
        let error = tool.induction(&Repeated { length: 17, ..Repeated::default() }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "head_detector: cannot repeat 17 tokens in 4 rows; give a length from 2 to 16 and a batch of at least 1"
        );
    }
}
