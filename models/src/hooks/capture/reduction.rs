//! What a capture keeps instead of the whole tensor.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::mean::mean_over_positions;

/// A reduction computed as the tensor passes, so that the whole tensor is never kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The mean over each row's positions, excluding padding. The position axis has length one.
    Mean,
    /// The Euclidean norm along the last axis, which has length one afterwards.
    Norm,
    /// The component of the last axis along each direction. Directions are used as given, without normalising them. The
    /// last axis then runs over the directions.
    Project(Vec<Vec<f32>>),
    /// The `k` largest values along the last axis, in descending order, kept as `SITE#top_values`, and their indices as
    /// `SITE#top_indices`.
    TopK(usize),
}

impl Reduction {
    /// The tensors that are kept, each with its name after `#`.
    pub(in crate::hooks) fn apply(&self, value: &Activation, at: &At<'_>) -> Result<Vec<(&'static str, Activation)>> {
        self.check(value.dims(), at)?;
        let dims = value.dims();
        let width = dims.last().copied().unwrap_or(1);
        let rows = |value: &Activation| -> Result<Tensor<2>> {
            Ok(value.to_flat()?.reshape([dims.iter().product::<usize>() / width.max(1), width]))
        };
        let shaped = |rows: Tensor<2>| {
            let [count, width] = rows.dims();
            let mut dims = dims.to_vec();
            *dims.last_mut().expect("BUG: checked") = width;
            Activation::shaped(rows.reshape([count * width]), &dims)
        };
        match self {
            Self::Mean => {
                let axes = at.axes(dims);
                let mean = mean_over_positions(value, &axes, at)?;
                let mut dims = dims.to_vec();
                dims[axes.position] = 1;
                Ok(vec![("mean", Activation::shaped(mean.reshape([dims.iter().product::<usize>()]), &dims)?)])
            }
            Self::Norm => {
                let rows = rows(value)?;
                Ok(vec![("norm", shaped((rows.clone() * rows).sum_dim(1).sqrt())?)])
            }
            Self::Project(directions) => {
                let flat = TensorData::new(directions.concat(), [directions.len(), width]);
                let directions = Tensor::<2>::from_data(flat, value.device());
                Ok(vec![("projection", shaped(rows(value)?.matmul(directions.transpose()))?)])
            }
            Self::TopK(k) => {
                let (values, indices) = rows(value)?.topk_with_indices(*k, 1);
                Ok(vec![("top_values", shaped(values)?), ("top_indices", shaped(indices.float())?)])
            }
        }
    }

    /// Checks that it fits a tensor of these dims.
    pub(in crate::hooks) fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        let width = dims.last().copied().unwrap_or(0);
        match self {
            Self::Mean if dims.len() <= at.axes(dims).position => Err(Error::no_axis(at.site, "position", dims)),
            Self::Project(directions) => {
                let odd = directions.iter().find(|direction| direction.len() != width);
                let empty = if directions.is_empty() { Some(0) } else { None };
                odd.map(Vec::len).or(empty).map_or(Ok(()), |actual| {
                    let what = format!("numbers in a direction to project `{}` onto", at.site);
                    Err(Error::Count { what, expected: width, actual })
                })
            }
            Self::TopK(k) if *k == 0 || *k > width => {
                let fix = format!("give a number from 1 to {width}, the features of `{}`", at.site);
                Err(Error::Setting { setting: "k", value: k.to_string(), fix })
            }
            _ => Ok(()),
        }
    }

    /// How many numbers it keeps of a tensor of these dims.
    pub(crate) fn numbers(&self, dims: &[usize], at: &At<'_>) -> usize {
        let all: usize = dims.iter().product();
        let width = dims.last().copied().unwrap_or(1).max(1);
        match self {
            Self::Mean => all / dims.get(at.axes(dims).position).copied().unwrap_or(1).max(1),
            Self::Norm => all / width,
            Self::Project(directions) => all / width * directions.len(),
            Self::TopK(k) => 2 * all / width * k,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::hooks::tensor::rows::Rows;
    use crate::tokens::{Side, Tokens};

    fn value() -> Activation {
        Activation::from_vec(vec![3.0, 4.0, 0.0, 2.0, 9.0, 9.0, 6.0, 8.0], &[2, 2, 2], &Device::flex()).unwrap()
    }

    /// Name, dims and numbers.
    type Reduced = (&'static str, Vec<usize>, Vec<f32>);

    fn reduced(reduction: &Reduction, rows: Option<&Rows>) -> Result<Vec<Reduced>> {
        let at = At { rows, ..At::new("blocks.0.resid_pre") };
        let found = reduction.apply(&value(), &at)?;
        found.into_iter().map(|(name, value)| Ok((name, value.dims().to_vec(), value.to_vec()?))).collect()
    }

    #[test]
    fn by_hand() {
        let norm = reduced(&Reduction::Norm, None).unwrap();
        assert_eq!(norm[0], ("norm", vec![2, 2, 1], vec![5.0, 2.0, 162f32.sqrt(), 10.0]));
        let onto = reduced(&Reduction::Project(vec![vec![1.0, 0.0], vec![1.0, 1.0], vec![0.0, 2.0]]), None).unwrap();
        assert_eq!(onto[0].1, [2, 2, 3]);
        assert_eq!(onto[0].2, [3.0, 7.0, 8.0, 0.0, 2.0, 4.0, 9.0, 18.0, 18.0, 6.0, 14.0, 16.0]);
        let top = reduced(&Reduction::TopK(1), None).unwrap();
        assert_eq!((top[0].0, &top[0].2), ("top_values", &vec![4.0, 2.0, 9.0, 8.0]));
        assert_eq!((top[1].0, top[1].1.clone()), ("top_indices", vec![2, 2, 1]));
        assert_eq!((top[1].2[0], top[1].2[3]), (1.0, 1.0));
    }

    #[test]
    fn a_mean_excludes_padding() {
        let rows = Rows::new(&Tokens::padded(&[vec![1, 2], vec![3]], Side::Left, 0).unwrap(), &[]);
        let mean = reduced(&Reduction::Mean, Some(&rows)).unwrap();
        assert_eq!(mean[0], ("mean", vec![2, 1, 2], vec![1.5, 3.0, 6.0, 8.0]));
        assert_eq!(reduced(&Reduction::Mean, None).unwrap()[0].2, [1.5, 3.0, 7.5, 8.5]);
    }

    #[test]
    fn a_reduction_that_does_not_fit_is_refused() {
        let error = reduced(&Reduction::Project(vec![vec![1.0]]), None).unwrap_err().to_string();
        assert_eq!(error, "expected 2 numbers in a direction to project `blocks.0.resid_pre` onto, got 1");
        let error = reduced(&Reduction::TopK(3), None).unwrap_err().to_string();
        assert_eq!(error, "`k` is 3: give a number from 1 to 2, the features of `blocks.0.resid_pre`");
    }
}
