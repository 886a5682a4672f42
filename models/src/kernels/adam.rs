//! A step of `AdamW` on tensors.

use arrakis_kernels::AdamStep;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor};

use super::flex::{all_plain, with_numbers};
use super::memory::own_numbers;

/// A parameter after a step, and its moments, from the parameter, its gradient, and the moments before. What nobody else holds is
/// overwritten. On the CPU it is one pass on all cores, to the bits of the operations one by one.
pub(crate) fn adam_step(step: AdamStep, tensors: [Tensor<1>; 4]) -> [Tensor<1>; 3] {
    if tensors.iter().any(|tensor| tensor.dtype() != DType::F32) {
        return by_burn(step, tensors);
    }
    match all_plain(tensors) {
        Ok([own, gradient, first, second]) => in_one_pass(step, [own, first, second], &gradient).map(with_numbers),
        Err(tensors) => by_burn(step, tensors),
    }
}

fn in_one_pass(step: AdamStep, changed: [FlexTensor; 3], gradient: &FlexTensor) -> [FlexTensor; 3] {
    let gradient = gradient.to_contiguous();
    let mut changed = changed.map(|tensor| tensor.to_contiguous());
    let [own, first, second] = changed.each_mut().map(own_numbers);
    step.take(own, gradient.as_slice().expect("BUG: the tensor is contiguous"), first, second);
    changed
}

fn by_burn(step: AdamStep, [own, gradient, first, second]: [Tensor<1>; 4]) -> [Tensor<1>; 3] {
    let AdamStep { betas: [beta_1, beta_2], scale, corrections, epsilon, kept, rate } = step;
    let gradient = gradient * scale;
    let first = first * beta_1 + gradient.clone() * (1.0 - beta_1);
    let second = second * beta_2 + gradient.square() * (1.0 - beta_2);
    let change = first.clone() / corrections[0] / ((second.clone() / corrections[1]).sqrt() + epsilon);
    [own * kept - change * rate, first, second]
}

#[cfg(test)]
mod tests {
    use burn::optim::{AdamWConfig, Optimizer as _};
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::device::read;
    use crate::kernels::testing::{bits, noise};

    fn tensor(seed: u64, count: usize) -> Tensor<1> {
        Tensor::from_data(TensorData::new(noise(seed, count), [count]), &Device::flex())
    }

    /// Five steps with clipped gradients, with and without decay.
    #[test]
    fn the_bits_are_those_of_burns_optimizer_and_of_the_operations_one_by_one() {
        for (count, decay) in [(7, 0.0), (40_001, 0.01_f32)] {
            let config = AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.98).with_epsilon(1e-8);
            let theirs = config.with_weight_decay(decay).build();
            let (mut expected, mut state) = (tensor(1, count), None);
            let zeros = || Tensor::<1>::zeros([count], &Device::flex());
            let mut ours = [tensor(1, count), zeros(), zeros()];
            let mut plain = ours.clone();
            for time in 1..6 {
                let (gradient, lr, scale) = (tensor(1 + time, count), 1e-3 / time as f64, 0.37_f32);
                (expected, state) = theirs.step(lr, expected, gradient.clone() * scale, state);
                let time = time as i32;
                let step = AdamStep {
                    betas: [0.9, 0.98],
                    scale,
                    corrections: [1.0 - 0.9_f32.powi(time), 1.0 - 0.98_f32.powi(time)],
                    epsilon: 1e-8,
                    kept: (1.0 - lr * f64::from(decay)) as f32,
                    rate: lr as f32,
                };
                let [own, first, second] = ours;
                ours = adam_step(step, [own, gradient.clone(), first, second]);
                let [own, first, second] = plain;
                plain = by_burn(step, [own, gradient, first, second]);
            }
            let numbers = |tensor: &Tensor<1>| bits(&read(tensor.clone()).unwrap());
            assert_eq!(numbers(&ours[0]), numbers(&expected));
            let momentum = state.unwrap().momentum;
            assert_eq!(numbers(&ours[1]), numbers(&momentum.moment_1));
            assert_eq!(numbers(&ours[2]), numbers(&momentum.moment_2));
            assert_eq!(ours.each_ref().map(numbers), plain.each_ref().map(numbers));
        }
    }

    #[test]
    fn a_parameter_that_somebody_else_holds_is_not_overwritten() {
        let (own, gradient) = (tensor(1, 100), tensor(2, 100));
        let held = own.clone();
        let step =
            AdamStep { betas: [0.0, 0.0], scale: 1.0, corrections: [1.0, 1.0], epsilon: 1e-8, kept: 1.0, rate: 1.0 };
        let zeros = Tensor::<1>::zeros([100], &Device::flex());
        let [moved, ..] = adam_step(step, [own, gradient, zeros.clone(), zeros.clone()]);
        assert_eq!(read(held).unwrap(), read(tensor(1, 100)).unwrap());
        assert_ne!(read(moved).unwrap(), read(tensor(1, 100)).unwrap());
        assert!(read(zeros).unwrap().iter().all(|x| *x == 0.0));
    }
}
