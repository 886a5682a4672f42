//! A dictionary as a hooked Burn module.

#[cfg(test)]
mod tests;

use arrakis_macros::hooked;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::architectures::{Objective, Pre};
use super::batch::Batch;
use super::config::DictionaryConfig;
use super::loss::Losses;
use super::parameters::{Gate, Parameters};
use super::pass::Pass;
use super::shapes::{check_axis, flat, joined, problems, widened};
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
    pub(crate) fn forward_with_error(&self, x: Tensor<3>, target: Tensor<3>) -> Tensor<3> {
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
