//! A dictionary as a hooked Burn module.

use arrakis_macros::hooked;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::architectures::{Objective, Parts, Pre};
use super::batch::Batch;
use super::config::DictionaryConfig;
use super::loss::Losses;
use super::parameters::{Gate, Parameters};
use super::pass::Pass;
use crate::error::{Error, Result};
use crate::hooks;

/// A sparse autoencoder or transcoder, with any encoder: `x̂ = f W_dec + b_dec` for latents `f` of `x`, few of which are
/// active.
///
/// It is a Burn module: an optimiser steps its parameters, and `#[hooked]` makes its tensors sites. Rows are independent,
/// except in the training of batch-top-k dictionaries.
///
/// ```
/// # extern crate arrakis_models as arrakis;
/// use arrakis_models::TensorRead as _;
/// use arrakis_models::dictionary::architectures::TopK;
/// use arrakis_models::dictionary::{Batch, Dictionary, DictionaryConfig, Init};
/// use burn::tensor::{Device, Distribution, Tensor};
///
/// # fn main() -> arrakis_models::Result<()> {
/// let device = Device::flex();
/// let config = DictionaryConfig::autoencoder(8, 32, TopK { k: 4, ..TopK::default() });
/// let dictionary = Dictionary::new(config, &Init::default(), 0, &device)?;
/// let x = Tensor::<2>::random([5, 8], Distribution::Default, &device);
/// let acts = dictionary.encode(x.clone())?;
/// assert_eq!(acts.dims(), [5, 32]);
/// let active = acts.read()?.iter().filter(|act| **act > 0.0).count();
/// assert!(active <= 5 * 4);
///
/// let losses = dictionary.losses(&dictionary.config.architecture.objective(), &Batch::of(x))?;
/// assert!(losses.total().read_one()? > 0.0);
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Dictionary {
    /// `[d_in, d_sae]`
    pub w_enc: Param<Tensor<2>>,
    /// `[d_sae]`; absent in gated dictionaries.
    pub b_enc: Option<Param<Tensor<1>>>,
    /// `[d_sae, d_out]`: the direction that each latent writes.
    pub w_dec: Param<Tensor<2>>,
    /// `[d_out]`
    pub b_dec: Param<Tensor<1>>,
    /// `[d_in, d_out]`; skip transcoders alone have it.
    pub w_skip: Option<Param<Tensor<2>>>,
    /// `[d_sae]`; `JumpReLU` alone has it.
    pub threshold: Option<Param<Tensor<1>>>,
    /// Gated dictionaries alone have it.
    pub gate: Option<GateParameters>,
    /// Sizes, architecture and conventions.
    #[module(skip)]
    pub config: DictionaryConfig,
}

/// What a gated dictionary has instead of `b_enc`.
#[derive(Module, Debug)]
pub struct GateParameters {
    /// `[d_sae]`: bias of the gate.
    pub b_gate: Param<Tensor<1>>,
    /// `[d_sae]`: bias of the magnitude.
    pub b_mag: Param<Tensor<1>>,
    /// `[d_sae]`: logarithm of the factor between the two encoders.
    pub r_mag: Param<Tensor<1>>,
}

impl Dictionary {
    /// A dictionary with these parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Dictionary`] naming each parameter that is missing, not the architecture's, or of the wrong shape, and
    /// those of [`DictionaryConfig::check`].
    pub fn of(config: DictionaryConfig, parameters: Parameters) -> Result<Self> {
        config.check()?;
        let problems = problems(&config, &parameters);
        if !problems.is_empty() {
            return Err(Error::Dictionary { problems });
        }
        let own = Param::from_tensor;
        let gate = parameters.gate.map(|Gate { b_gate, b_mag, r_mag }| GateParameters {
            b_gate: Param::from_tensor(b_gate),
            b_mag: Param::from_tensor(b_mag),
            r_mag: Param::from_tensor(r_mag),
        });
        Ok(Self {
            w_enc: own(parameters.w_enc),
            b_enc: parameters.b_enc.map(Param::from_tensor),
            w_dec: own(parameters.w_dec),
            b_dec: Param::from_tensor(parameters.b_dec),
            w_skip: parameters.w_skip.map(Param::from_tensor),
            threshold: parameters.threshold.map(Param::from_tensor),
            gate,
            config,
        })
    }

