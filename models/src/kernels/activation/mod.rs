//! Activations and the gate of gated MLPs, `act(pre) * pre_linear`.

mod function;
mod gelu;
mod gelu_tanh;
mod sigmoid_linear;
mod tanh;

use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, activation};

use super::flex::{Kernel, run};
use super::lanes::{each, each_with};
use super::memory::{numbers, overwrite};
use super::softmax::softmax;
use crate::config::ActivationKind;
use function::{SlopeTimes, Value, ValueTimes};
use gelu::Gelu;
use gelu_tanh::GeluTanh;
use sigmoid_linear::SigmoidLinear;
use tanh::Tanh;

/// Applies an activation, element by element; `SoLU` over the last axis.
pub(crate) fn activation<const D: usize>(kind: ActivationKind, x: Tensor<D>) -> Tensor<D> {
    let Some(function) = Function::of(kind) else { return by_burn(kind, x) };
    run(&Activation(function), [x]).unwrap_or_else(|[x]| by_burn(kind, x))
}

/// `act(pre) * pre_linear`, to the bits of [`activation`] and a product.
pub(crate) fn gate<const D: usize>(kind: ActivationKind, pre: Tensor<D>, pre_linear: Tensor<D>) -> Tensor<D> {
    let Some(function) = Function::of(kind) else { return by_burn(kind, pre) * pre_linear };
    run(&Gate(function), [pre, pre_linear]).unwrap_or_else(|[pre, pre_linear]| by_burn(kind, pre) * pre_linear)
}

/// The same with Burn's own operations.
fn by_burn<const D: usize>(kind: ActivationKind, x: Tensor<D>) -> Tensor<D> {
    match kind {
        ActivationKind::Gelu => activation::gelu(x),
        ActivationKind::GeluTanh => activation::gelu_approximate(x),
        ActivationKind::QuickGelu => x.clone() * activation::sigmoid(x * 1.702),
        ActivationKind::Relu => activation::relu(x),
        ActivationKind::Relu2 => {
            let positive = activation::relu(x);
            positive.clone() * positive
        }
        ActivationKind::Silu => activation::silu(x),
        ActivationKind::Solu => x.clone() * softmax(x),
        ActivationKind::Tanh => activation::tanh(x),
        ActivationKind::Identity => x,
    }
}

/// The activations that have a kernel. Burn's own operations are as fast for the others.
#[derive(Clone, Copy, Debug)]
enum Function {
    Gelu,
    GeluTanh,
    SigmoidLinear(SigmoidLinear),
    Tanh,
}

impl Function {
    fn of(kind: ActivationKind) -> Option<Self> {
        match kind {
            ActivationKind::Gelu => Some(Self::Gelu),
            ActivationKind::GeluTanh => Some(Self::GeluTanh),
            ActivationKind::QuickGelu => Some(Self::SigmoidLinear(SigmoidLinear(1.702))),
            ActivationKind::Silu => Some(Self::SigmoidLinear(SigmoidLinear(1.0))),
            ActivationKind::Tanh => Some(Self::Tanh),
            ActivationKind::Relu | ActivationKind::Relu2 | ActivationKind::Solu | ActivationKind::Identity => None,
        }
    }

    /// Overwrites `x` with `f(x)`.
    fn each(self, x: &mut [f32]) {
        match self {
            Self::Gelu => each(Value(Gelu), x),
            Self::GeluTanh => each(Value(GeluTanh), x),
            Self::SigmoidLinear(function) => each(Value(function), x),
            Self::Tanh => each(Value(Tanh), x),
        }
    }

    /// Overwrites `x` with `f(x) factor`.
    fn each_with(self, x: &mut [f32], factor: &[f32]) {
        match self {
            Self::Gelu => each_with(ValueTimes(Gelu), x, factor),
            Self::GeluTanh => each_with(ValueTimes(GeluTanh), x, factor),
            Self::SigmoidLinear(function) => each_with(ValueTimes(function), x, factor),
            Self::Tanh => each_with(ValueTimes(Tanh), x, factor),
        }
    }

    /// Overwrites `factor` with `f'(x) factor`.
    fn slopes_with(self, factor: &mut [f32], x: &[f32]) {
        match self {
            Self::Gelu => each_with(SlopeTimes(Gelu), factor, x),
            Self::GeluTanh => each_with(SlopeTimes(GeluTanh), factor, x),
            Self::SigmoidLinear(function) => each_with(SlopeTimes(function), factor, x),
            Self::Tanh => each_with(SlopeTimes(Tanh), factor, x),
        }
    }

    /// `f'(x) factor`, in the memory of `factor`.
    fn slopes(self, x: &FlexTensor, factor: FlexTensor) -> FlexTensor {
        let x = numbers(x);
        overwrite(factor, 1, |start, chunk| self.slopes_with(chunk, &x[start..start + chunk.len()]))
    }

    /// `f(x) factor`, in the memory of `x`.
    fn values(self, x: FlexTensor, factor: &FlexTensor) -> FlexTensor {
        let factor = numbers(factor);
        overwrite(x, 1, |start, chunk| self.each_with(chunk, &factor[start..start + chunk.len()]))
    }
}

#[derive(Clone, Debug)]
struct Activation(Function);

impl Kernel<1> for Activation {
    type Kept = FlexTensor;

    fn value(&self, [x]: [FlexTensor; 1]) -> FlexTensor {
        overwrite(x, 1, |_, chunk| self.0.each(chunk))
    }

    fn kept(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        (self.value([x.clone()]), x)
    }

    fn gradients(&self, x: FlexTensor, gradient: FlexTensor) -> [FlexTensor; 1] {
        [self.0.slopes(&x, gradient)]
    }
}

#[derive(Clone, Debug)]
struct Gate(Function);

impl Kernel<2> for Gate {
    type Kept = [FlexTensor; 2];

    fn value(&self, [pre, pre_linear]: [FlexTensor; 2]) -> FlexTensor {
        self.0.values(pre, &pre_linear)
    }

    fn kept(&self, inputs: [FlexTensor; 2]) -> (FlexTensor, [FlexTensor; 2]) {
        (self.value(inputs.clone()), inputs)
    }

    fn gradients(&self, [pre, pre_linear]: [FlexTensor; 2], gradient: FlexTensor) -> [FlexTensor; 2] {
        let of_linear = self.0.values(pre.clone(), &gradient);
        let of_value = product(gradient, &pre_linear);
        [self.0.slopes(&pre, of_value), of_linear]
    }
}

/// `a b`, in the memory of `a`.
fn product(a: FlexTensor, b: &FlexTensor) -> FlexTensor {
    let b = numbers(b);
    overwrite(a, 1, |start, chunk| chunk.iter_mut().zip(&b[start..]).for_each(|(a, b)| *a *= b))
}

#[cfg(test)]
mod tests;
