//! Sites and models side by side: what a crosscoder reads.

use burn::tensor::Tensor;

use super::place::StreamPlace;
use super::stream::ActivationStream;
use super::{Activations, refuse};
use crate::error::Result;

/// The activations of several sites, of one model or of several, as one row a token: what a crosscoder is trained on.
///
/// Each model runs over the corpus by itself, and all give the same tokens in the same order. It is a
/// [`Source`](crate::dictionary::train::Source) of one site.
///
/// ```
/// use arrakis::corpus::{Corpus, Pass};
/// use arrakis::dictionary::train::{Learner, Trainer, Training};
/// use arrakis::dictionary::{Activations, SideBySide};
/// use arrakis::models::dictionary::architectures::TopK;
/// use arrakis::models::dictionary::{Dictionary, DictionaryConfig, Init};
/// use arrakis::prelude::*;
///
/// # fn main() -> Result<()> {
/// let (base, tuned) = (HookedAutoModel::embedded()?, HookedAutoModel::embedded()?);
/// let corpus = Corpus::texts(["Mary went to the store", "John gave a drink to Mary"]);
/// let passes = [&base, &tuned].map(|model| Pass::new(model, &corpus).quiet());
/// let of = passes.each_ref().map(|pass| Activations::new(pass, ["blocks.1.resid_post"]).batch(8));
/// let config = DictionaryConfig::crosscoder(2, base.config().d_model, 64, TopK { k: 4, ..TopK::default() });
/// let crosscoder = Dictionary::new(config, &Init::default(), 0, base.device())?;
/// let learner = Learner::new("crosscoder", crosscoder, &Training::steps(5))?;
/// let trained = Trainer::new([learner]).quiet().run(&mut SideBySide::new(&of)?)?;
/// # assert_eq!(trained[0].dictionary.config.sources, 2);
/// # Ok(())
/// # }
/// ```
///
/// # Memory
///
/// That of each [`Activations`], together.
pub struct SideBySide<'a> {
    streams: Vec<ActivationStream<'a>>,
}

impl<'a> SideBySide<'a> {
    /// From the start of the corpus. Sites come in the order in which they are given.
    ///
    /// # Errors
    ///
    /// No activations, those of another corpus, windows, batches or seed than the first, and those of
    /// [`Activations::stream`].
    pub fn new(of: &[Activations<'a>]) -> Result<Self> {
        let Some(first) = of.first() else {
            return Err(refuse("nothing is side by side; give the activations of at least one model".into()));
        };
        let text = first.pass.text_key()?;
        for other in &of[1..] {
            if other.pass.text_key()? != text || (other.batch, other.seed) != (first.batch, first.seed) {
                let name = other.model().name();
                return Err(refuse(format!(
                    "the activations of `{name}` are of other tokens than the first; give one corpus, and the same windows, \
                     limits, batches and seed"
                )));
            }
        }
        // Chunks of one number of tokens, so that all are shuffled alike.
        let mut rows = usize::MAX;
        for one in of {
            rows = rows.min(one.capacity(&one.widths()?));
        }
        let stream = |one: &Activations<'a>| {
            let width = one.widths()?.iter().sum::<usize>();
            one.clone().bytes(super::bytes_of(rows, width)).stream()
        };
        Ok(Self { streams: of.iter().map(stream).collect::<Result<_>>()? })
    }

    /// The next batch, `[token, width]`: the sites of all side by side, in the units of each.
    ///
    /// # Errors
    ///
    /// Those of [`ActivationStream::next`], and models that cut the corpus into other tokens.
    #[allow(clippy::should_implement_trait, reason = "it fails, and has no end")]
    pub fn next(&mut self) -> Result<Tensor<2>> {
        let mut parts = Vec::new();
        for stream in &mut self.streams {
            parts.extend(stream.next()?);
        }
        if let Some(other) = self.streams.iter().find(|other| other.place() != self.place()) {
            let [first, other] = [&self.streams[0], other].map(|stream| stream.activations().model().name());
            let problem =
                format!("`{first}` and `{other}` make other tokens of the corpus; give models of one tokenizer");
            return Err(refuse(problem));
        }
        Ok(Tensor::cat(parts, 1))
    }

    /// Where all of them are: before the next batch.
    pub fn place(&self) -> &StreamPlace {
        self.streams[0].place()
    }