    /// Its tensors.
    pub fn parameters(&self) -> Parameters {
        let gate = |gate: &GateParameters| Gate {
            b_gate: gate.b_gate.val(),
            b_mag: gate.b_mag.val(),
            r_mag: gate.r_mag.val(),
        };
        Parameters {
            w_enc: self.w_enc.val(),
            b_enc: self.b_enc.as_ref().map(Param::val),
            w_dec: self.w_dec.val(),
            b_dec: self.b_dec.val(),
            w_skip: self.w_skip.as_ref().map(Param::val),
            threshold: self.threshold.as_ref().map(Param::val),
            gate: self.gate.as_ref().map(gate),
            centred: self.config.apply_b_dec_to_input,
        }
    }

    /// The device of its parameters.
    pub fn device(&self) -> Device {
        self.w_enc.val().device()
    }

    /// The encoder before its activation function: `[.., d_in]` to `[.., d_sae]`. Of a gated dictionary the magnitude.
    ///
    /// # Errors
    ///
    /// [`Error::Axis`] if the last axis is not `d_in` long.
    pub fn pre_acts<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<D>> {
        let (rows, dims) = self.rows(x)?;
        Ok(widened(self.pre(self.config.normalization.apply(rows).0).pre_acts, dims))
    }

    /// The latents: `[.., d_in]` to `[.., d_sae]`. A batch-top-k dictionary uses its threshold.
    ///
    /// # Errors
    ///
    /// [`Error::Axis`] if the last axis is not `d_in` long.
    pub fn encode<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<D>> {
        let (rows, dims) = self.rows(x)?;
        let pre = self.pre(self.config.normalization.apply(rows).0);
        Ok(widened(self.activate(pre), dims))
    }

    /// What latents write: `[.., d_sae]` to `[.., d_out]`. With a [`Normalization`](super::Normalization) of each
    /// activation it is in normalised units, and without a skip connection's part: [`Dictionary::apply`] has both.
    ///
    /// # Errors
    ///
    /// [`Error::Axis`] if the last axis is not `d_sae` long.
    pub fn decode<const D: usize>(&self, acts: Tensor<D>) -> Result<Tensor<D>> {
        let dims = acts.dims();
        let rows = flat(acts, self.config.d_sae, "d_sae")?;
        let parameters = self.parameters();
        let acts = self.config.architecture.encoder().rescaled(&parameters, rows);
        Ok(widened(parameters.decode(acts), dims))
    }

    /// The reconstruction, or the prediction of a transcoder: `[.., d_in]` to `[.., d_out]`.
    ///
    /// # Errors
    ///
    /// [`Error::Axis`] if the last axis is not `d_in` long.
    pub fn apply<const D: usize>(&self, x: Tensor<D>) -> Result<Tensor<D>> {
        let (rows, dims) = self.rows(x)?;
        Ok(widened(self.written(rows.clone(), self.encoded(rows)), dims))
    }

