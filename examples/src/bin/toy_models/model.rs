//! Many toy models side by side: `x' = ReLU(Wᵀ W x + b)` (Elhage et al., 2022, section 2).

use arrakis::prelude::*;
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, TensorData, activation};
use serde::{Deserialize, Serialize};

/// What one model is trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Toy {
    /// How often a feature is not zero, `1 - S` in the paper.
    pub(crate) density: f64,
    /// The weight of each feature in the loss.
    pub(crate) importance: Vec<f64>,
}

/// The weights of all models.
#[derive(Module, Debug)]
pub(crate) struct Toys {
    /// The direction of each feature, `[toy, feature, dim]`.
    directions: Param<Tensor<3>>,
    /// `[toy, 1, feature]`
    bias: Param<Tensor<3>>,
}

impl Toys {
    /// Random directions (Glorot and Bengio, 2010), and biases of zero.
    pub(crate) fn new([toys, features, dims]: [usize; 3], device: &Device) -> Self {
        let spread = Distribution::Normal(0.0, (2.0 / (features + dims) as f64).sqrt());
        Self {
            directions: Param::from_tensor(Tensor::random([toys, features, dims], spread, device)),
            bias: Param::from_tensor(Tensor::zeros([toys, 1, features], device)),
        }
    }

    /// Features `[toy, batch, feature]` to what comes back through the dimensions.
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let directions = self.directions.val();
        let hidden = x.matmul(directions.clone());
        activation::relu(hidden.matmul(directions.swap_dims(1, 2)) + self.bias.val())
    }

    /// The directions of one model, `[feature, dim]`.
    pub(crate) fn directions(&self, toy: usize) -> Tensor<2> {
        self.directions.val().narrow(0, toy, 1).squeeze_dim(0)
    }
}

/// What the features are drawn from, and what their errors cost.
pub(crate) struct World {
    /// `[toy, 1, 1]`
    densities: Tensor<3>,
    /// `[toy, 1, feature]`
    importance: Tensor<3>,
}

impl World {
    pub(crate) fn new(toys: &[Toy], device: &Device) -> Self {
        let column = |values: Vec<f32>, shape| Tensor::from_data(TensorData::new(values, shape), device);
        let features = toys[0].importance.len();
        let importance = toys.iter().flat_map(|toy| toy.importance.iter().map(|weight| *weight as f32)).collect();
        Self {
            densities: column(toys.iter().map(|toy| toy.density as f32).collect(), [toys.len(), 1, 1]),
            importance: column(importance, [toys.len(), 1, features]),
        }
    }

    /// Features between 0 and 1, each zero unless it is active, `[toy, batch, feature]`.
    pub(crate) fn draw(&self, batch: usize) -> Tensor<3> {
        let [toys, _, features] = self.importance.dims();
        let uniform =
            || Tensor::<3>::random([toys, batch, features], Distribution::Uniform(0.0, 1.0), &self.densities.device());
        let active = uniform().lower(self.densities.clone().expand([toys, batch, features]));
        uniform() * active.float()
    }

    /// The weighted squared error of each model, averaged over the batch: `[toy]`.
    pub(crate) fn losses(&self, toys: &Toys, x: Tensor<3>) -> Tensor<1> {
        let [count, batch, _] = x.dims();
        let error = toys.forward(x.clone()) - x;
        let weighted = error.clone() * error * self.importance.clone();
        weighted.sum_dim(2).sum_dim(1).reshape([count]) / batch as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrakis::models::device;

    #[test]
    fn two_antipodal_features_lose_what_they_take_from_each_other() {
        let device = device::cpu().device;
        let directions = Param::from_tensor(Tensor::from_floats([[[1.0], [-1.0]]], &device));
        let toys = Toys { directions, bias: Param::from_tensor(Tensor::zeros([1, 1, 2], &device)) };
        let world = World::new(&[Toy { density: 0.5, importance: vec![1.0, 3.0] }], &device);
        let loss = |rows: &[[f32; 2]]| {
            let x = Tensor::from_data(TensorData::new(rows.concat(), [1, rows.len(), 2]), &device);
            device::read(world.losses(&toys, x)).unwrap()[0]
        };
        assert_eq!(loss(&[[0.5, 0.0]]), 0.0, "alone, a feature comes back");
        // The first comes back as 0.75 - 0.5 = 0.25, the second as 0.
        assert_eq!(loss(&[[0.75, 0.5]]), 0.25 + 3.0 * 0.25);
        assert_eq!(loss(&[[0.75, 0.5], [0.0, 0.0]]), 0.5, "a mean over the batch");
    }

    #[test]
    fn features_are_as_dense_as_they_should_be() {
        let device = device::cpu().device;
        device.seed(1);
        let toys = [0.1, 1.0].map(|density| Toy { density, importance: vec![1.0; 2] });
        let values = device::read(World::new(&toys, &device).draw(4000)).unwrap();
        let active = |toy: usize| values[toy * 8000..][..8000].iter().filter(|x| **x > 0.0).count() as f64 / 8000.0;
        // Three standard deviations of a share of 0.1 in 8000 draws.
        assert!((active(0) - 0.1).abs() < 0.0101 && active(1) > 0.999, "{} {}", active(0), active(1));
    }
}
