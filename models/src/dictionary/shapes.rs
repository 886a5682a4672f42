//! Shapes: rows of any tensor, and what parameters a dictionary's settings need.

use burn::tensor::Tensor;

use super::architectures::Parts;
use super::config::DictionaryConfig;
use super::parameters::{Gate, Parameters};
use crate::error::{Error, Result};

/// All axes but the last as one.
pub(super) fn joined<const D: usize>(x: Tensor<D>) -> Tensor<2> {
    let dims = x.dims();
    let width = dims[D - 1];
    x.reshape([dims[..D - 1].iter().product(), width])
}

/// The same, if the last axis has the right length.
pub(super) fn flat<const D: usize>(x: Tensor<D>, width: usize, axis: &'static str) -> Result<Tensor<2>> {
    let dims = x.dims();
    check_axis(axis, width, dims[D - 1], &dims)?;
    Ok(joined(x))
}

/// Checks the length of an axis.
pub(super) fn check_axis(axis: &'static str, expected: usize, actual: usize, dims: &[usize]) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::Axis { axis, expected, actual, dims: dims.to_vec() })
}

/// Rows as a tensor of these axes, except for the last.
pub(super) fn widened<const D: usize>(rows: Tensor<2>, mut dims: [usize; D]) -> Tensor<D> {
    dims[D - 1] = rows.dims()[1];
    rows.reshape(dims)
}

/// One line for each parameter that does not fit.
pub(super) fn problems(config: &DictionaryConfig, parameters: &Parameters) -> Vec<String> {
    let DictionaryConfig { d_in, d_sae, d_out, .. } = *config;
    let Parts { threshold, gate } = config.architecture.encoder().parts();
    let matrix = |x: &Tensor<2>| x.dims().to_vec();
    let vector = |x: &Tensor<1>| x.dims().to_vec();
    let of_gate = |part: fn(&Gate) -> &Tensor<1>| parameters.gate.as_ref().map(|gate| vector(part(gate)));
    let skip = parameters.w_skip.as_ref();
    let all = [
        ("w_enc", true, Some(matrix(&parameters.w_enc)), vec![d_in, d_sae]),
        ("b_enc", !gate, parameters.b_enc.as_ref().map(vector), vec![d_sae]),
        ("w_dec", true, Some(matrix(&parameters.w_dec)), vec![d_sae, d_out]),
        ("b_dec", true, Some(vector(&parameters.b_dec)), vec![d_out]),
        ("w_skip", config.skip, skip.map(matrix), vec![d_in, d_out]),
        ("threshold", threshold.is_some(), parameters.threshold.as_ref().map(vector), vec![d_sae]),
        ("b_gate", gate, of_gate(|gate| &gate.b_gate), vec![d_sae]),
        ("b_mag", gate, of_gate(|gate| &gate.b_mag), vec![d_sae]),
        ("r_mag", gate, of_gate(|gate| &gate.r_mag), vec![d_sae]),
    ];
    let name = config.architecture.name();
    let problem = |(part, wanted, found, shape): (&str, bool, Option<Vec<usize>>, Vec<usize>)| match (wanted, found) {
        (true, None) => Some(format!("`{part}` is missing: a `{name}` dictionary needs one of shape {shape:?}")),
        (false, Some(_)) => Some(format!("`{part}` is there, but this `{name}` dictionary has none: leave it out")),
        (true, Some(found)) if found != shape => {
            Some(format!("`{part}` has shape {found:?}, the config needs {shape:?}"))
        }
        _ => None,
    };
    all.into_iter().filter_map(problem).collect()
}
