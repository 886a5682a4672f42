//! The tensors of a `HookedTransformer` checkpoint in the shapes that a matrix `[in, out]` has here: the heads of a
//! projection side by side. And back again.

use std::collections::BTreeMap;

use burn::tensor::DType;

use super::entry::Entry;
use crate::transformer::TransformerConfig;

/// How a tensor is made.
#[derive(Debug, PartialEq)]
pub(super) enum Made {
    /// From a stack of matrices, one a head: `[heads, d_model, d_head]` to `[d_model, heads * d_head]`.
    SideBySide(String),
    /// From the same numbers in another shape.
    Reshaped(String),
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
}

/// The keys of a config that give the axes of tensors, by the ends of their names.
const AXES: [(&str, &[&str]); 8] = [
    ("attn.W_Q", &["n_heads", "d_model", "d_head"]),
    ("attn.W_K", &["n_key_value_heads", "d_model", "d_head"]),
    ("attn._W_K", &["n_key_value_heads", "d_model", "d_head"]),
    ("attn.rotary_sin", &["n_ctx", "rotary_dim"]),
    ("attn.mask", &["n_ctx", "n_ctx"]),
    ("mlp.W_in", &["d_model", "d_mlp"]),
    ("pos_embed.W_pos", &["n_ctx", "d_model"]),
    ("embed.W_E", &["d_vocab", "d_model"]),
];

/// A number of a config that follows from a checkpoint's tensors.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    key: &'static str,
    size: usize,
    /// What tells it.
    by: String,
}

/// The numbers of a config that the tensors of `HookedTransformer` tell, before their heads are laid out. Nothing, if it is
/// not one of its checkpoints.
pub(super) fn told(tensors: &BTreeMap<String, Entry>) -> Vec<Told> {
    let blocks = |layer: &usize| matches!(shape(tensors, &format!("blocks.{layer}.attn.W_Q")), Some([_, _, _]));
    let layers = (0..tensors.len()).take_while(blocks).count();
    if layers == 0 {
        return Vec::new();
    }
    let by = format!("the tensors are of `blocks.0` to `blocks.{}`", layers - 1);
    let mut told = vec![Told { key: "n_layers", size: layers, by }];
    for (end, keys) in AXES {
        // Newer versions keep an empty mask.
        let tells = |held: &Entry| held.shape.len() == keys.len() && !held.shape.contains(&0);
        let named = tensors.iter().filter(|(name, held)| name.ends_with(end) && tells(held));
        told.extend(named.flat_map(|(name, held)| {
            let by = format!("`{name}` is {:?}, which is [{}]", held.shape, keys.join(", "));
            keys.iter().zip(&held.shape).map(move |(key, size)| Told { key, size: *size, by: by.clone() })
        }));
    }
    told
}

/// A line for each number of a config that a checkpoint's tensors contradict.
pub(super) fn contradictions(told: &[Told], config: &TransformerConfig) -> Vec<String> {
    let mut lines: BTreeMap<&str, String> = BTreeMap::new();
    for Told { key, size, by } in told {
        if let Some(stated) = stated(config, key).filter(|stated| stated != size) {
            lines.entry(key).or_insert_with(|| {
                format!(
                    "contradiction: the config gives {stated} as `{key}`, but {by}: use {size}, in config.json or in what \
                     `LoadOptions::config` states"
                )
            });
        }
    }
    lines.into_values().collect()
}

/// What a config says of one of the keys of [`AXES`].
fn stated(config: &TransformerConfig, key: &str) -> Option<usize> {
    match key {
        "n_layers" => Some(config.n_layers),
        "n_heads" => Some(config.n_heads),
        "n_key_value_heads" => Some(config.n_kv_heads),
        "d_model" => Some(config.d_model),
        "d_head" => Some(config.d_head),
        "d_mlp" => (!config.attn_only).then_some(config.d_mlp),
        "d_vocab" => Some(config.d_vocab),
        "n_ctx" => Some(config.n_ctx),
        "rotary_dim" => config.rope(0).map(|rope| rope.dims),
        _ => None,
    }
}

