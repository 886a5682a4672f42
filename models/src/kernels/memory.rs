//! The numbers of a CPU tensor, overwritten in chunks on all cores.

use arrakis_kernels::share;
use burn::backend::TensorMetadata;
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Element, Shape};
use bytemuck::Pod;
use half::slice::HalfFloatSliceExt;
use half::vec::HalfFloatVecExt;
use half::{bf16, f16};
use rayon::prelude::*;

/// As many numbers as a core takes at a time: few enough to stay in its cache, enough to be worth waking it.
const CHUNK: usize = 1 << 14;

/// Whether kernels know the dtype.
pub(super) fn known(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F16 | DType::BF16)
}

/// Replaces the numbers of a tensor: in its own memory if nobody else holds it. `change` gets whole rows of `row` numbers
/// with the index of the first, and writes over them. Half precision is widened for it, and rounded after it.
pub(super) fn overwrite(
    tensor: FlexTensor,
    row: usize,
    change: impl Fn(usize, &mut [f32]) + Sync + Send,
) -> FlexTensor {
    let tensor = if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() };
    match tensor.dtype() {
        DType::F16 => rewritten::<f16>(tensor, row, |start, chunk| widened(chunk, |wide| change(start, wide))),
        DType::BF16 => rewritten::<bf16>(tensor, row, |start, chunk| widened(chunk, |wide| change(start, wide))),
        _ => rewritten::<f32>(tensor, row, change),
    }
}

/// The numbers in float32, row by row.
pub(super) fn numbers(tensor: &FlexTensor) -> std::borrow::Cow<'_, [f32]> {
    match tensor.dtype() {
        DType::F16 => wide::<f16>(tensor).into(),
        DType::BF16 => wide::<bf16>(tensor).into(),
        _ => match tensor.as_slice::<f32>() {
            Some(numbers) => numbers.into(),
            None => contiguous::<f32>(&tensor.to_contiguous()).to_vec().into(),
        },
    }
}

/// The numbers of a contiguous tensor in float32, to be changed; copied first if somebody else holds them.
pub(super) fn own_numbers(tensor: &mut FlexTensor) -> &mut [f32] {
    let (start, end) = tensor.layout().contiguous_offsets().expect("BUG: the tensor is contiguous");
    &mut tensor.storage_mut::<f32>()[start..end]
}

/// The length of the last axis.
pub(super) fn width(tensor: &FlexTensor) -> usize {
    tensor.shape().last().copied().unwrap_or(1).max(1)
}

/// A number of each row of `row` numbers.
pub(super) fn per_row(numbers: &[f32], row: usize, of: impl Fn(&[f32]) -> f32 + Sync + Send) -> Vec<f32> {
    let rows = numbers.par_chunks_exact(row).with_min_len((CHUNK / row).max(1));
    rows.map(of).collect()
}

/// A tensor of the same dtype.
pub(super) fn new_like(tensor: &FlexTensor, numbers: Vec<f32>, shape: Shape) -> FlexTensor {
    let bytes = match tensor.dtype() {
        DType::F16 => Bytes::from_elems(Vec::<f16>::from_f32_slice(&numbers)),
        DType::BF16 => Bytes::from_elems(Vec::<bf16>::from_f32_slice(&numbers)),
        _ => Bytes::from_elems(numbers),
    };
    FlexTensor::new(bytes, Layout::contiguous(shape), tensor.dtype())
}

fn wide<E: Element + Pod>(tensor: &FlexTensor) -> Vec<f32>
where
    [E]: HalfFloatSliceExt,
{
    contiguous::<E>(&tensor.to_contiguous()).to_f32_vec()
}

fn contiguous<E: Element + Pod>(tensor: &FlexTensor) -> &[E] {
    tensor.as_slice().expect("BUG: the tensor is contiguous")
}

fn widened<E>(chunk: &mut [E], change: impl Fn(&mut [f32]))
where
    [E]: HalfFloatSliceExt,
{
    let mut wide = chunk.to_f32_vec();
    change(&mut wide);
    chunk.convert_from_f32_slice(&wide);
}

fn rewritten<E: Element + Pod + Sync>(
    mut tensor: FlexTensor,
    row: usize,
    change: impl Fn(usize, &mut [E]) + Sync + Send,
) -> FlexTensor {
    let (start, end) = tensor.layout().contiguous_offsets().expect("BUG: the tensor is contiguous");
    if let Some(numbers) = tensor.try_storage_mut::<E>() {
        spread(&mut numbers[start..end], row, change);
        return tensor;
    }
    let old = contiguous::<E>(&tensor);
    let mut new = vec![E::zeroed(); old.len()];
    spread(&mut new, row, |start, chunk| {
        chunk.copy_from_slice(&old[start..start + chunk.len()]);
        change(start, chunk);
    });
    FlexTensor::new(Bytes::from_elems(new), Layout::contiguous(tensor.shape()), tensor.dtype())
}

/// Calls `change` with whole rows and the index of their first number, on all cores if there is enough to do.
fn spread<E: Send>(numbers: &mut [E], row: usize, change: impl Fn(usize, &mut [E]) + Sync + Send) {
    let chunk = (CHUNK / row.max(1)).max(1) * row.max(1);
    if numbers.len() < 2 * chunk {
        return change(0, numbers);
    }
    let tasks = numbers.chunks_mut(chunk).enumerate().collect();
    share(tasks, |(index, numbers): (usize, &mut [E])| change(index * chunk, numbers));
}
