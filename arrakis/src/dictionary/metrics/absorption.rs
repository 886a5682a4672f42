//! Absorption: a feature's latent is silent where a more special latent speaks for it.

use arrakis_models::device;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::matching::unit;
use crate::error::{Error, Result};

/// How much of a feature other latents than its own have absorbed, on tokens that have the feature.
///
/// A probe says how much of the feature an activation has. Its own latents are those that a sparse probe finds.
///
/// Source: Chanin et al., <https://arxiv.org/abs/2409.14507>, with the conditions of `SAEBench`: an absorber has a cosine
/// of at least 0.1 with the probe, three absorbers at most, and together at least 0.4 of the activation's projection; for
/// full absorption the one with the largest projection, a cosine of at least 0.025.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Absorption {
    /// What was found on each token.
    pub tokens: Vec<Absorbed>,
}

/// Absorption on a token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Absorbed {
    /// The activation's projection on the probe, in the units of the site.
    pub projection: f64,
    /// The share of the feature that absorbers carry, from 0 to 1.
    pub fraction: f64,
    /// The latent that has absorbed the feature whole, with the feature's own latents all silent.
    pub by: Option<usize>,
}

const FULL_COSINE: f64 = 0.025;
const COSINE: f64 = 0.1;
const PROPORTION: f64 = 0.4;
const ABSORBERS: usize = 3;
const SILENT: f64 = 1e-8;

impl Absorption {
    /// On tokens that have the feature: activations `[token, d]`, their latents `[token, d_sae]`, the decoder `[d_sae, d]`,
    /// the probe's direction `[d]`, and the feature's own latents.
    ///
    /// # Errors
    ///
    /// Shapes that do not fit, no latent of its own, a latent that there is not, a probe without direction.
    pub fn measure(
        activations: Tensor<2>,
        latents: Tensor<2>,
        decoder: Tensor<2>,
        probe: &[f32],
        own: &[usize],
    ) -> Result<Self> {
        let ([tokens, d], [rows, d_sae]) = (activations.dims(), latents.dims());
        if rows != tokens || decoder.dims() != [d_sae, d] || probe.len() != d {
            let [f, width] = decoder.dims();
            return Err(refuse(format!(
                "activations of {tokens} × {d} numbers do not fit latents of {rows} × {d_sae}, a decoder of {f} × {width} and \
                 a probe of {}",
                probe.len()
            )));
        }
        if let Some(latent) = own.iter().find(|latent| **latent >= d_sae) {
            return Err(arrakis_models::Error::out_of_range("latent", *latent, d_sae).into());
        }
        if own.is_empty() || probe.iter().all(|x| *x == 0.0) || probe.iter().any(|x| !x.is_finite()) {
            return Err(refuse(
                "it needs a probe with a direction, and at least one latent of the feature's own".into(),
            ));
        }
        let column = Tensor::<2>::from_data(TensorData::new(probe.to_vec(), [1, d]), &activations.device());
        let column = unit(column).transpose();
        let numbers =
            |tensor: Tensor<2>| -> Result<Vec<f64>> { Ok(device::read(tensor)?.into_iter().map(f64::from).collect()) };
        let projections = numbers(activations.matmul(column.clone()))?;
        let cosines = numbers(unit(decoder).matmul(column))?;
        let latents = numbers(latents)?;
        let of = |(latents, projection): (&[f64], &f64)| absorbed(latents, &cosines, *projection, own);
        Ok(Self { tokens: latents.chunks_exact(d_sae).zip(&projections).map(of).collect() })
    }

    /// The mean share of the feature that absorbers carry, from 0 to 1.
    pub fn fraction(&self) -> f64 {
        self.tokens.iter().map(|token| token.fraction).sum::<f64>() / self.tokens.len().max(1) as f64
    }

    /// The share of tokens on which one latent has absorbed the feature whole, from 0 to 1.
    pub fn full(&self) -> f64 {
        let full = self.tokens.iter().filter(|token| token.by.is_some()).count();
        full as f64 / self.tokens.len().max(1) as f64
    }
}

