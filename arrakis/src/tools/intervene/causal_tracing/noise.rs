//! Gaussian noise on the embeddings of the subject, fixed by seeds.

use arrakis_models::transformer::{Init, RandomSource, Source};
use arrakis_models::{HookedTransformer, Splice, Tokens, device, site};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::refuse::refuse;
use crate::error::Result;

/// How strong the noise is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Level {
    /// This many times the standard deviation of the subject's embeddings.
    Times(f64),
    /// This standard deviation, in the units of `embed`.
    Sd(f64),
}

impl Level {
    /// The standard deviation of the noise. `embed` is `[prompt, pos, d_model]`.
    pub(super) fn sd(self, embed: &Tensor<3>, subject: &[usize]) -> Result<f64> {
        let sd = match self {
            Self::Sd(sd) => sd,
            Self::Times(times) => times * spread(embed, subject)?,
        };
        if sd.is_finite() && sd > 0.0 {
            return Ok(sd);
        }
        Err(refuse(format!("noise of standard deviation {sd} corrupts nothing; give a positive number")))
    }
}

/// The standard deviation of all numbers of the subject's embeddings, over all prompts, as `torch.std` computes it.
fn spread(embed: &Tensor<3>, subject: &[usize]) -> Result<f64> {
    let parts = subject.iter().map(|at| embed.clone().narrow(1, *at, 1)).collect();
    let values: Vec<f64> = device::read(Tensor::cat(parts, 1))?.into_iter().map(f64::from).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Ok((squares / (values.len().max(2) - 1) as f64).sqrt())
}

/// Standard normal numbers for each seed, `[seed][subject token * d_model]`. A seed's numbers do not depend on how many
/// other seeds or prompts there are.
pub(super) fn drawn(seeds: impl Iterator<Item = u64>, tokens: usize, d_model: usize) -> Result<Vec<Vec<f32>>> {
    let cpu = Device::flex();
    let of_seed = |seed| {
        Ok(device::read(RandomSource::new(seed, &cpu).take::<2>("noise", [tokens, d_model], Init::Normal(1.0)))?)
    };
    seeds.map(of_seed).collect()
}

/// The model whose run on `prompts.repeated(seeds)` is the corrupted run: `embed` plus `sd` times the noise.
pub(super) fn corrupted(
    model: &HookedTransformer,
    prompts: &Tokens,
    subject: &[usize],
    noise: &[Vec<f32>],
    sd: f64,
) -> Result<HookedTransformer> {
    let [batch, pos, d_model] = [prompts.batch(), prompts.pos(), model.config().d_model];
    let mut values = vec![0.0; noise.len() * batch * pos * d_model];
    for (row, row_values) in values.chunks_mut(pos * d_model).enumerate() {
        let own = noise[row / batch].chunks(d_model);
        for (at, own) in subject.iter().zip(own) {
            let place = &mut row_values[at * d_model..(at + 1) * d_model];
            place.iter_mut().zip(own).for_each(|(place, own)| *place = (sd * f64::from(*own)) as f32);
        }
    }
    let shape = [noise.len() * batch, pos, d_model];
    let added = Tensor::from_data(TensorData::new(values, shape), model.device());
    let noise = Noise { added: Param::from_tensor(added) };
    Ok(model.spliced([Splice::new("causal_tracing_noise", site::embed(), noise, Noise::forward)])?)
}

/// Noise for each row of a batch.
#[derive(Module, Debug)]
struct Noise {
    /// `[row, pos, d_model]`
    added: Param<Tensor<3>>,
}

impl Noise {
    /// A sweep may run the batch several times in one forward.
    fn forward(&self, embed: Tensor<3>) -> Tensor<3> {
        let times = embed.dims()[0] / self.added.val().dims()[0];
        embed + self.added.val().repeat_dim(0, times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{close, fixture};

    #[test]
    fn the_standard_deviation_by_hand() {
        let embed = Tensor::<3>::from_floats([[[9.0, 9.0], [1.0, 3.0]], [[9.0, 9.0], [5.0, 7.0]]], &Device::flex());
        // 1, 3, 5 and 7 have mean 4 and squared distances 9, 1, 1, 9.
        close(Level::Times(3.0).sd(&embed, &[1]).unwrap(), 3.0 * (20.0_f64 / 3.0).sqrt(), 1e-9);
        close(Level::Sd(0.5).sd(&embed, &[1]).unwrap(), 0.5, 0.0);
        let error = Level::Sd(0.0).sd(&embed, &[1]).unwrap_err().to_string();
        assert_eq!(error, "causal_tracing: noise of standard deviation 0 corrupts nothing; give a positive number");
        assert!(Level::Times(f64::NAN).sd(&embed, &[1]).is_err());
    }

    #[test]
    fn only_the_subject_is_noised_and_each_seed_differs() {
        let model = fixture("gpt2");
        let prompts = Tokens::new(vec![vec![1, 2, 3], vec![4, 5, 6]]).unwrap();
        let noise = drawn([7, 8].into_iter(), 1, 32).unwrap();
        assert_eq!(noise[1], drawn([8].into_iter(), 1, 32).unwrap()[0]);
        let read = |model: &HookedTransformer, tokens: &Tokens| {
            device::read(model.capture(tokens, ["embed"]).unwrap().get::<3>("embed").unwrap()).unwrap()
        };
        let rows = prompts.repeated(2);
        let noised = read(&corrupted(&model, &prompts, &[1], &noise, 2.0).unwrap(), &rows);
        let clean = read(&model, &rows);
        for (index, (noised, clean)) in noised.iter().zip(&clean).enumerate() {
            let (row, pos, m) = (index / 96, index / 32 % 3, index % 32);
            let added = if pos == 1 { 2.0 * noise[row / 2][m] } else { 0.0 };
            close(noised - clean, added, 1e-5);
        }
        let values = drawn(0..200, 1, 32).unwrap().concat();
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
        let square = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.05 && (square - 1.0).abs() < 0.05, "{mean} {square}");
    }
}
