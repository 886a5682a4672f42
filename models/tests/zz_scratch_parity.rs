//! scratch
use std::path::PathBuf;
use arrakis_models::families::{Cut, HfConfig, WeightMap, family};
use arrakis_models::transformer::{Init, Source, Transformer};
use arrakis_models::{HookedTransformer, device};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};

struct S<'a> { st: SafeTensors<'a>, map: WeightMap }
fn floats(st: &SafeTensors, name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
    let t = st.tensor(name).ok()?;
    let v = match t.dtype() {
        Dtype::F32 => t.data().chunks(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect(),
        Dtype::BF16 => t.data().chunks(2).map(|c| half::bf16::from_le_bytes(c.try_into().unwrap()).to_f32()).collect(),
        Dtype::F16 => t.data().chunks(2).map(|c| half::f16::from_le_bytes(c.try_into().unwrap()).to_f32()).collect(),
        d => panic!("{d:?}"),
    };
    Some((t.shape().to_vec(), v))
}
impl Source for S<'_> {
    fn take<const D: usize>(&mut self, name: &str, shape: [usize; D], _i: Init) -> Tensor<D> {
        let dev = Device::flex();
        let w = self.map.weights.iter().find(|w| w.ours == name).unwrap().clone();
        let parts: Vec<Tensor<2>> = w.theirs.iter().map(|t| {
            let (s, v) = floats(&self.st, t).or_else(|| floats(&self.st, t.strip_prefix(self.map.prefix).unwrap())).unwrap_or_else(|| panic!("{t}"));
            let two = if s.len() == 1 { [1, s[0]] } else { [s[..s.len() - 1].iter().product(), s[s.len() - 1]] };
            Tensor::from_data(TensorData::new(v, two), &dev)
        }).collect();
        let whole = Tensor::cat(parts, 1);
        let axis = usize::from(D == 1 || !w.out_in);
        let other = whole.dims()[1 - axis];
        let cut = match w.cut {
            Cut::Whole => whole,
            Cut::Range { start, len } => whole.narrow(axis, start, len),
            Cut::PerGroup { groups, stride, start, len } if axis == 0 => whole.reshape([groups, stride, other]).narrow(1, start, len).reshape([groups * len, other]),
            Cut::PerGroup { groups, stride, start, len } => whole.reshape([other, groups, stride]).narrow(2, start, len).reshape([other, groups * len]),
        };
        let t = if w.out_in && D == 2 { cut.transpose() } else { cut };
        t.reshape(shape)
    }
}
#[test]
fn parity() {
    let roots = std::env::var("ROOTS").unwrap_or("/work/shared/parity/open".into());
    let mut names: Vec<_> = roots.split(':').flat_map(|r| std::fs::read_dir(r).unwrap().map(|e| e.unwrap().path())).filter(|p| p.join("model.safetensors").exists()).collect();
    names.sort();
    for folder in names {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if ["bert", "t5"].contains(&name.as_str()) { continue; }
        let bytes = std::fs::read(folder.join("reference.safetensors")).unwrap();
        let st = SafeTensors::deserialize(&bytes).unwrap();
        let ids = st.tensor("input_ids").unwrap();
        let shape = ids.shape().to_vec();
        let ids: Vec<u32> = ids.data().chunks(8).map(|c| i64::from_le_bytes(c.try_into().unwrap()) as u32).collect();
        let rows: Vec<Vec<u32>> = ids.chunks(shape[1]).map(<[u32]>::to_vec).collect();
        let expected = floats(&st, "logits").unwrap().1;
        let hf = HfConfig::new(serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap()).unwrap();
        let fam = family(hf.family()).unwrap();
        let config = match (fam.config)(&hf) { Ok(c) => c, Err(e) => { println!("{name}: {e}"); continue } };
        config.check().unwrap();
        let wb = std::fs::read(folder.join("model.safetensors")).unwrap();
        let st = SafeTensors::deserialize(&wb).unwrap();
        let map = (fam.weights)(&config).settled(|n| st.tensor(n).is_ok());
        let net = Transformer::build(&mut S { st, map }, &config);
        let model = HookedTransformer::new(net, &name, None, &device::cpu());
        let mut worst = 0f32;
        for (r, row) in rows.iter().enumerate() {
            let got = device::read(model.forward(row.as_slice()).unwrap()).unwrap();
            let n = got.len();
            for (a, b) in got.iter().zip(&expected[r * n..(r + 1) * n]) { worst = worst.max((a - b).abs()); }
        }
        println!("PARITY {name}: {worst:e}");
    }
}
