//! Assembles a parameter from the tensors it is stored in: joined, cut along the outputs and transposed to `[in, out]`.
//! This is done block by block, so memory holds the result and one block.

use std::ops::Range;

use burn::tensor::{DType, Element, TensorData};
use bytemuck::Pod;
use half::{bf16, f16};

use super::files::Checkpoint;
use crate::error::Result;
use crate::families::{Cut, Weight};

/// Bytes read at a time. A block stays in a core's cache while it is transposed.
const BLOCK: usize = 512 << 10;

/// A stored tensor as a matrix. A vector is one row; the matrices of a stack are one below the other, or one of them is
/// taken.
struct Stored {
    name: String,
    /// The row of the file at which it starts.
    first: usize,
    rows: usize,
    columns: usize,
    /// Whether outputs are rows.
    out_in: bool,
    dtype: DType,
}

/// The parameter `[in, out]`, or a vector `[1, out]`, in elements of this type. Its fit has been checked.
pub(super) fn placed<E: Element + Pod>(checkpoint: &mut Checkpoint, weight: &Weight) -> Result<TensorData> {
    let stored: Vec<Stored> = weight.theirs.iter().map(|name| Stored::of(checkpoint, name, weight)).collect();
    let (inputs, outputs) = (stored[0].inputs(), stored.iter().map(Stored::outputs).sum());
    let wanted = weight.cut.ranges(outputs);
    let step = weight.cut.step();
    let width: usize = wanted.iter().map(|range| range.len().div_ceil(step)).sum();
    let mut place = Place::<E> { values: bytemuck::zeroed_vec(inputs * width), width, column: 0 };
    for wanted in wanted {
        let mut first = 0;
        for tensor in &stored {
            let own = wanted.start.max(first)..wanted.end.min(first + tensor.outputs());
            if !own.is_empty() {
                tensor.copy(checkpoint, (own.start - first..own.end - first, step), &mut place)?;
            }
            first += tensor.outputs();
        }
    }
    Ok(TensorData::new(place.values, [inputs, width]))
}

/// A range of outputs, and the distance between those that are taken.
type Steps = (Range<usize>, usize);

/// Where outputs go, one column each, from the first column on.
struct Place<E> {
    values: Vec<E>,
    width: usize,
    column: usize,
}

impl Stored {
    fn of(checkpoint: &Checkpoint, name: &str, weight: &Weight) -> Self {
        let held = checkpoint.tensor(name).expect("BUG: the fit was checked");
        let columns = held.shape.last().copied().unwrap_or(1);
        let rows: usize = held.shape.iter().rev().skip(1).product();
        let dtype = held.dtype.expect("BUG: the fit was checked");
        let (first, rows) = match weight.cut {
            Cut::InStack { index, .. } => (index * (rows / held.shape[0].max(1)), rows / held.shape[0].max(1)),
            _ => (0, rows),
        };
        Self { name: name.to_owned(), first, rows, columns, out_in: weight.out_in && held.shape.len() > 1, dtype }
    }

    fn outputs(&self) -> usize {
        if self.out_in { self.rows } else { self.columns }
    }

    fn inputs(&self) -> usize {
        if self.out_in { self.columns } else { self.rows }
    }

    /// Copies some outputs, those at every step of a range, to the next columns.
    fn copy<E: Element>(&self, from: &mut Checkpoint, outputs: Steps, place: &mut Place<E>) -> Result<()> {
        match self.dtype {
            DType::F64 => self.copy_from::<f64, E>(from, outputs, place),
            DType::F16 => self.copy_from::<f16, E>(from, outputs, place),
            DType::BF16 => self.copy_from::<bf16, E>(from, outputs, place),
            _ => self.copy_from::<f32, E>(from, outputs, place),
        }
    }

    fn copy_from<S: Element + Pod, E: Element>(
        &self,
        from: &mut Checkpoint,
        (outputs, every): Steps,
        place: &mut Place<E>,
    ) -> Result<()> {
        let rows = if self.out_in { outputs.clone() } else { 0..self.rows };
        let step = (BLOCK / size_of::<S>() / self.columns.max(1)).max(1);
        let mut block: Vec<S> = bytemuck::zeroed_vec(step.min(rows.len()) * self.columns);
        for start in rows.clone().step_by(step) {
            let values = &mut block[..step.min(rows.end - start) * self.columns];
            from.read_into(&self.name, (self.first + start) * self.columns, bytemuck::cast_slice_mut(values))?;
            if self.out_in {
                place.turned(values, self.columns, start - outputs.start);
            } else {
                place.straight(values, self.columns, &(outputs.clone(), every), start);
            }
        }
        place.column += outputs.len().div_ceil(every);
        Ok(())
    }
}

impl<E: Element> Place<E> {
    /// Copies rows of values, one an output, to columns from `first` on.
    fn turned<S: Element>(&mut self, values: &[S], columns: usize, first: usize) {
        let start = self.column + first;
        let count = values.len() / columns.max(1);
        for (input, line) in self.values.chunks_exact_mut(self.width.max(1)).enumerate() {
            for (slot, row) in line[start..start + count].iter_mut().zip(values.chunks_exact(columns)) {
                *slot = row[input].elem();
            }
        }
    }