    /// `[batch, pos, d_in]` to `[batch, pos, d_out]`. Sites: `pre_acts` and `acts` `[batch, pos, d_sae]`, `recon`
    /// `[batch, pos, d_out]`.
    ///
    /// # Panics
    ///
    /// If the last axis is not `d_in` long: what splices a dictionary checks it before a run.
    #[hooked(skip(rows, pre, gate))]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let dims = x.dims();
        let rows = x.reshape([dims[0] * dims[1], dims[2]]);
        let (normal, _undo) = self.config.normalization.apply(rows.clone());
        let pre = self.pre(normal);
        let gate = pre.gate;
        let pre_acts = widened(pre.pre_acts, dims);
        let acts = widened(self.activate(Pre { pre_acts: joined(pre_acts), gate }), dims);
        let recon = widened(self.written(rows, joined(acts)), dims);
        recon
    }

    /// The same with what it does not reconstruct of `target` added back: `target` itself, to the bit, unless an edit changes
    /// something here. Sites: those of [`Dictionary::forward`], and `error` `[batch, pos, d_out]`, a constant.
    #[hooked(skip(rows, pre, gate, again, clean, rest))]
    pub(super) fn forward_with_error(&self, x: Tensor<3>, target: Tensor<3>) -> Tensor<3> {
        let dims = x.dims();
        let rows = x.reshape([dims[0] * dims[1], dims[2]]);
        let (normal, _undo) = self.config.normalization.apply(rows.clone());
        let pre = self.pre(normal);
        let gate = pre.gate;
        let changed = ["pre_acts", "acts", "recon"].into_iter().any(hooks::edited);
        let pre_acts = widened(pre.pre_acts, dims);
        let acts = widened(self.activate(Pre { pre_acts: joined(pre_acts), gate }), dims);
        let recon = widened(self.written(rows.clone(), joined(acts)), dims);
        // The same operations give the same bits, so the two differ only by what edits did.
        let again = if changed { widened(self.written(rows.clone(), self.encoded(rows)), dims) } else { recon.clone() };
        let clean = again.detach();
        let rest = target.clone().detach() - clean.clone();
        let error = rest.clone();
        target.detach() + (recon - clean) + (error - rest)
    }

    /// The losses of one step of training. A batch-top-k dictionary keeps the largest latents of the batch.
    ///
    /// # Errors
    ///
    /// [`Error::Axis`] for rows of other widths than the dictionary's or other numbers of rows; [`Error::Count`] for dead
    /// latents that are not one for each; [`Error::Setting`] for an objective of another architecture or with settings
    /// that are not valid.
    pub fn losses(&self, objective: &Objective, batch: &Batch<'_>) -> Result<Losses> {
        let config = &self.config;
        objective.check(&config.architecture, config.d_sae)?;
        self.check_batch(batch)?;
        if config.normalization.is_of_each() && objective.revives() {
            let fix = "dead latents predict in the units of the target, which this normalisation changes; use `None`, or leave `aux` out";
            let value = format!("{:?}", config.normalization);
            return Err(Error::Setting { setting: "normalization", value, fix: fix.into() });
        }
        let (x, undo) = config.normalization.apply(batch.x.clone());
        let pass = Pass {
            parameters: self.parameters(),
            x,
            target: batch.target.clone(),
            undo,
            sources: config.sources,
            dead: batch.dead,
            warm_up: batch.warm_up,
        };
        Ok(objective.losses(&config.architecture, &pass))
    }

    fn check_batch(&self, batch: &Batch<'_>) -> Result<()> {
        let ([rows, width], [targets, out]) = (batch.x.dims(), batch.target.dims());
        check_axis("d_in", self.config.d_in, width, &[rows, width])?;
        check_axis("d_out", self.config.d_out, out, &[targets, out])?;
        check_axis("rows of the target", rows, targets, &[targets, out])?;
        match batch.dead.len() {
            0 => Ok(()),
            actual if actual == self.config.d_sae => Ok(()),
            actual => {
                Err(Error::Count { what: "flags of dead latents, or none".into(), expected: self.config.d_sae, actual })
            }
        }
    }

    fn rows<const D: usize>(&self, x: Tensor<D>) -> Result<(Tensor<2>, [usize; D])> {
        let dims = x.dims();
        Ok((flat(x, self.config.d_in, "d_in")?, dims))
    }

    fn pre(&self, normal: Tensor<2>) -> Pre {
        self.config.architecture.encoder().pre(&self.parameters(), normal)
    }

    fn activate(&self, pre: Pre) -> Tensor<2> {
        self.config.architecture.encoder().activate(&self.parameters(), pre)
    }

    /// The latents of rows `[rows, d_in]`.
    fn encoded(&self, rows: Tensor<2>) -> Tensor<2> {
        self.activate(self.pre(self.config.normalization.apply(rows).0))
    }

    /// What latents of the rows write, `[rows, d_out]`, in the units of the target.
    fn written(&self, rows: Tensor<2>, acts: Tensor<2>) -> Tensor<2> {
        let parameters = self.parameters();
        let (normal, undo) = self.config.normalization.apply(rows);
        let acts = self.config.architecture.encoder().rescaled(&parameters, acts);
        undo.apply(parameters.skipped(parameters.decode(acts), normal))
    }
}

