//! The constant that does the least harm in place of an activation.

use arrakis_models::site::{self, Site, layer_of};
use arrakis_models::{Activation, Edit, HookedTransformer, Plan, RunOptions, Tokens, device};
use burn::tensor::{Int, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tools::Position;
use crate::tools::shared::{common, finite};

/// The tool's name in errors.
pub(super) const TOOL: &str = "ablation";

/// The most tokens of one forward.
const TOKENS: usize = 2048;

/// How the constants of [`AblationKind::Optimal`](super::AblationKind::Optimal) are trained.
///
/// A constant starts at the mean over the prompts' positions and is moved by Adam. It minimises the Kullback-Leibler
/// divergence from the whole model's next token to the ablated one's, at the last token, averaged over the prompts. The
/// best constant that was met is kept, so it is never worse than the mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimalConstant {
    /// Steps of training.
    pub steps: usize,
    /// The step size, as a share of the activations' root mean square at the site.
    pub rate: f64,
}

impl Default for OptimalConstant {
    fn default() -> Self {
        Self { steps: 60, rate: 0.05 }
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

/// The trained constants of all parts of a site in one activation, `[1, 1, ..]`, and the forwards it took. Numbers of no
/// part keep the mean.
pub(super) fn optimal(
    model: &HookedTransformer,
    tokens: &Tokens,
    at: &Site,
    parts: &[Part],
    mean: &Activation,
    settings: &OptimalConstant,
) -> Result<(Activation, usize)> {
    let layer = layer_of(&at.to_string())
        .ok_or_else(|| refuse(format!("`{at}` is in no block, so no constant is trained for it")))?;
    if !(settings.rate > 0.0 && settings.rate.is_finite()) {
        return Err(refuse(format!("a rate of {} trains nothing; give one above 0", settings.rate)));
    }
    let whole = Whole::run(model, tokens, at, layer)?;
    let (dims, mut constant, mut forwards) = (mean.dims().to_vec(), mean.to_vec()?, 1);
    let together = (TOKENS / (tokens.batch() * tokens.pos())).max(1);
    for parts in parts.chunks(together) {
        let masks: Vec<Vec<f32>> = parts.iter().map(|part| part.mask(&dims[2..])).collect();
        let found = whole.train(&masks, &constant, settings)?;
        let width = constant.len();
        for (mask, row) in masks.iter().zip(found.chunks(width)) {
            let inside = mask.iter().zip(row).zip(&mut constant).filter(|((mask, _), _)| **mask > 0.0);
            inside.for_each(|((_, value), constant)| *constant = *value);
        }
        forwards += settings.steps + 1;
    }
    Ok((Activation::from_vec(constant, &dims, model.device())?, forwards))
}

/// The unedited run.
struct Whole<'a> {
    model: &'a HookedTransformer,
    tokens: &'a Tokens,
    at: &'a Site,
    layer: usize,
    /// The stream entering the site's block.
    resid_pre: Tensor<3>,
    /// Log-probabilities of the next token at the last token, `[prompt, d_vocab]`.
    log_probs: Tensor<2>,
    /// Root mean square of the activations at the site.
    size: f64,
}

impl<'a> Whole<'a> {
    fn run(model: &'a HookedTransformer, tokens: &'a Tokens, at: &'a Site, layer: usize) -> Result<Self> {
        let (logits, cache) = model.run_with_cache(tokens, [at.to_string(), site::resid_pre(layer).to_string()])?;
        let values = cache.activation(at)?.to_flat()?;
        let size = common::number((values.clone() * values).mean())?.sqrt();
        finite::check(TOOL, model, tokens, "an activation", size)?;
        let log_probs = last(&logits, tokens)?;
        Ok(Self { model, tokens, at, layer, resid_pre: cache.get(site::resid_pre(layer))?, log_probs, size })
    }

    /// The best constant of each mask, `[mask * width]`.
    fn train(&self, masks: &[Vec<f32>], start: &[f32], settings: &OptimalConstant) -> Result<Vec<f32>> {
        let (count, width) = (masks.len(), start.len());
        let tensor =
            |numbers: Vec<f32>| Tensor::<2>::from_data(TensorData::new(numbers, [count, width]), self.model.device());
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
        let (prompts, slots) = (self.tokens.batch(), self.tokens.batch() * self.tokens.pos());
        let tokens = self.tokens.repeated(count);
        let (put, own) = (constant.clone(), mask.clone());
        let replace = Edit::any("constant", move |value, _| {
            let shape = [count, slots, width];
            let (put, own) = (put.clone().unsqueeze_dim::<3>(1), own.clone().unsqueeze_dim::<3>(1));
            let flat = value.to_flat()?.reshape(shape);
            let new = flat.clone() + (put - flat) * own;
            Activation::shaped(new.reshape([count * slots * width]), value.dims())
        });
        let plan = Plan::new().edit(self.at, replace.unmeasured()).grad(self.at);
        let start = (self.layer, self.resid_pre.clone().repeat_dim(0, count));
        let outcome = self.model.run_from(&tokens, plan, Some(start), &RunOptions::new())?;
        let clean = self.log_probs.clone().repeat_dim(0, count);
        let harm = (clean.clone().exp() * (clean - last(&outcome.output, &tokens)?)).sum_dim(1);
        let harm = harm.reshape([count, prompts]).mean_dim(1).reshape([count]);
        let values = common::numbers(harm.clone())?;
        finite::check_all(TOOL, self.model, self.tokens, "the divergence", &values)?;
        let slope = outcome.gradients(harm.sum())?.activation(self.at)?.to_vec()?;
        let slope = Tensor::<3>::from_data(TensorData::new(slope, [count, slots, width]), &mask.device());
        Ok((values, slope.sum_dim(1).reshape([count, width]) * mask.clone()))
    }
}

/// Log-probabilities of the next token at each row's last token, `[row, d_vocab]`.
fn last(logits: &Tensor<3>, tokens: &Tokens) -> Result<Tensor<2>> {
    let [rows, pos, d_vocab] = logits.dims();
    let at = Position::LAST.of(tokens)?.into_iter().enumerate().map(|(row, at)| (row * pos + at) as i64);
    let at = Tensor::<1, Int>::from_data(TensorData::new(at.collect::<Vec<_>>(), [rows]), &logits.device());
    Ok(activation::log_softmax(logits.clone().reshape([rows * pos, d_vocab]).select(0, at), 1))
}

fn refuse(problem: String) -> Error {
    Error::Tool { tool: TOOL, problem }
}