fn absorbed(latents: &[f64], cosines: &[f64], projection: f64, own: &[usize]) -> Absorbed {
    let written = |latent: usize| latents[latent] * cosines[latent];
    let top = (0..latents.len()).reduce(|best, next| if written(next) > written(best) { next } else { best });
    let silent = own.iter().all(|latent| latents[*latent].abs() < SILENT);
    let by = top.filter(|top| {
        silent && projection > 0.0 && cosines[*top] >= FULL_COSINE && written(*top) / projection >= PROPORTION
    });
    let mut others: Vec<f64> = (0..latents.len())
        .filter(|latent| !own.contains(latent) && cosines[*latent] >= COSINE && written(*latent) > 0.0)
        .map(written)
        .collect();
    others.sort_by(|a, b| b.total_cmp(a));
    let absorbers: f64 = others.iter().take(ABSORBERS).sum();
    let fraction = fraction(absorbers, own.iter().map(|latent| written(*latent)).sum(), projection);
    Absorbed { projection, fraction, by }
}

/// The share of absorbers in what they and the feature's own latents write along the probe.
fn fraction(absorbers: f64, own: f64, projection: f64) -> f64 {
    if projection <= 0.0 || own >= projection || absorbers / projection < PROPORTION {
        return 0.0;
    }
    if own <= 0.0 {
        return 1.0;
    }
    let missing = absorbers.min(projection - own);
    (missing / (missing + own)).clamp(0.0, 1.0)
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "Absorption", problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::metrics::testing::reference;
    use crate::tools::testing::close;
    use burn::tensor::Device;

    /// The feature is the first axis; latent 0 is its own, latent 1 a special case that is half along it, latent 2 apart.
    #[test]
    fn by_hand() {
        let device = Device::flex();
        let decoder = Tensor::<2>::from_floats([[1.0, 0.0], [0.5, 0.75_f32.sqrt()], [0.0, 1.0]], &device);
        let latents = [[2.0, 0.0, 1.0], [0.0, 2.0, 9.0], [1.0, 2.0, 0.0], [0.0, 0.2, 0.0]];
        let x = [[2.0, 0.0], [1.0, 0.0], [2.0, 0.0], [1.0, 0.0]];
        let (x, latents) = (Tensor::from_floats(x, &device), Tensor::from_floats(latents, &device));
        let found = Absorption::measure(x, latents, decoder, &[3.0, 0.0], &[0]).unwrap();
        let by: Vec<Option<usize>> = found.tokens.iter().map(|token| token.by).collect();
        assert_eq!(by, [None, Some(1), None, None]);
        // Token 2: 1 of 2 is the latent's own, and latent 1 writes the other 1.
        for (token, expected) in found.tokens.iter().zip([0.0, 1.0, 0.5, 0.0]) {
            close(token.fraction, expected, 1e-6);
        }
        close(found.fraction(), 0.375, 1e-6);
        assert_eq!(found.full(), 0.25);
    }

    #[test]
    fn it_is_that_of_saebench() {
        let reference = reference();
        let [x, latents, decoder] = ["target", "latents", "decoder"].map(|name| reference.tensor(name));
        let probe: Vec<f32> = reference.numbers("probe").into_iter().map(|x| x as f32).collect();
        let found = Absorption::measure(x, latents, decoder, &probe, &[2, 5]).unwrap();
        let fractions = reference.numbers("absorption_fraction");
        assert!(fractions.iter().any(|fraction| *fraction > 0.0 && *fraction < 1.0), "the case shows something");
        for ((token, fraction), full) in found.tokens.iter().zip(fractions).zip(reference.numbers("full_absorption")) {
            close(token.fraction, fraction, 1e-5);
            assert_eq!(token.by.is_some(), full == 1.0);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let zeros = |rows, columns| Tensor::<2>::zeros([rows, columns], &Device::flex());
        let said = |probe: &[f32], own: &[usize]| {
            Absorption::measure(zeros(2, 3), zeros(2, 4), zeros(4, 3), probe, own).unwrap_err().to_string()
        };
        assert_eq!(
            said(&[1.0], &[0]),
            "`Absorption`: activations of 2 × 3 numbers do not fit latents of 2 × 4, a decoder of 4 × 3 and a probe of 1"
        );
        assert_eq!(said(&[1.0; 3], &[4]), "latent 4 is out of range: there are 4, numbered from 0");
        assert!(said(&[0.0; 3], &[1]).contains("it needs a probe with a direction"));
    }
}
