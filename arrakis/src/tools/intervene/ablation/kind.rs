//! What an activation is replaced with.

use arrakis_models::site::Site;
use arrakis_models::{Activation, ActivationCache, HookedTransformer, Intervention, Tokens, device};
use burn::tensor::{Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::optimal::{OptimalConstant, Part, Whole};
use super::refuse::refuse;
use crate::error::Result;

/// What an activation is replaced with.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum AblationKind {
    /// Zero.
    #[default]
    Zero,
    /// The activation times this factor.
    Scale(f32),
    /// Its mean over the positions of its own row, without padding.
    Mean,
    /// Its mean over the positions of a data set, without padding.
    DatasetMean(Tokens),
    /// Its mean at the same position over the prompts of a data set. All prompts have one length.
    PositionMean(Tokens),
    /// The activation at the same position of a randomly drawn prompt. All prompts have one length.
    Resample {
        /// The prompts drawn from.
        from: Tokens,
        /// Seed of the draws.
        seed: u64,
    },
    /// The constant that keeps the output nearest to that of the whole model, trained for each part (Li and Janson 2024,
    /// <https://arxiv.org/abs/2409.09951>): what is left of the effect is what no constant can stand in for.
    Optimal(OptimalConstant),
}

/// The replacement of whole sites, and the forwards it took.
pub(super) struct Replacements {
    /// In the order of the sites.
    pub(super) edits: Vec<Intervention>,
    pub(super) forwards: usize,
}

impl Replacements {
    /// Reads all sites of a data set in one run. `parts` are what is replaced at a time, for constants of their own.
    pub(super) fn of(
        model: &HookedTransformer,
        tokens: &Tokens,
        sites: &[Site],
        parts: &[Part],
        kind: &AblationKind,
    ) -> Result<Self> {
        let same = |edit: Intervention| Ok(Self { edits: vec![edit; sites.len()], forwards: 0 });
        match kind {
            AblationKind::Zero => same(Intervention::zero()),
            AblationKind::Scale(factor) => same(Intervention::scale(*factor)),
            AblationKind::Mean => same(Intervention::mean_over_positions()),
            AblationKind::DatasetMean(data) => Data::run(model, data, sites)?.patches(Data::mean),
            AblationKind::PositionMean(data) => {
                in_line("average", tokens, data)?;
                Data::run(model, data, sites)?.patches(Data::position_mean)
            }
            AblationKind::Resample { from, seed } => {
                in_line("resample", tokens, from)?;
                let mut rng = ChaCha8Rng::seed_from_u64(*seed);
                let rows: Vec<i64> = (0..tokens.batch()).map(|_| rng.random_range(0..from.batch()) as i64).collect();
                Data::run(model, from, sites)?.patches(|data, values| data.drawn(values, &rows))
            }
            AblationKind::Optimal(settings) => {
                let whole = Whole::run(model, tokens, sites, &settings.at)?;
                let means = Data::of(model, tokens, sites, &whole.cache)?;
                let mut forwards = 1;
                let constants = means.values.iter().zip(sites).map(|(values, site)| {
                    let (constant, runs) = whole.optimal(site, parts, &means.mean(values)?, settings)?;
                    forwards += runs;
                    Ok(Intervention::patch(&constant))
                });
                let edits = constants.collect::<Result<_>>()?;
                Ok(Self { edits, forwards })
            }
        }
    }
}

/// The activations of a data set at some sites.
struct Data<'a> {
    model: &'a HookedTransformer,
    tokens: &'a Tokens,
    /// For each site.
    values: Vec<Activation>,
}

impl<'a> Data<'a> {
    fn run(model: &'a HookedTransformer, tokens: &'a Tokens, sites: &[Site]) -> Result<Self> {
        Self::of(model, tokens, sites, &model.capture(tokens, sites.iter().copied())?)
    }

    fn of(model: &'a HookedTransformer, tokens: &'a Tokens, sites: &[Site], cache: &ActivationCache) -> Result<Self> {
        let values = sites.iter().map(|site| Ok(cache.activation(site)?.clone())).collect::<Result<_>>()?;
        Ok(Self { model, tokens, values })
    }

    fn patches(&self, of: impl Fn(&Self, &Activation) -> Result<Activation>) -> Result<Replacements> {
        let edits = self.values.iter().map(|values| Ok(Intervention::patch(&of(self, values)?)));
        Ok(Replacements { edits: edits.collect::<Result<_>>()?, forwards: 1 })
    }

    /// The mean over all positions without padding, `[1, 1, ..]`.
    fn mean(&self, values: &Activation) -> Result<Activation> {
        let real: Vec<f32> = self.tokens.real().iter().flatten().map(|real| f32::from(u8::from(*real))).collect();
        let count: f32 = real.iter().sum();
        let slots = self.tokens.batch() * self.tokens.pos();
        let flat = flat(values, slots)?;
        let weights = Tensor::<2>::from_data(TensorData::new(real, [slots, 1]), &flat.device());
        self.shaped((flat * weights).sum_dim(0) / count, values, [1, 1])
    }

    /// The mean over rows, `[1, pos, ..]`.
    fn position_mean(&self, values: &Activation) -> Result<Activation> {
        let rows = flat(values, self.tokens.batch())?;
        self.shaped(rows.mean_dim(0), values, [1, self.tokens.pos()])
    }

    /// Some rows, `[row, pos, ..]`.
    fn drawn(&self, values: &Activation, rows: &[i64]) -> Result<Activation> {
        let all = flat(values, self.tokens.batch())?;
        let at = Tensor::<1, Int>::from_data(TensorData::new(rows.to_vec(), [rows.len()]), &all.device());
        self.shaped(all.select(0, at), values, [rows.len(), self.tokens.pos()])
    }

    /// Numbers with the axes of a site after batch and position.
    fn shaped(&self, numbers: Tensor<2>, of: &Activation, [batch, pos]: [usize; 2]) -> Result<Activation> {
        let dims: Vec<usize> = [batch, pos].iter().chain(&of.dims()[2..]).copied().collect();
        Ok(Activation::from_vec(device::read(numbers)?, &dims, self.model.device())?)
    }
}

/// The numbers of an activation as rows.
fn flat(values: &Activation, rows: usize) -> Result<Tensor<2>> {
    let width = values.dims().iter().product::<usize>() / rows;
    Ok(values.to_flat()?.reshape([rows, width]))
}

/// Checks that all prompts have one length.
fn in_line(what: &str, tokens: &Tokens, from: &Tokens) -> Result<()> {
    let alike = |real: &Vec<bool>| *real == tokens.real()[0];
    if tokens.real().iter().chain(from.real()).all(alike) {
        return Ok(());
    }
    let problem = format!(
        "cannot {what} prompts of {} tokens from prompts of {}; give prompts of one length",
        tokens.pos(),
        from.pos()
    );
    Err(refuse(problem))
}
