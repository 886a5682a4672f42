//! `model/block.onnx` as Burn code, and the one line that makes its `forward` hookable.

use std::path::Path;
use std::{env, fs};

use burn_onnx::{LoadStrategy, ModelGen};

fn main() {
    ModelGen::new().input("model/block.onnx").out_dir("model/").load_strategy(LoadStrategy::Embedded).run_from_script();
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    let folder = Path::new(&out).join("model");
    let code = fs::read_to_string(folder.join("block.rs")).expect("burn-onnx writes the file named after its input");
    // The tests compare the two.
    fs::write(folder.join("plain.rs"), &code).expect("the folder burn-onnx has just made");
    fs::write(folder.join("block.rs"), hooked(&code)).expect("the file burn-onnx has just written");
}

/// Puts the attribute above the only `forward`.
fn hooked(code: &str) -> String {
    let signature = "pub fn forward(";
    assert_eq!(code.matches(signature).count(), 1, "burn-onnx writes one `{signature}`; look at {code}");
    code.replace(signature, &format!("#[::arrakis::hooked]\n    {signature}"))
}
