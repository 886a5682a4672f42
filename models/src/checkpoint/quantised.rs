//! Signs of quantised weights in the names and types of tensors, for checkpoints whose config does not say it.

use super::entry::Entry;
use super::files::Checkpoint;

/// Ends of names that only one way of quantising writes.
const SIGNS: [(&str, &str); 9] = [
    (".g_idx", "GPTQ"),
    (".qweight", "GPTQ or AWQ"),
    (".weight.absmax", "bitsandbytes"),
    (".weight.quant_map", "bitsandbytes"),
    (".SCB", "bitsandbytes"),
    (".weight_scale_inv", "FP8"),
    (".weight_packed", "compressed-tensors"),
    ("_proj_blocks", "MXFP4"),
    (".weight_scale", "FP8 or compressed-tensors"),
];

/// The line that refuses a checkpoint of quantised weights; `None` if they are plain numbers.
pub(super) fn quantised(checkpoint: &Checkpoint) -> Option<String> {
    let by_name = SIGNS.iter().find_map(|(end, method)| {
        let (name, _) = checkpoint.tensors().find(|(name, _)| name.ends_with(end))?;
        Some((name, *method))
    });
    let (name, method) = by_name.or_else(|| mlx(checkpoint)).or_else(|| eight_bits(checkpoint))?;
    let stored_as = checkpoint.tensor(name).map_or("", |held| &held.stored_as);
    Some(format!(
        "quantised: `{name}` holds {stored_as}, so the weights are quantised ({method}), and only F64, F32, F16 and BF16 are read; give the \
         checkpoint it was made from, or widen it in Python: `model.dequantize()`, then `model.save_pretrained(..)`"
    ))
}

/// MLX packs a weight into integers, with scales and biases beside it.
fn mlx(checkpoint: &Checkpoint) -> Option<(&str, &'static str)> {
    let packed = |name: &str| {
        let module = name.strip_suffix(".scales")?;
        checkpoint.tensor(&format!("{module}.weight")).filter(|held| !held.is_float())
    };
    checkpoint.tensors().find(|(name, _)| packed(name).is_some()).map(|(name, _)| (name, "MLX"))
}

fn eight_bits(checkpoint: &Checkpoint) -> Option<(&str, &'static str)> {
    let weight = |(name, held): &(&str, &Entry)| name.ends_with(".weight") && held.stored_as.starts_with("F8_");
    checkpoint.tensors().find(weight).map(|(name, _)| (name, "FP8"))
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{Dtype, TensorView};

    use super::*;

    fn said(tensors: &[(&str, Dtype)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let bytes = [0; 4];
        let views = tensors.iter().map(|(name, dtype)| {
            let count = 32 / dtype.bitsize();
            (*name, TensorView::new(*dtype, vec![count], &bytes).unwrap())
        });
        safetensors::serialize_to_file(views, None, &folder.path().join("model.safetensors")).unwrap();
        quantised(&Checkpoint::open(folder.path()).unwrap())
    }

    #[test]
    fn the_ways_of_quantising_are_told_apart() {
        for (tensors, method) in [
            (&[("a.qweight", Dtype::I32), ("a.g_idx", Dtype::I32)][..], "GPTQ"),
            (&[("a.qweight", Dtype::I32), ("a.qzeros", Dtype::I32)], "GPTQ or AWQ"),
            (&[("a.weight", Dtype::U8), ("a.weight.absmax", Dtype::F32)], "bitsandbytes"),
            (&[("a.weight", Dtype::U32), ("a.scales", Dtype::F16), ("a.biases", Dtype::F16)], "MLX"),
            (&[("a.weight", Dtype::F8_E4M3)], "FP8"),
        ] {
            let said = said(tensors).unwrap();
            assert!(said.contains(&format!("the weights are quantised ({method}), and only")), "{said}");
        }
        assert_eq!(said(&[("a.weight", Dtype::F32), ("a.scales", Dtype::F32)]), None);
        assert_eq!(said(&[("a.weight", Dtype::I32)]), None, "a type that no way of quantising uses alone");
    }
}