/// All axes but the last as one.
fn joined<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    let dims = x.dims();
    let width = dims[D - 1];
    x.reshape([dims[..D - 1].iter().product(), width])
}

/// The same, if the last axis has the right length.
fn flat<const D: usize>(x: Tensor<D>, width: usize, axis: &'static str) -> Result<Tensor<2>> {
    let dims = x.dims();
    check_axis(axis, width, dims[D - 1], &dims)?;
    Ok(joined(x))
}

fn check_axis(axis: &'static str, expected: usize, actual: usize, dims: &[usize]) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::Axis { axis, expected, actual, dims: dims.to_vec() })
}

/// Rows as a tensor of these axes, except for the last.
fn widened<const D: usize>(rows: Tensor<2>, mut dims: [usize; D]) -> Tensor<D> {
    dims[D - 1] = rows.dims()[1];
    rows.reshape(dims)
}

/// One line for each parameter that does not fit.
fn problems(config: &DictionaryConfig, parameters: &Parameters) -> Vec<String> {
    let DictionaryConfig { d_in, d_sae, d_out, .. } = *config;
    let Parts { threshold, gate } = config.architecture.encoder().parts();
    let matrix = |x: &Tensor<2>| x.dims().to_vec();
    let vector = |x: &Tensor<1>| x.dims().to_vec();
    let of_gate = |part: fn(&Gate) -> &Tensor<1>| parameters.gate.as_ref().map(|gate| vector(part(gate)));
    let skip = parameters.w_skip.as_ref();
    let all = [
        ("w_enc", true, Some(matrix(&parameters.w_enc)), vec![d_in, d_sae]),
        ("b_enc", !gate, parameters.b_enc.as_ref().map(vector), vec![d_sae]),
        ("w_dec", true, Some(matrix(&parameters.w_dec)), vec![d_sae, d_out]),
        ("b_dec", true, Some(vector(&parameters.b_dec)), vec![d_out]),
        ("w_skip", config.skip, skip.map(matrix), vec![d_in, d_out]),
        ("threshold", threshold.is_some(), parameters.threshold.as_ref().map(vector), vec![d_sae]),
        ("b_gate", gate, of_gate(|gate| &gate.b_gate), vec![d_sae]),
        ("b_mag", gate, of_gate(|gate| &gate.b_mag), vec![d_sae]),
        ("r_mag", gate, of_gate(|gate| &gate.r_mag), vec![d_sae]),
    ];
    let name = config.architecture.name();
    let problem = |(part, wanted, found, shape): (&str, bool, Option<Vec<usize>>, Vec<usize>)| match (wanted, found) {
        (true, None) => Some(format!("`{part}` is missing: a `{name}` dictionary needs one of shape {shape:?}")),
        (false, Some(_)) => Some(format!("`{part}` is there, but this `{name}` dictionary has none: leave it out")),
        (true, Some(found)) if found != shape => {
            Some(format!("`{part}` has shape {found:?}, the config needs {shape:?}"))
        }
        _ => None,
    };
    all.into_iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::architectures::{Gated, JumpRelu, Standard};
    use crate::dictionary::testing::{batch, close, read, tiny};
    use crate::dictionary::{Init, Normalization};

    #[test]
    fn a_standard_dictionary_by_hand() {
        let mut dictionary = tiny(Standard, [[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 1.0]]);
        dictionary.b_dec = Param::from_tensor(Tensor::from_floats([1.0, 0.0], &Device::flex()));
        let x = batch([[2.0, 3.0], [0.0, 1.0]]).x;
        close(&read(dictionary.pre_acts(x.clone()).unwrap()), &[1.0, 6.0, -1.0, 2.0]);
        close(&read(dictionary.encode(x.clone()).unwrap()), &[1.0, 6.0, 0.0, 2.0]);
        close(&read(dictionary.apply(x.clone()).unwrap()), &[2.0, 7.0, 1.0, 2.0]);
        dictionary.config.apply_b_dec_to_input = false;
        close(&read(dictionary.encode(x).unwrap()), &[2.0, 6.0, 0.0, 2.0]);
    }

    #[test]
    fn the_hooked_forward_and_the_parts_give_the_same_bits() {
        for normalization in [Normalization::None, Normalization::LayerNorm, Normalization::ConstantNormRescale] {
            let config = DictionaryConfig { normalization, ..DictionaryConfig::autoencoder(6, 10, Standard) };
            let dictionary = Dictionary::new(config, &Init::default(), 3, &Device::flex()).unwrap();
            let values: Vec<f32> = (0..24).map(|i| ((i * i) as f32).sin()).collect();
            let x = Tensor::<1>::from_floats(values.as_slice(), &Device::flex()).reshape([2, 2, 6]);
            let whole = read(dictionary.forward(x.clone()));
            assert_eq!(whole, read(dictionary.apply(x.clone()).unwrap()));
            assert_eq!(whole, read(dictionary.apply(x.reshape([4, 6])).unwrap()), "rows are independent");
        }
    }

    #[test]
    fn a_skip_transcoder_adds_a_linear_path() {
        let config = DictionaryConfig::skip_transcoder(2, 2, 1, Standard);
        let device = Device::flex();
        let parameters = Parameters {
            w_enc: Tensor::eye(2, &device),
            b_enc: Some(Tensor::zeros([2], &device)),
            w_dec: Tensor::from_floats([[1.0], [10.0]], &device),
            b_dec: Tensor::from_floats([0.5], &device),
            w_skip: Some(Tensor::from_floats([[2.0], [3.0]], &device)),
            threshold: None,
            gate: None,
            centred: false,
        };
        let dictionary = Dictionary::of(config, parameters).unwrap();
        close(&read(dictionary.apply(batch([[1.0, -1.0]]).x).unwrap()), &[1.0 + 0.5 + 2.0 - 3.0]);
    }

    #[test]
    fn tensors_that_do_not_fit_are_named() {
        let dictionary = tiny(Standard, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]);
        let wide = Tensor::<3>::zeros([1, 2, 3], &Device::flex());
        let said = dictionary.encode(wide).unwrap_err().to_string();
        assert_eq!(said, "the axis `d_in` should be 2 long, is 3 in a tensor of shape [1, 2, 3]");
        let objective = Objective::from(crate::dictionary::architectures::GatedLoss::default());
        let said = dictionary.losses(&objective, &batch([[1.0, 2.0]])).unwrap_err().to_string();
        assert_eq!(said, "`objective` is that of `gated`: the dictionary is `standard`; give an objective of that");
        let objective = dictionary.config.architecture.objective();
        let said = dictionary.losses(&objective, &batch([[1.0, 2.0]]).dead(&[true])).unwrap_err().to_string();
        assert_eq!(said, "expected 2 flags of dead latents, or none, got 1");
    }

    #[test]
    fn parameters_that_do_not_fit_are_named_all_at_once() {
        let parameters = || tiny(Standard, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]).parameters();
        let said = |config: DictionaryConfig| Dictionary::of(config, parameters()).unwrap_err().to_string();
        let gated = said(DictionaryConfig::autoencoder(2, 2, Gated));
        assert_eq!(
            gated,
            "the parameters do not fit the dictionary's config:\n\
             `b_enc` is there, but this `gated` dictionary has none: leave it out\n\
             `b_gate` is missing: a `gated` dictionary needs one of shape [2]\n\
             `b_mag` is missing: a `gated` dictionary needs one of shape [2]\n\
             `r_mag` is missing: a `gated` dictionary needs one of shape [2]"
        );
        assert!(said(DictionaryConfig::autoencoder(2, 2, JumpRelu::default())).contains("`threshold` is missing"));
        let wide = said(DictionaryConfig::autoencoder(2, 3, Standard));
        assert!(wide.contains("`w_enc` has shape [2, 2], the config needs [2, 3]"), "{wide}");
    }
}
