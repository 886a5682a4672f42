//! Changes of gradients on their way back, which leave the forward as it is.

use burn::tensor::Tensor;

use super::activation::Activation;
use crate::error::Result;

/// What becomes of a gradient that reaches a site, before it flows on to earlier sites.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GradientEdit {
    /// Nothing flows on: the site counts as a constant, as a frozen attention pattern or norm scale does.
    Stop,
    /// Multiplied; 0 stops it, -1 turns it.
    Scale(f32),
}

impl GradientEdit {
    /// A tensor of the same numbers, to the bit, through which gradients flow changed.
    pub(super) fn apply(self, value: &Activation) -> Result<Activation> {
        if !value.device().is_autodiff() {
            return Ok(value.clone());
        }
        match self {
            Self::Stop => value.map_flat(Tensor::detach),
            // The sum of x and c (x - x) is x, for finite x; masked scores, which have no gradient, stay as they are.
            Self::Scale(factor) => value.map_flat(|x| {
                let constant = x.clone().detach();
                let infinite = constant.clone().is_finite().bool_not();
                let zero = (x - constant.clone()) * factor;
                constant + zero.mask_fill(infinite, 0.0)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_numbers_stay_and_the_gradient_changes() {
        let device = Device::flex().autodiff();
        for (edit, expected) in [(GradientEdit::Scale(-0.5), [-2.0, -3.0]), (GradientEdit::Scale(0.0), [0.0, 0.0])] {
            let x = Tensor::<1>::from_floats([2.0, 3.0], &device).require_grad();
            let through: Tensor<1> = edit.apply(&Activation::new(x.clone())).unwrap().tensor().unwrap();
            assert_eq!(crate::device::read(through.clone().inner()).unwrap(), [2.0, 3.0]);
            let weights = Tensor::<1>::from_floats([4.0, 6.0], &device);
            let grads = (through * weights).sum().backward();
            assert_eq!(crate::device::read(x.grad(&grads).unwrap()).unwrap(), expected);
        }
    }
}