    /// Goes to a place that [`SideBySide::place`] gave: the same batches follow, to the bit.
    ///
    /// # Errors
    ///
    /// Those of [`Activations::stream_from`].
    pub fn go_to(&mut self, place: &StreamPlace) -> Result<()> {
        for stream in &mut self.streams {
            *stream = stream.activations().stream_from(place)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrakis_models::dictionary::architectures::TopK;
    use arrakis_models::dictionary::{Dictionary, DictionaryConfig, Init, Splicing};
    use arrakis_models::{HookedAutoModel, HookedTransformer, TransformerConfig, device, site};

    use super::*;
    use crate::corpus::{Corpus, Pass};
    use crate::dictionary::train::{Learner, Source, Trainer, Training};

    const SITE: &str = "blocks.1.resid_post";

    fn model(seed: u64) -> HookedTransformer {
        HookedAutoModel::lively(&TransformerConfig::plain("test", 3, 12, 3, 20, 16), seed).unwrap()
    }

    fn corpus() -> Corpus {
        let document = |length: usize| (0..length).map(|at| ((at * at * 7 + length * 3 + at) % 20) as u32).collect();
        Corpus::tokens([5, 1, 16, 3, 24, 8, 9, 2].map(document))
    }

    fn numbers(rows: Tensor<2>) -> Vec<f32> {
        device::read(rows).unwrap()
    }

    /// Several chunks an epoch, and sites of other widths in each model.
    #[test]
    fn rows_of_all_models_are_of_the_same_tokens() {
        let (base, corpus) = (model(1), corpus());
        let pass = Pass::new(&base, &corpus).batch_tokens(20).quiet();
        let one = Activations::new(&pass, [SITE]).batch(7).bytes(4000);
        let wide = Activations::new(&pass, ["blocks.1.mlp.post", SITE]).batch(7).bytes(20_000);
        let mut both = SideBySide::new(&[one, wide]).unwrap();
        let mut chunks = 0;
        for _ in 0..40 {
            let rows = both.next().unwrap();
            assert_eq!(rows.dims()[1], 12 + 48 + 12);
            assert_eq!(numbers(rows.clone().narrow(1, 0, 12)), numbers(rows.narrow(1, 60, 12)));
            chunks = chunks.max(both.place().chunk);
        }
        assert!(chunks > 0 && both.place().epoch > 1, "{:?}", both.place());
        let place = Source::place(&both);
        let next = numbers(both.next().unwrap());
        both.next().unwrap();
        Source::go_to(&mut both, &place).unwrap();
        assert_eq!(numbers(both.next().unwrap()), next);
    }

    /// Two models that differ: a crosscoder learns both, and its latents move each of them.
    #[test]
    fn a_crosscoder_of_two_models_is_trained_and_spliced_into_both() {
        let (models, corpus) = ([model(1), model(2)], corpus());
        let passes = models.each_ref().map(|model| Pass::new(model, &corpus).quiet());
        let of = passes.each_ref().map(|pass| Activations::new(pass, [SITE]).batch(32));
        let config = DictionaryConfig::crosscoder(2, 12, 48, TopK { k: 6, ..TopK::default() });
        let own = Dictionary::new(config, &Init::default(), 1, &burn::tensor::Device::flex()).unwrap();
        let learner = Learner::new("both", own, &Training::steps(300).lr(0.01)).unwrap();
        let mut source = SideBySide::new(&of).unwrap();
        let trained = Trainer::new([learner]).note_every(50).quiet().run(&mut source).unwrap().remove(0);
        let [first, last] = [0, trained.history.len() - 1].map(|at| trained.history[at].explained_variance);
        assert!(last > 0.9 && first < 0.5, "{first} {last}");
        let sources = models.each_ref().map(|model| (model, site::resid_post(1)));
        for (own, model) in models.iter().enumerate() {
            let without = Splicing::default().reconstruction();
            let splice = trained.dictionary.splice_of_source(own, &sources, &without).unwrap();
            let run = |model: &HookedTransformer| model.forward([3, 1, 4, 1, 5]).unwrap();
            let (clean, spliced) = (run(model), run(&model.spliced([splice]).unwrap()));
            let (off, all) =
                ((spliced - clean.clone()).square().mean(), (clean.clone() - clean.mean_dim(2)).square().mean());
            let share = device::read(off / all).unwrap()[0];
            assert!(share < 0.3, "model {own}: {share}");
        }
    }

    #[test]
    fn what_is_not_side_by_side_is_refused() {
        let (base, corpus, other) = (model(1), corpus(), Corpus::tokens([vec![1, 2, 3]]));
        let pass = Pass::new(&base, &corpus).quiet();
        let one = || Activations::new(&pass, [SITE]);
        let said = |of: &[Activations<'_>]| SideBySide::new(of).map(|_| ()).unwrap_err().to_string();
        assert_eq!(said(&[]), "`Activations`: nothing is side by side; give the activations of at least one model");
        let elsewhere = Pass::new(&base, &other).quiet();
        let shorter = Pass::new(&base, &corpus).window(8).quiet();
        for wrong in
            [one().seed(3), one().batch(5), Activations::new(&elsewhere, [SITE]), Activations::new(&shorter, [SITE])]
        {
            assert_eq!(
                said(&[one(), wrong]),
                "`Activations`: the activations of `lively random test` are of other tokens than the first; give one corpus, and the same \
                 windows, limits, batches and seed"
            );
        }
    }
}
