//! The model that ships with the crate, and networks from bytes in memory.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;

use super::{HookedAutoModel, HookedTransformer};
use crate::checkpoint::widen;
use crate::device::{self, Chosen};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;
use crate::toy::vocab;
use crate::transformer::{Init, Source, Transformer, TransformerConfig};

/// The files of `weights/`, which `train-embedded` writes.
const CONFIG: &str = include_str!("../../weights/arrakis.json");
const WEIGHTS: &[u8] = include_bytes!("../../weights/model.safetensors");
const TOKENIZER: &[u8] = include_bytes!("../../weights/tokenizer.json");

impl HookedAutoModel {
    /// The small trained model that ships with the crate: no file, no network.
    ///
    /// Its text is [`crate::toy`]'s, its recipe [`crate::train::recipe`], its measured facts `weights/facts.json`.
    /// It completes repeats (induction), indirect objects (name movers) and later years (greater-than).
    ///
    /// # Errors
    ///
    /// [`Error::Device`] for a device that is not there.
    pub fn embedded() -> Result<HookedTransformer> {
        Self::embedded_on(&device::choose(None)?)
    }

    /// The same on a device of choice.
    ///
    /// # Errors
    ///
    /// As [`HookedAutoModel::embedded`].
    pub fn embedded_on(device: &Chosen) -> Result<HookedTransformer> {
        let path = Path::new("the embedded model");
        let config: TransformerConfig = serde_json::from_str(CONFIG).map_err(|error| Error::file(path, error))?;
        let net = net_from_bytes(path, WEIGHTS, &config, &device.device)?;
        let tokenizer = Tokenizer::from_bytes(TOKENIZER, Some(vocab::END_OF_TEXT_ID))?;
        Ok(HookedTransformer::new(net, "embedded", Some(tokenizer), device))
    }
}

/// A network from the bytes of a `model.safetensors` in our own layout; `path` is what messages call it.
///
/// # Errors
///
/// [`Error::File`] when they are no safetensors file, [`Error::Weights`] listing every tensor that does not fit.
pub(crate) fn net_from_bytes(
    path: &Path,
    bytes: &[u8],
    config: &TransformerConfig,
    device: &Device,
) -> Result<Transformer> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| Error::file(path, error))?;
    let mut source = BytesSource { file, device, problems: Vec::new() };
    let net = Transformer::build(&mut source, config);
    if source.problems.is_empty() {
        Ok(net)
    } else {
        Err(Error::Weights { path: path.to_owned(), problems: source.problems })
    }
}

/// Gives each parameter by our own name; zeros where it cannot, with the reason kept.
struct BytesSource<'a> {
    file: SafeTensors<'a>,
    device: &'a Device,
    problems: Vec<String>,
}

impl BytesSource<'_> {
    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let view = self.file.tensor(name).map_err(|_| format!("missing: `{name}`"))?;
        if view.shape() != shape {
            return Err(format!("wrong shape: `{name}` is {:?}, the config asks for {shape:?}", view.shape()));
        }
        widen(view.dtype(), view.data())
            .ok_or_else(|| format!("`{name}` holds {:?}, not floating point numbers", view.dtype()))
    }
}

