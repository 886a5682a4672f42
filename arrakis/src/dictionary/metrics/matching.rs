//! Which latent stands for which known feature.

use arrakis_models::device;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::assignment::assign;
use crate::error::{Error, Result};

/// A known feature and the latent that it is matched with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// The feature, an index.
    pub feature: usize,
    /// The latent, an index.
    pub latent: usize,
    /// The size of the cosine of their directions, from 0 to 1.
    pub cosine: f64,
}

/// The one-to-one matching of latents and features with the largest sum of `|cosine|`. `decoder` is `[d_sae, d]`, `features`
/// is `[feature, d]`. In the order of the features; those that are left over where there are fewer latents are not in it.
///
/// # Errors
///
/// Directions of different lengths, none at all, numbers that are not finite.
pub fn matches(decoder: Tensor<2>, features: Tensor<2>) -> Result<Vec<Match>> {
    let ([latents, width], [count, d]) = (decoder.dims(), features.dims());
    if latents == 0 || count == 0 || width != d {
        let problem = format!(
            "{latents} latents of {width} numbers cannot be matched with {count} features of {d}; give one length, and some \
             of each"
        );
        return Err(refuse(problem));
    }
    let cosines = device::read(unit(features).matmul(unit(decoder).transpose()).abs())?;
    if cosines.iter().any(|cosine| !cosine.is_finite()) {
        return Err(refuse("a direction is not finite; look at the weights".into()));
    }
    let gains: Vec<Vec<f64>> =
        cosines.chunks(latents).map(|row| row.iter().map(|cosine| f64::from(*cosine)).collect()).collect();
    let found = assign(&gains).into_iter().enumerate();
    let of = |(feature, latent): (usize, Option<usize>)| {
        latent.map(|latent| Match { feature, latent, cosine: gains[feature][latent] })
    };
    Ok(found.filter_map(of).collect())
}

/// The mean `|cosine|` of the best one-to-one matching of latents and known features ("mean correlation coefficient"), from
/// 0 to 1. Where their numbers differ, the mean is over the smaller number.
///
/// Source: Song et al., <https://arxiv.org/abs/2505.20254>.
///
/// # Errors
///
/// Those of [`matches()`].
pub fn mcc(decoder: Tensor<2>, features: Tensor<2>) -> Result<f64> {
    let found = matches(decoder, features)?;
    Ok(found.iter().map(|found| found.cosine).sum::<f64>() / found.len() as f64)
}

/// Rows of length 1; a row of zeros stays.
pub(super) fn unit(rows: Tensor<2>) -> Tensor<2> {
    rows.clone() / (rows.clone() * rows).sum_dim(1).sqrt().clamp_min(1e-30)
}

fn refuse(problem: String) -> Error {
    Error::Value { of: "matches", problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::metrics::testing::reference;
    use crate::tools::testing::close;
    use burn::tensor::Device;

    #[test]
    fn lengths_order_and_signs_do_not_count() {
        let device = Device::flex();
        let features = Tensor::<2>::from_floats([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], &device);
        let decoder = Tensor::<2>::from_floats([[0.0, -3.0, 0.0], [0.0, 0.0, 1.0], [0.3, 0.0, 0.4]], &device);
        let found = matches(decoder.clone(), features.clone()).unwrap();
        assert_eq!([(found[0].feature, found[0].latent), (found[1].feature, found[1].latent)], [(0, 2), (1, 0)]);
        close(found[0].cosine, 0.6, 1e-6);
        close(mcc(decoder, features.clone()).unwrap(), 0.8, 1e-6);
        let said = matches(features, Tensor::zeros([1, 2], &device)).unwrap_err().to_string();
        assert_eq!(
            said,
            "`matches`: 2 latents of 3 numbers cannot be matched with 1 features of 2; give one length, and some of each"
        );
    }

    #[test]
    fn it_is_that_of_sae_lens() {
        let reference = reference();
        let (decoder, features) = (reference.tensor("decoder"), reference.tensor("features"));
        close(mcc(decoder.clone(), features.clone()).unwrap(), reference.number("mcc"), 1e-6);
        close(mcc(features, decoder).unwrap(), reference.number("mcc"), 1e-6);
    }
}