/// The name and the shape of a tensor in a file of `HookedTransformer`, if it is of attention and differs there; and the
/// width of a head, if heads come before inputs. `grouped` if the config states the number of key and value heads.
pub(super) fn apart(
    name: &str,
    config: &TransformerConfig,
    grouped: bool,
) -> Option<(String, Vec<usize>, Option<usize>)> {
    let (block, part) = name.split_once(".attn.")?;
    let (d_model, d_head) = (config.d_model, config.d_head);
    let (heads, mark) = match part {
        "W_K" | "W_V" | "b_K" | "b_V" if grouped => (config.n_kv_heads, "_"),
        _ => (config.n_heads, ""),
    };
    let (shape, width) = match part {
        "W_O" => (vec![heads, d_head, d_model], None),
        "W_Q" | "W_K" | "W_V" => (vec![heads, d_model, d_head], Some(d_head)),
        "b_Q" | "b_K" | "b_V" => (vec![heads, d_head], None),
        _ => return None,
    };
    Some((format!("{block}.attn.{mark}{part}"), shape, width))
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
    fn names_and_shapes_come_back() {
        let tensors = BTreeMap::from([
            ("embed.W_E".to_owned(), entry(&[7, 4])),
            ("blocks.0.attn.W_Q".to_owned(), entry(&[2, 4, 3])),
            ("blocks.0.attn._W_K".to_owned(), entry(&[1, 4, 3])),
        ]);
        let made: BTreeMap<String, (Vec<usize>, Made)> =
            made(&tensors).into_iter().map(|(name, entry, made)| (name, (entry.shape, made))).collect();
        assert_eq!(made["blocks.0.attn.W_Q"], (vec![4, 6], Made::SideBySide("blocks.0.attn.W_Q".into())));
        assert_eq!(made["blocks.0.attn.W_K"], (vec![4, 3], Made::SideBySide("blocks.0.attn._W_K".into())));
        let mut config = TransformerConfig::plain("test", 1, 4, 2, 7, 8).with_d_head(3);
        config.n_kv_heads = 1;
        let back = |name: &str| apart(&format!("blocks.0.attn.{name}"), &config, true).unwrap();
        assert_eq!(back("W_Q"), ("blocks.0.attn.W_Q".into(), vec![2, 4, 3], Some(3)));
        assert_eq!(back("W_K"), ("blocks.0.attn._W_K".into(), vec![1, 4, 3], Some(3)));
        assert_eq!(back("b_V"), ("blocks.0.attn._b_V".into(), vec![1, 3], None));
        assert_eq!(back("W_O"), ("blocks.0.attn.W_O".into(), vec![2, 3, 4], None));
        let of = |name: &str| apart(name, &config, true);
        assert_eq!((of("blocks.0.mlp.W_in"), of("blocks.0.attn.b_O")), (None, None));
        assert!(super::made(&BTreeMap::from([("model.norm.weight".to_owned(), entry(&[4]))])).is_empty());
    }

    #[test]
    fn a_config_that_the_shapes_contradict_is_corrected_by_name() {
        let mut tensors = BTreeMap::from([
            ("embed.W_E".to_owned(), entry(&[7, 4])),
            ("blocks.0.attn.W_Q".to_owned(), entry(&[2, 4, 3])),
            ("blocks.0.attn._W_K".to_owned(), entry(&[1, 4, 3])),
            ("blocks.0.attn.mask".to_owned(), entry(&[8, 8])),
            ("blocks.0.mlp.W_in".to_owned(), entry(&[4, 16])),
        ]);
        let mut right = TransformerConfig::plain("test", 1, 4, 2, 7, 8).with_d_head(3);
        right.n_kv_heads = 1;
        assert!(contradictions(&told(&tensors), &right).is_empty());
        let told = told(&tensors);
        let said = |change: &dyn Fn(&mut TransformerConfig)| {
            let mut config = right.clone();
            change(&mut config);
            contradictions(&told, &config)
        };
        assert_eq!(
            said(&|config| (config.n_heads, config.d_head) = (3, 2)),
            [
                "contradiction: the config gives 2 as `d_head`, but `blocks.0.attn.W_Q` is [2, 4, 3], which is [n_heads, d_model, \
                 d_head]: use 3, in config.json or in what `LoadOptions::config` states",
                "contradiction: the config gives 3 as `n_heads`, but `blocks.0.attn.W_Q` is [2, 4, 3], which is [n_heads, d_model, \
                 d_head]: use 2, in config.json or in what `LoadOptions::config` states",
            ]
        );
        assert!(
            said(&|config| config.n_layers = 2)[0]
                .contains("2 as `n_layers`, but the tensors are of `blocks.0` to `blocks.0`")
        );
        let check = |change: &dyn Fn(&mut TransformerConfig), expected: &str| {
            let said = said(change);
            assert!(said.len() == 1 && said[0].contains(expected), "{said:?}");
        };
        check(
            &|config| config.n_ctx = 9,
            "9 as `n_ctx`, but `blocks.0.attn.mask` is [8, 8], which is [n_ctx, n_ctx]: use 8",
        );
        check(&|config| config.d_mlp = 17, "17 as `d_mlp`");
        check(&|config| config.d_vocab = 6, "6 as `d_vocab`");
        check(&|config| config.n_kv_heads = 2, "2 as `n_key_value_heads`");
        check(&|config| config.d_model = 8, "8 as `d_model`");
        tensors.remove("blocks.0.attn.W_Q");
        assert!(super::told(&tensors).is_empty(), "not a checkpoint of `HookedTransformer`");
    }
}