impl Source for BytesSource<'_> {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], _init: Init) -> Tensor<D> {
        match self.values(name, &shape) {
            Ok(values) => Tensor::from_data(TensorData::new(values, shape), self.device),
            Err(problem) => {
                self.problems.push(problem);
                Tensor::zeros(shape, self.device)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Tokens;
    use crate::toy::eval::Score;
    use crate::train::facts::{repeated_words, sha256, vocabulary_sha256};
    use crate::train::{Facts, exam, head_scores, recipe};

    const MARY: &str = "When Mary and John went to the store, John gave a drink to";

    fn model() -> HookedTransformer {
        HookedAutoModel::embedded_on(&device::cpu()).unwrap()
    }

    fn facts() -> Facts {
        serde_json::from_str(include_str!("../../weights/facts.json")).unwrap()
    }

    fn likeliest(model: &HookedTransformer, text: &str) -> String {
        let values = device::read(model.forward(text).unwrap()).unwrap();
        let last = &values[values.len() - model.config().d_vocab..];
        let best = (0..last.len()).max_by(|a, b| last[*a].total_cmp(&last[*b])).unwrap();
        model.to_single_str_token(best as u32).unwrap()
    }

    #[test]
    fn it_is_the_model_its_facts_describe() {
        let (model, facts) = (model(), facts());
        assert_eq!(sha256(WEIGHTS), facts.weights_sha256);
        assert_eq!(model.config(), &recipe::config(), "arrakis.json and the recipe agree");
        assert_eq!((model.name(), model.n_params()), ("embedded", facts.parameters));
    }

    #[test]
    fn its_vocabulary_is_the_one_it_was_trained_with() {
        let (model, facts) = (model(), facts());
        assert_eq!(vocabulary_sha256(), facts.vocabulary_sha256, "the toy vocabulary changed: train the model again");
        assert_eq!(model.tokenizer().unwrap().to_json().unwrap(), recipe::tokenizer().unwrap().to_json().unwrap());
    }

    #[test]
    fn a_text_opens_with_end_of_text_and_comes_back() {
        let model = model();
        let ids = model.to_tokens(MARY).unwrap();
        assert_eq!((ids.len(), ids[0]), (15, vocab::END_OF_TEXT_ID));
        assert_eq!(model.to_string(&ids[1..]).unwrap(), MARY);
        assert_eq!(model.to_str_tokens(" Mary").unwrap(), ["<|endoftext|>", " Mary"]);
        assert_eq!(model.to_single_token(" Mary").unwrap(), ids[2]);
    }

    #[test]
    fn it_knows_whom_the_drink_is_for() {
        let model = model();
        assert_eq!(likeliest(&model, MARY), " Mary");
        assert_eq!(likeliest(&model, &MARY.replace(", John", ", Mary")), " John");
    }

    #[test]
    fn it_does_its_tasks_on_what_it_never_saw() {
        let tasks = exam::evaluate(&model(), recipe::HELD_OUT_SEED + 7, 128).unwrap();
        let at_least = |score: Score, accuracy: f64| assert!(score.accuracy >= accuracy, "{tasks:?}");
        at_least(tasks.induction, 0.98);
        at_least(tasks.greater_than, 0.98);
        at_least(tasks.name_mover_templates, 0.98);
        // Names never seen in the task: 1.00 and 0.98 in facts.json; 128 questions are within 0.04 of that.
        at_least(tasks.name_mover, 0.95);
        at_least(tasks.name_mover_names, 0.94);
    }

    #[test]
    fn it_has_an_induction_head() {
        let scores = head_scores::head_scores(&model(), &repeated_words(99, 16)).unwrap();
        assert!(scores.iter().any(|head| head.induction > 0.8), "{scores:?}");
        assert!(scores.iter().any(|head| head.layer == 0 && head.previous_token > 0.6), "{scores:?}");
    }

    #[test]
    fn padding_on_the_right_changes_no_logit() {
        let model = model();
        let ids = model.to_tokens(MARY).unwrap();
        let alone = device::read(model.forward(ids.clone()).unwrap()).unwrap();
        let longer = vec![ids.clone(), [ids.clone(), ids.clone()].concat()];
        let padded = Tokens::padded(&longer, crate::tokens::Side::Right, vocab::END_OF_TEXT_ID).unwrap();
        let both = device::read(model.forward(padded).unwrap()).unwrap();
        assert!(alone.iter().zip(&both).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn bytes_that_do_not_fit_say_which_tensor() {
        let path = Path::new("here");
        let mut config = recipe::config();
        config.d_mlp = 8;
        let message = net_from_bytes(path, WEIGHTS, &config, &Device::flex()).unwrap_err().to_string();
        assert!(message.contains("wrong shape: `blocks.0.mlp.w_in.weight` is"), "{message}");
        assert!(net_from_bytes(path, &WEIGHTS[..100], &config, &Device::flex()).is_err());
    }
}
