//! Latents, reconstructions, loss terms and gradients beside those of `SAELens`, `dictionary_learning`, sparsify and
//! `OpenAI`'s formulas, as `tests/fixtures/dictionaries/make_parity.py` recorded them.

use std::collections::BTreeMap;

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;

use super::testing::read;
use super::{Batch, Dictionary, DictionaryConfig, Gate, Objective, Parameters};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/dictionaries/parity.json");

/// Largest difference, relative to the largest number of the tensor.
const TOLERANCE: f32 = 1e-5;

#[derive(Deserialize)]
struct Case {
    name: String,
    config: DictionaryConfig,
    x: Numbers,
    target: Option<Numbers>,
    dead: Vec<bool>,
    weights: BTreeMap<String, Numbers>,
    acts: Numbers,
    recon: Numbers,
    objective: Option<Objective>,
    #[serde(default)]
    terms: BTreeMap<String, f32>,
    #[serde(default)]
    total: f32,
    #[serde(default)]
    gradients: BTreeMap<String, Numbers>,
    #[serde(default)]
    untold: Vec<String>,
}

#[derive(Deserialize)]
struct Numbers {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Numbers {
    fn tensor<const D: usize>(&self, device: &Device) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.values.clone(), self.shape.clone()), device)
    }
}

impl Case {
    fn dictionary(&self, device: &Device) -> Dictionary {
        let vector = |name: &str| self.weights.get(name).map(|numbers| numbers.tensor::<1>(device));
        let matrix = |name: &str| self.weights.get(name).map(|numbers| numbers.tensor::<2>(device));
        let gate = vector("r_mag").map(|r_mag| Gate {
            b_gate: vector("b_gate").unwrap(),
            b_mag: vector("b_mag").unwrap(),
            r_mag,
        });
        let parameters = Parameters {
            w_enc: matrix("w_enc").unwrap(),
            b_enc: vector("b_enc"),
            w_dec: matrix("w_dec").unwrap(),
            b_dec: vector("b_dec").unwrap(),
            w_skip: matrix("w_skip"),
            threshold: vector("threshold"),
            gate,
            centred: self.config.apply_b_dec_to_input,
        };
        Dictionary::of(self.config.clone(), parameters).unwrap()
    }

    fn same(&self, what: &str, found: &[f32], expected: &[f32]) {
        let size = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let fits = found.len() == expected.len() && far <= TOLERANCE * size;
        assert!(fits, "{}: {what} differs by {far} of {size}:\n{found:?}\n{expected:?}", self.name);
    }

    fn check_losses(&self, objective: &Objective) {
        let device = Device::flex().autodiff();
        let dictionary = self.dictionary(&device).train();
        let x = self.x.tensor::<2>(&device);
        let target = self.target.as_ref().map_or_else(|| x.clone(), |target| target.tensor(&device));
        let losses = dictionary.losses(objective, &Batch::pair(x, target).dead(&self.dead)).unwrap();
        self.same("acts", &read(losses.acts.clone()), &self.acts.values);
        self.same("recon", &read(losses.reconstruction.clone()), &self.recon.values);
        for (name, expected) in &self.terms {
            let found = losses.term(name).unwrap_or_else(|| panic!("{}: no term `{name}`", self.name));
            self.same(name, &read(found.clone()), &[*expected]);
        }
        self.same("total", &read(losses.total()), &[self.total]);
        let found = gradients(&dictionary, &losses.total());
        for (name, expected) in &self.gradients {
            if !self.untold.contains(name) {
                let found = found.get(name).unwrap_or_else(|| panic!("{}: no gradient of `{name}`", self.name));
                self.same(&format!("the gradient of `{name}`"), found, &expected.values);
            }
        }
    }
}

fn gradients(dictionary: &Dictionary, of: &Tensor<1>) -> BTreeMap<String, Vec<f32>> {
    let gradients = of.backward();
    let Parameters { w_enc, b_enc, w_dec, b_dec, w_skip, threshold, gate, .. } = dictionary.parameters();
    let matrices = [("w_enc", Some(w_enc)), ("w_dec", Some(w_dec)), ("w_skip", w_skip)];
    let (b_gate, b_mag, r_mag) = match gate {
        Some(Gate { b_gate, b_mag, r_mag }) => (Some(b_gate), Some(b_mag), Some(r_mag)),
        None => (None, None, None),
    };
    let vectors = [
        ("b_enc", b_enc),
        ("b_dec", Some(b_dec)),
        ("threshold", threshold),
        ("b_gate", b_gate),
        ("b_mag", b_mag),
        ("r_mag", r_mag),
    ];
    let of_matrices = matrices.into_iter().filter_map(|(name, x)| Some((name.to_owned(), read(x?.grad(&gradients)?))));
    let of_vectors = vectors.into_iter().filter_map(|(name, x)| Some((name.to_owned(), read(x?.grad(&gradients)?))));
    of_matrices.chain(of_vectors).collect()
}

#[test]
fn everything_equals_the_recorded_numbers() {
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(RECORDED).unwrap()).unwrap();
    assert!(cases.len() > 35, "{} cases", cases.len());
    for case in &cases {
        if let Some(objective) = &case.objective {
            case.check_losses(objective);
            continue;
        }
        let dictionary = case.dictionary(&Device::flex());
        let x = case.x.tensor::<2>(&Device::flex());
        case.same("acts", &read(dictionary.encode(x.clone()).unwrap()), &case.acts.values);
        case.same("recon", &read(dictionary.apply(x).unwrap()), &case.recon.values);
    }
}
