//! scratch
use arrakis_models::*;
use std::path::PathBuf;
#[test]
fn parity() {
    let root = PathBuf::from("/work/shared/parity/open");
    let mut names: Vec<_> = std::fs::read_dir(&root).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    names.sort();
    for folder in names {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if ["bert", "t5"].contains(&name.as_str()) { continue; }
        let bytes = std::fs::read(folder.join("reference.safetensors")).unwrap();
        let st = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let ids = st.tensor("input_ids").unwrap();
        let shape = ids.shape().to_vec();
        let ids: Vec<u32> = ids.data().chunks(8).map(|c| i64::from_le_bytes(c.try_into().unwrap()) as u32).collect();
        let rows: Vec<Vec<u32>> = ids.chunks(shape[1]).map(<[u32]>::to_vec).collect();
        let expected: Vec<f32> = st.tensor("logits").unwrap().data().chunks(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect();
        let model = match HookedAutoModel::from_pretrained(folder.to_str().unwrap()) { Ok(m) => m, Err(e) => { println!("{name}: ERROR {e}"); continue } };
        let mut worst = 0f32;
        for (r, row) in rows.iter().enumerate() {
            let logits = model.forward(row.as_slice()).unwrap();
            let got = device::read(logits).unwrap();
            let n = got.len();
            for (a, b) in got.iter().zip(&expected[r * n..(r + 1) * n]) { worst = worst.max((a - b).abs()); }
        }
        println!("{name}: {worst:e}");
    }
}
