//! The tensors of a `HookedTransformer` checkpoint in the shapes that a matrix `[in, out]` has here: the heads of a
//! projection side by side, and what such a checkpoint leaves out.

use std::collections::BTreeMap;

use burn::tensor::DType;

use super::entry::Entry;

/// How a tensor is made.
#[derive(Debug, PartialEq)]
pub(super) enum Made {
    /// From a stack of matrices, one a head: `[heads, d_model, d_head]` to `[d_model, heads * d_head]`.
    SideBySide(String),
    /// From the same numbers in another shape.
    Reshaped(String),
    /// All the same.
    Constant(f32),
}

/// What to make of a checkpoint's tensors, with the entries of the results. Nothing, if it is not one of
/// `HookedTransformer`.
pub(super) fn made(tensors: &BTreeMap<String, Entry>) -> Vec<(String, Entry, Made)> {
    let mut made = Vec::new();
    let mut layer = 0;
    // A stack without numbers may have any shape.
    while let Some(&[heads, d_model, d_head]) = shape(tensors, &format!("blocks.{layer}.attn.W_Q"))
        && heads.min(d_head) > 0
    {
        block(tensors, &format!("blocks.{layer}"), [heads, d_model, d_head], &mut made);
        layer += 1;
    }
    if let Some(&[d_vocab, d_model]) = shape(tensors, "embed.W_E")
        && d_vocab.min(layer) > 0
    {
        norm(tensors, "ln_final", d_model, &mut made);
    }
    made
}

fn shape<'t>(tensors: &'t BTreeMap<String, Entry>, name: &str) -> Option<&'t [usize]> {
    tensors.get(name).map(|held| held.shape.as_slice())
}

fn block(
    tensors: &BTreeMap<String, Entry>,
    block: &str,
    [heads, d_model, d_head]: [usize; 3],
    made: &mut Vec<(String, Entry, Made)>,
) {
    let width = heads * d_head;
    for part in ["Q", "K", "V"] {
        // Key heads that serve several queries have an underscore in front.
        for (matrix, bias) in [(format!("W_{part}"), format!("b_{part}")), (format!("_W_{part}"), format!("_b_{part}"))]
        {
            let (from, own) = (format!("{block}.attn.{matrix}"), shape(tensors, &format!("{block}.attn.{matrix}")));
            if let Some(&[heads, d_model, d_head]) = own {
                let name = format!("{block}.attn.W_{part}");
                made.push((name, entry(&[d_model, heads * d_head]), Made::SideBySide(from)));
            }
            let from = format!("{block}.attn.{bias}");
            if let Some(&[heads, d_head]) = shape(tensors, &from) {
                made.push((format!("{block}.attn.b_{part}"), entry(&[heads * d_head]), Made::Reshaped(from)));
            }
        }
    }
    let out = format!("{block}.attn.W_O");
    if shape(tensors, &out) == Some(&[heads, d_head, d_model][..]) {
        made.push((out.clone(), entry(&[width, d_model]), Made::Reshaped(out)));
    }
    norm(tensors, &format!("{block}.ln1"), d_model, made);
    norm(tensors, &format!("{block}.ln2"), d_model, made);
    if shape(tensors, &format!("{block}.mlp.W_in")).is_none() {
        let zeros = [("W_in", &[d_model, 1][..]), ("b_in", &[1]), ("W_out", &[1, d_model]), ("b_out", &[d_model])];
        made.extend(zeros.map(|(name, shape)| (format!("{block}.mlp.{name}"), entry(shape), Made::Constant(0.0))));
    }
}

/// A norm whose weights are folded away does nothing more.
fn norm(tensors: &BTreeMap<String, Entry>, name: &str, d_model: usize, made: &mut Vec<(String, Entry, Made)>) {
    if shape(tensors, &format!("{name}.w")).is_none() {
        let plain = [("w", 1.0), ("b", 0.0)];
        made.extend(plain.map(|(part, value)| (format!("{name}.{part}"), entry(&[d_model]), Made::Constant(value))));
    }
}

fn entry(shape: &[usize]) -> Entry {
    let bytes = 4 * shape.iter().product::<usize>() as u64;
    Entry { shape: shape.to_vec(), dtype: Some(DType::F32), stored_as: "F32".into(), bytes }
}

/// `[heads, d_model, d_head]` to `[d_model, heads * d_head]`.
pub(super) fn side_by_side(values: &[f32], [heads, d_model, d_head]: [usize; 3]) -> Vec<f32> {
    let part = |row: usize, head: usize| &values[(head * d_model + row) * d_head..][..d_head];
    (0..d_model).flat_map(|row| (0..heads).flat_map(move |head| part(row, head).iter().copied())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_stand_side_by_side() {
        let values: Vec<f32> = (0_u8..12).map(f32::from).collect();
        let out = side_by_side(&values, [2, 3, 2]);
        assert_eq!(out, [0.0, 1.0, 6.0, 7.0, 2.0, 3.0, 8.0, 9.0, 4.0, 5.0, 10.0, 11.0]);
    }

    #[test]
    fn what_is_left_out_is_made() {
        let tensors = BTreeMap::from([
            ("embed.W_E".to_owned(), entry(&[7, 4])),
            ("blocks.0.attn.W_Q".to_owned(), entry(&[2, 4, 3])),
            ("blocks.0.attn._W_K".to_owned(), entry(&[1, 4, 3])),
        ]);
        let made: BTreeMap<String, (Vec<usize>, Made)> =
            made(&tensors).into_iter().map(|(name, entry, made)| (name, (entry.shape, made))).collect();
        assert_eq!(made["blocks.0.attn.W_Q"], (vec![4, 6], Made::SideBySide("blocks.0.attn.W_Q".into())));
        assert_eq!(made["blocks.0.attn.W_K"], (vec![4, 3], Made::SideBySide("blocks.0.attn._W_K".into())));
        assert_eq!(made["blocks.0.ln2.w"], (vec![4], Made::Constant(1.0)));
        assert_eq!(made["blocks.0.mlp.W_out"], (vec![1, 4], Made::Constant(0.0)));
        assert_eq!(made["ln_final.b"], (vec![4], Made::Constant(0.0)));
        assert!(super::made(&BTreeMap::from([("model.norm.weight".to_owned(), entry(&[4]))])).is_empty());
    }
}