    /// Copies the wanted outputs of rows of values, one an input, to lines from `first` on.
    fn straight<S: Element>(&mut self, values: &[S], columns: usize, (outputs, every): &Steps, first: usize) {
        let lines = self.values.chunks_exact_mut(self.width.max(1)).skip(first);
        for (line, row) in lines.zip(values.chunks_exact(columns.max(1))) {
            for (slot, value) in line[self.column..].iter_mut().zip(row[outputs.clone()].iter().step_by(*every)) {
                *slot = value.elem();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{Dtype, TensorView};

    use super::*;
    use crate::families::Cut;

    /// A folder whose tensors hold 0, 1, 2, .. in their own order.
    fn counting(tensors: &[(&str, &[usize])]) -> (tempfile::TempDir, Checkpoint) {
        let folder = tempfile::tempdir().unwrap();
        let bytes = |shape: &[usize]| -> Vec<u8> {
            (0..shape.iter().product()).flat_map(|i: usize| f16::from_f32(i as f32).to_le_bytes()).collect()
        };
        let held: Vec<(&str, &[usize], Vec<u8>)> =
            tensors.iter().map(|(name, shape)| (*name, *shape, bytes(shape))).collect();
        let views = held
            .iter()
            .map(|(name, shape, bytes)| (*name, TensorView::new(Dtype::F16, shape.to_vec(), bytes).unwrap()));
        safetensors::serialize_to_file(views, None, &folder.path().join("model.safetensors")).unwrap();
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        (folder, checkpoint)
    }

    fn weight(theirs: &[&str], out_in: bool, cut: Cut) -> Weight {
        let theirs = theirs.iter().map(|name| (*name).to_owned()).collect();
        Weight { ours: "w".into(), theirs, out_in, cut, otherwise: None }
    }

    fn read(tensors: &[(&str, &[usize])], weight: &Weight) -> (Vec<usize>, Vec<f32>) {
        let (_folder, mut checkpoint) = counting(tensors);
        let data = placed::<f32>(&mut checkpoint, weight).unwrap();
        let kept = placed::<f16>(&mut checkpoint, weight).unwrap();
        assert_eq!(kept.convert::<f32>(), data, "kept in half precision");
        (data.shape().to_vec(), data.try_into_vec().unwrap())
    }

    #[test]
    fn transposed_joined_and_cut_by_hand() {
        let (shape, values) = read(&[("t", &[2, 3])], &weight(&["t"], true, Cut::Whole));
        assert_eq!((shape, values), (vec![3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
        let (_, values) = read(&[("t", &[2, 3])], &weight(&["t"], false, Cut::Range { start: 1, len: 2 }));
        assert_eq!(values, [1.0, 2.0, 4.0, 5.0]);
        let stacked = |index, start, step| Cut::InStack { index, width: 4, start, step };
        let (shape, values) = read(&[("t", &[2, 3, 4])], &weight(&["t"], false, stacked(1, 1, 2)));
        assert_eq!((shape, values), (vec![3, 2], vec![13.0, 15.0, 17.0, 19.0, 21.0, 23.0]));
        let (shape, values) = read(&[("t", &[2, 4])], &weight(&["t"], false, stacked(1, 0, 1)));
        assert_eq!((shape, values), (vec![1, 4], vec![4.0, 5.0, 6.0, 7.0]));
        let cut = Cut::PerGroup { groups: 2, stride: 3, start: 1, len: 2 };
        let (_, values) = read(&[("t", &[6, 2])], &weight(&["t"], true, cut));
        assert_eq!(values, [2.0, 4.0, 8.0, 10.0, 3.0, 5.0, 9.0, 11.0]);
        let (shape, values) = read(&[("t", &[4])], &weight(&["t"], true, Cut::Range { start: 1, len: 2 }));
        assert_eq!((shape, values), (vec![1, 2], vec![1.0, 2.0]), "a vector has only outputs");
        let (_, values) =
            read(&[("a", &[2, 2]), ("b", &[1, 2])], &weight(&["a", "b"], true, Cut::Range { start: 1, len: 2 }));
        assert_eq!(values, [2.0, 0.0, 3.0, 1.0], "a cut across two tensors");
        let (_, values) = read(&[("t", &[2, 2, 2])], &weight(&["t"], true, Cut::Range { start: 2, len: 2 }));
        assert_eq!(values, [4.0, 6.0, 5.0, 7.0], "the second of a stack");
    }

    /// Larger than a block, and not a multiple of one.
    #[test]
    fn blocks_leave_no_seam() {
        let (rows, columns) = (1031, 257);
        let (_, values) = read(&[("t", &[rows, columns])], &weight(&["t"], true, Cut::Whole));
        let expected = |input: usize, output: usize| f16::from_f32((output * columns + input) as f32).to_f32();
        for input in [0, 128, columns - 1] {
            let line = &values[input * rows..(input + 1) * rows];
            assert!(line.iter().enumerate().all(|(output, value)| *value == expected(input, output)), "input {input}");
        }
        let (_, values) = read(&[("t", &[rows, columns])], &weight(&["t"], false, Cut::Range { start: 5, len: 250 }));
        let expected = |input: usize, output: usize| f16::from_f32((input * columns + 5 + output) as f32).to_f32();
        assert!(values.iter().enumerate().all(|(i, value)| *value == expected(i / 250, i % 250)));
    }
}
