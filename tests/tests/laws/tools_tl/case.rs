//! A checkpoint, the weights it runs with, and `TransformerLens`'s numbers for both.

use std::path::{Path, PathBuf};

use arrakis::models::model::LoadOptions;
use arrakis::models::{HookedAutoModel, HookedTransformer, Tokens, device};
use arrakis::prelude::Tensor;
use arrakis::tools::attribute::residual_decomposition::{ResidStack, ResidualDecomposition, Residuals};
use arrakis::tools::place::Place;
use arrakis::tools::{Metric, ScoreTable, Tool};
use safetensors::SafeTensors;
use serde_json::Value;

const CASES: [&str; 6] = ["gpt2", "gpt_neo", "gpt_neox", "llama", "shakespeare_gpt2", "stories260K"];

/// Values and shape.
pub(crate) type Numbers = (Vec<f32>, Vec<usize>);

/// One checkpoint under one mode, with `TransformerLens`'s numbers.
pub(crate) struct Case {
    pub(crate) name: String,
    /// `raw`, or `processed` as `TransformerLens` does by default.
    pub(crate) mode: &'static str,
    pub(crate) model: HookedTransformer,
    pub(crate) reference: Value,
    folder: PathBuf,
    analysis: Vec<u8>,
    cache: Vec<u8>,
}

impl Case {
    /// Every checkpoint in both modes.
    pub(crate) fn each(check: impl Fn(&Self)) {
        for name in CASES {
            let raw = load(&checkpoint(name));
            let processed = raw.processed().unwrap();
            check(&Self::new(name, "raw", raw));
            check(&Self::new(name, "processed", processed));
        }
    }

    fn new(name: &str, mode: &'static str, model: HookedTransformer) -> Self {
        let folder = fixtures("tl").join(name);
        let read = |file: &str| std::fs::read(folder.join(file)).unwrap();
        Self {
            name: format!("{name} {mode}"),
            mode,
            model,
            reference: serde_json::from_slice(&read("reference.json")).unwrap(),
            analysis: read("tl_analysis.safetensors"),
            cache: read("tl_cache.safetensors"),
            folder,
        }
    }

    pub(crate) fn ids(&self, input: &str) -> Vec<u32> {
        ids(&self.reference["inputs"][input])
    }

    pub(crate) fn batch(&self) -> Tokens {
        let rows = self.reference["inputs"]["input_ids"].as_array().unwrap();
        Tokens::new(rows.iter().map(ids).collect()).unwrap()
    }

    pub(crate) fn pair(&self) -> (u32, u32) {
        let id = |name: &str| self.reference["inputs"][name].as_u64().unwrap() as u32;
        (id("answer"), id("wrong"))
    }

    pub(crate) fn metric(&self) -> Metric {
        let (answer, wrong) = self.pair();
        Metric::logit_diff(answer, wrong)
    }

    pub(crate) fn labels(&self, of: &str) -> Vec<String> {
        strings(&self.reference["labels"][of])
    }

    /// Every hook of `TransformerLens`'s cache.
    pub(crate) fn hooks(&self) -> Vec<String> {
        strings(&self.reference["hook_names"])
    }

    /// Every analysis of this mode, by its name in `reference.json`.
    pub(crate) fn analyses(&self) -> Vec<String> {
        let shapes = self.reference["shapes"].as_object().unwrap();
        shapes.keys().filter_map(|key| Some(key.strip_prefix(self.mode)?.strip_prefix('/')?.to_owned())).collect()
    }

    /// An activation of `TransformerLens`; `None` if the fixture leaves it out.
    pub(crate) fn activation(&self, hook: &str) -> Option<Numbers> {
        self.find(&self.cache, &format!("{}/{hook}", self.mode))
    }

    /// The logits in this mode.
    pub(crate) fn logits(&self, mode: &str) -> Numbers {
        numbers(&self.cache, &format!("{mode}/logits")).unwrap()
    }

