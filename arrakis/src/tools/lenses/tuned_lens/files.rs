//! A tuned lens on disk: `config.json` with the keys of the paper's code, and `model.safetensors` with its tensor names.

use std::collections::HashMap;
use std::path::Path;

use arrakis_models::checkpoint::Checkpoint;
use arrakis_models::files::{read_json, write_whole};
use arrakis_models::{Error as ModelError, HookedTransformer, device};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::refuse::refuse;
use super::translators::Translator;
use crate::error::{Error, Result};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
/// The weights of the paper's code: a pickle.
const PICKLE: &str = "params.pt";

/// The configuration of a lens. The paper's code reads the keys it knows and ignores the fingerprint.
#[derive(Debug, Serialize, Deserialize)]
struct Config {
    base_model_name_or_path: String,
    d_model: usize,
    num_hidden_layers: usize,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default)]
    lens_type: String,
    /// The fingerprint of the model it was trained on; absent in lenses of the paper's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base_model_fingerprint: Option<String>,
}

fn yes() -> bool {
    true
}

/// Writes both files into a folder, which is created.
pub(super) fn save(folder: &Path, model: &HookedTransformer, translators: &[Translator]) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    let config = Config {
        base_model_name_or_path: model.name().to_owned(),
        d_model: model.config().d_model,
        num_hidden_layers: translators.len(),
        bias: true,
        lens_type: "linear_tuned_lens".to_owned(),
        base_model_fingerprint: Some(model.fingerprint()?),
    };
    let config = serde_json::to_string_pretty(&config).expect("BUG: a config is plain data");
    let weights = folder.join(WEIGHTS);
    write_whole(&weights, bytes(&weights, translators)?)?;
    Ok(write_whole(&folder.join(CONFIG), config)?)
}

/// The bytes of `model.safetensors`. As in torch's `Linear`, a weight is `[out, in]`.
fn bytes(path: &Path, translators: &[Translator]) -> Result<Vec<u8>> {
    let mut raw = Vec::new();
    for (layer, translator) in translators.iter().enumerate() {
        let [d_model, _] = translator.weight.dims();
        let little = |values: Vec<f32>| values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
        let weight = little(device::read(translator.weight.clone().transpose())?);
        raw.push((format!("{layer}.weight"), vec![d_model, d_model], weight));
        raw.push((format!("{layer}.bias"), vec![d_model], little(device::read(translator.bias.clone())?)));
    }
    let broken = |error: &dyn std::fmt::Display| ModelError::File { path: path.to_owned(), problem: error.to_string() };
    let mut views = Vec::new();
    for (name, shape, bytes) in &raw {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|error| broken(&error))?;
        views.push((name.as_str(), view));
    }
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    Ok(safetensors::serialize(views, Some(metadata)).map_err(|error| broken(&error))?)
}

/// Reads the translators of a folder and checks that they belong to the model.
pub(super) fn load(folder: &Path, model: &HookedTransformer) -> Result<Vec<Translator>> {
    check_pickle(folder)?;
    let path = folder.join(CONFIG);
    let config: Config = serde_json::from_value(read_json(&path)?)
        .map_err(|error| ModelError::File { path: path.clone(), problem: error.to_string() })?;
    check(&config, &path, model)?;
    let mut weights = Checkpoint::open(folder)?;
    let d_model = config.d_model;
    (0..config.num_hidden_layers)
        .map(|layer| {
            let weight = turned(read(&mut weights, &format!("{layer}.weight"), [d_model, d_model], model)?)?;
            let bias = if config.bias {
                read(&mut weights, &format!("{layer}.bias"), [d_model], model)?
            } else {
                Tensor::zeros([d_model], model.device())
            };
            Ok(Translator { weight, bias })
        })
        .collect()
}

/// The transpose, laid out anew: a product with a view of the same numbers may round differently.
fn turned(matrix: Tensor<2>) -> Result<Tensor<2>> {
    let ([rows, columns], device) = (matrix.dims(), matrix.device());
    let values = device::read(matrix.transpose())?;
    Ok(Tensor::from_data(TensorData::new(values, [columns, rows]), &device))
}

fn check_pickle(folder: &Path) -> Result<()> {
    if folder.join(PICKLE).is_file() && !folder.join(WEIGHTS).is_file() {
        return Err(refuse(format!(
            "`{}` is a pickle, which can run code; convert it with `safetensors.torch.save_file(torch.load(\"{PICKLE}\"), \"{WEIGHTS}\")`",
            folder.join(PICKLE).display()
        )));
    }
    Ok(())
}

fn check(config: &Config, path: &Path, model: &HookedTransformer) -> Result<()> {
    let refuse = |problem: String| Err(refuse(format!("the lens of `{}` {problem}", path.display())));
    let own = [model.config().n_layers, model.config().d_model];
    if [config.num_hidden_layers, config.d_model] != own {
        return refuse(format!(
            "is for {} layers of width {}, the model has {} of width {}; load the lens of this model",
            config.num_hidden_layers, config.d_model, own[0], own[1]
        ));
    }
    if !matches!(config.lens_type.as_str(), "" | "linear_tuned_lens") {
        return refuse(format!("is a `{}`; only `linear_tuned_lens` can be read", config.lens_type));
    }
    match &config.base_model_fingerprint {
        Some(fingerprint) if *fingerprint != model.fingerprint()? => refuse(format!(
            "was trained on `{}` with other weights; load that model, or train a lens for this one",
            config.base_model_name_or_path
        )),
        _ => Ok(()),
    }
}

fn read<const D: usize>(
    weights: &mut Checkpoint,
    name: &str,
    shape: [usize; D],
    model: &HookedTransformer,
) -> Result<Tensor<D>> {
    let data: TensorData = weights.read(name)?;
    let own = data.shape().to_vec();
    if own != shape {
        let problem = format!("`{name}` has shape {own:?}, the lens needs {shape:?}");
        return Err(ModelError::File { path: weights.folder().join(WEIGHTS), problem }.into());
    }
    Ok(Tensor::from_data(data, model.device()))
}
