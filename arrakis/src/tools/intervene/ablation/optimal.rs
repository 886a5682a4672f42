//! The constant that does the least harm in place of an activation.

use arrakis_models::site::{self, Site, layer_of};
use arrakis_models::{Activation, ActivationCache, Edit, HookedTransformer, Plan, RunOptions, Tokens, device};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::divergence::{Divergence, DivergenceAt};
use super::refuse::{NAME, refuse};
use crate::error::Result;
use crate::tools::shared::{common, finite};

/// How the constants of [`AblationKind::Optimal`](super::AblationKind::Optimal) are trained.
///
/// A constant starts at the mean over the prompts' positions and is moved by Adam. It minimises the Kullback-Leibler
/// divergence from the whole model's next token to the ablated one's, averaged over positions and then over the prompts.
/// The best constant that was met is kept, so it is never worse than the mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimalConstant {
    /// Steps of training.
    pub steps: usize,
    /// The step size, as a share of the activations' root mean square at the site.
    pub rate: f64,
    /// Where the divergence is taken.
    pub at: DivergenceAt,
}

impl Default for OptimalConstant {
    fn default() -> Self {
        Self { steps: 60, rate: 0.05, at: DivergenceAt::default() }
    }
}

/// What is replaced at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Head(usize),
    Feature(usize),
}

impl Part {
    /// 1 where the part is, along the axes after the position.
    fn mask(self, dims: &[usize]) -> Vec<f32> {
        let (width, last) = (dims.iter().product::<usize>(), dims.last().copied().unwrap_or(1));
        let inside = |at: usize| match self {
            Self::Whole => true,
            Self::Head(head) => at / last == head,
            Self::Feature(feature) => at % last == feature,
        };
        (0..width).map(|at| f32::from(u8::from(inside(at)))).collect()
    }
}

/// The unedited run of some prompts, with the streams that its edited sites start from.
pub(super) struct Whole<'a> {
    model: &'a HookedTransformer,
    tokens: &'a Tokens,
    pub(super) cache: ActivationCache,
    divergence: Divergence,
}

/// A site whose constants are trained.
struct Trained<'a> {
    whole: &'a Whole<'a>,
    at: &'a Site,
    layer: usize,
    /// Root mean square of the activations at the site.
    size: f64,
}

impl<'a> Whole<'a> {
    pub(super) fn run(
        model: &'a HookedTransformer,
        tokens: &'a Tokens,
        sites: &[Site],
        at: &DivergenceAt,
    ) -> Result<Self> {
        let entering = sites.iter().map(|at| Ok(site::resid_pre(block_of(at)?))).collect::<Result<Vec<_>>>()?;
        let (logits, cache) = model.run_with_cache(tokens, sites.iter().chain(&entering).map(Site::to_string))?;
        Ok(Self { model, tokens, cache, divergence: Divergence::from(&logits, tokens, at)? })
    }

    /// The trained constants of all parts of a site in one activation, `[1, 1, ..]`, and the forwards it took. Numbers of
    /// no part keep the mean.
    pub(super) fn optimal(
        &self,
        at: &Site,
        parts: &[Part],
        mean: &Activation,
        settings: &OptimalConstant,
    ) -> Result<(Activation, usize)> {
        if !(settings.rate > 0.0 && settings.rate.is_finite()) {
            return Err(refuse(format!("a rate of {} trains nothing; give one above 0", settings.rate)));
        }
        let trained = Trained::new(self, at)?;
        let (dims, mut constant, mut forwards) = (mean.dims().to_vec(), mean.to_vec()?, 0);
        for parts in parts.chunks(common::copies(self.tokens.batch() * self.tokens.pos())) {
            let masks: Vec<Vec<f32>> = parts.iter().map(|part| part.mask(&dims[2..])).collect();
            let found = trained.train(&masks, &constant, settings)?;
            let width = constant.len();
            for (mask, row) in masks.iter().zip(found.chunks(width)) {
                let inside = mask.iter().zip(row).zip(&mut constant).filter(|((mask, _), _)| **mask > 0.0);
                inside.for_each(|((_, value), constant)| *constant = *value);
            }
            forwards += settings.steps + 1;
        }
        Ok((Activation::from_vec(constant, &dims, self.model.device())?, forwards))
    }
}