    /// The parameters of the processed model, in `TransformerLens`'s layout.
    pub(crate) fn weights(&self) -> Vec<(String, Numbers)> {
        let file = std::fs::read(self.folder.join("tl_weights.safetensors")).unwrap();
        let names: Vec<String> =
            SafeTensors::deserialize(&file).unwrap().names().into_iter().map(ToString::to_string).collect();
        names.into_iter().map(|name| (name.clone(), numbers(&file, &name).unwrap())).collect()
    }

    /// An analysis of `TransformerLens`; `None` if the fixture leaves it out.
    pub(crate) fn expected(&self, name: &str) -> Option<Numbers> {
        self.find(&self.analysis, &format!("{}/{name}", self.mode))
    }

    /// Whether `TransformerLens` has this analysis for this architecture.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.reference["shapes"].get(format!("{}/{name}", self.mode)).is_some()
    }

    /// Names with this prefix that the fixture leaves out because other tensors hold the same numbers.
    pub(crate) fn left_out(&self, prefix: &str) -> Vec<String> {
        let names = self.reference.get("left_out").map(|left_out| strings(&left_out["names"])).unwrap_or_default();
        names.into_iter().filter(|name| name.starts_with(prefix)).collect()
    }

    fn find(&self, file: &[u8], name: &str) -> Option<Numbers> {
        let found = numbers(file, name);
        let left_out = self.left_out(name).iter().any(|known| known == name);
        assert!(
            found.is_some() != left_out,
            "{}: {name} must be either in the fixture or listed as left out",
            self.name
        );
        found
    }

    #[track_caller]
    pub(crate) fn equal(&self, name: &str, actual: &[f32]) {
        if let Some((expected, _)) = self.expected(name) {
            compare(&format!("{} {name}", self.name), actual, &expected);
        }
    }

    #[track_caller]
    pub(crate) fn equal_tensor<const D: usize>(&self, name: &str, actual: Tensor<D>) {
        let Some((_, shape)) = self.expected(name) else { return };
        assert_eq!(actual.dims().to_vec(), shape, "{} {name}: shape", self.name);
        self.equal(name, &device::read(actual).unwrap());
    }

    #[track_caller]
    pub(crate) fn equal_stack(&self, name: &str, actual: &ResidStack) {
        assert_eq!(actual.labels, self.labels(name.trim_end_matches("_ln")), "{} {name}: labels", self.name);
        self.equal_tensor(name, actual.values.clone());
    }

    #[track_caller]
    pub(crate) fn equal_table<P: Place>(&self, name: &str, actual: &ScoreTable<P>) {
        self.equal(name, &singles(&actual.values.concat()));
    }

    pub(crate) fn residuals(&self) -> Residuals {
        ResidualDecomposition::new(&self.model).unwrap().run(self.batch()).unwrap()
    }
}

/// `tests/fixtures/<name>`.
pub(crate) fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Checkpoints shared with the parity tests are in their folder.
fn checkpoint(name: &str) -> PathBuf {
    let own = fixtures("tl").join(name);
    if own.join("config.json").is_file() { own } else { fixtures("parity").join(name) }
}

pub(crate) fn load(folder: &Path) -> HookedTransformer {
    let options = LoadOptions::new().device("cpu").quiet();
    HookedAutoModel::load(folder.to_str().unwrap(), &options).unwrap()
}

fn ids(row: &Value) -> Vec<u32> {
    row.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn numbers(file: &[u8], name: &str) -> Option<Numbers> {
    let file = SafeTensors::deserialize(file).unwrap();
    let view = file.tensor(name).ok()?;
    let values = view.data().chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    Some((values, view.shape().to_vec()))
}

/// Numbers in the precision of the reference.
pub(crate) fn singles(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

#[track_caller]
pub(crate) fn compare(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}: number of values");
    for (index, (a, e)) in actual.iter().zip(expected).enumerate() {
        let same = a == e || (a - e).abs() <= 1e-4 + 1e-4 * e.abs();
        assert!(same, "{what}[{index}]: {a}, TransformerLens has {e}");
    }
}