fn block_of(at: &Site) -> Result<usize> {
    layer_of(&at.to_string()).ok_or_else(|| refuse(format!("`{at}` is in no block, so no constant is trained for it")))
}

impl<'a> Trained<'a> {
    fn new(whole: &'a Whole<'a>, at: &'a Site) -> Result<Self> {
        let values = whole.cache.activation(at)?.to_flat()?;
        let size = common::number((values.clone() * values).mean())?.sqrt();
        finite::check(NAME, whole.model, whole.tokens, "an activation", size)?;
        Ok(Self { whole, at, layer: block_of(at)?, size })
    }

    /// The best constant of each mask, `[mask * width]`.
    fn train(&self, masks: &[Vec<f32>], start: &[f32], settings: &OptimalConstant) -> Result<Vec<f32>> {
        let (count, width) = (masks.len(), start.len());
        let tensor = |numbers: Vec<f32>| {
            Tensor::<2>::from_data(TensorData::new(numbers, [count, width]), self.whole.model.device())
        };
        let mask = tensor(masks.concat());
        let mut constant = tensor(start.repeat(count));
        let (mut mean, mut square) = (constant.zeros_like(), constant.zeros_like());
        let (mut best, mut least) = (start.repeat(count), vec![f64::INFINITY; count]);
        for step in 1..=settings.steps + 1 {
            let (harm, slope) = self.harm(&constant, &mask)?;
            let here = device::read(constant.clone())?;
            for (part, harm) in
                harm.into_iter().enumerate().filter(|(part, harm)| *harm < least[*part]).collect::<Vec<_>>()
            {
                least[part] = harm;
                best[part * width..][..width].copy_from_slice(&here[part * width..][..width]);
            }
            mean = mean * 0.9 + slope.clone() * 0.1;
            square = square * 0.999 + slope.clone() * slope * 0.001;
            let (first, second) = (1.0 - 0.9_f64.powi(step as i32), 1.0 - 0.999_f64.powi(step as i32));
            // Large steps find the valley, small ones its floor.
            let rate = settings.rate * self.size * (1.0 - (step - 1) as f64 / (settings.steps + 1) as f64);
            constant = constant - mean.clone() / first / ((square.clone() / second).sqrt() + 1e-12) * rate;
        }
        Ok(best)
    }

    /// The mean divergence over prompts with each mask's part replaced, `[mask]` in nats, and its gradient at the
    /// constants, `[mask, width]`.
    fn harm(&self, constant: &Tensor<2>, mask: &Tensor<2>) -> Result<(Vec<f64>, Tensor<2>)> {
        let [count, width] = constant.dims();
        let slots = self.whole.tokens.batch() * self.whole.tokens.pos();
        let tokens = self.whole.tokens.repeated(count);
        let (put, own) = (constant.clone(), mask.clone());
        let replace = Edit::any("constant", move |value, _| {
            let shape = [count, slots, width];
            let (put, own) = (put.clone().unsqueeze_dim::<3>(1), own.clone().unsqueeze_dim::<3>(1));
            let flat = value.to_flat()?.reshape(shape);
            let new = flat.clone() + (put - flat) * own;
            Activation::shaped(new.reshape([count * slots * width]), value.dims())
        });
        let plan = Plan::new().edit(self.at, replace.unmeasured()).grad(self.at);
        let start = self.whole.cache.get::<3>(site::resid_pre(self.layer))?.repeat_dim(0, count);
        let outcome = self.whole.model.run_from(&tokens, plan, Some((self.layer, start)), &RunOptions::new())?;
        let harm = self.whole.divergence.of_copies(&outcome.output, count);
        let values = common::numbers(harm.clone())?;
        finite::check_all(NAME, self.whole.model, self.whole.tokens, "the divergence", &values)?;
        let slope = outcome.gradients(harm.sum())?.activation(self.at)?.to_vec()?;
        let slope = Tensor::<3>::from_data(TensorData::new(slope, [count, slots, width]), &mask.device());
        Ok((values, slope.sum_dim(1).reshape([count, width]) * mask.clone()))
    }
}
