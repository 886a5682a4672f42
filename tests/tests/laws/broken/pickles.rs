//! Broken `PyTorch` files, and files that contain code. The code is named and never run.

use std::path::Path;

use super::{copy, load, says};

/// The error of loading `gpt_neo_bin` with these bytes as its weights.
fn refused(bytes: &[u8]) -> String {
    let folder = copy("gpt_neo_bin");
    std::fs::write(folder.path().join("pytorch_model.bin"), bytes).unwrap();
    load(folder.path()).map(drop).unwrap_err().to_string()
}

#[test]
fn files_that_are_not_pickles_are_refused() {
    let folder = copy("gpt_neo_bin");
    let path = folder.path().join("pytorch_model.bin");
    let whole = std::fs::read(&path).unwrap();
    let flipped = |at: usize| {
        whole
            .iter()
            .enumerate()
            .map(|(index, byte)| if index / 16 == at / 16 { !byte } else { *byte })
            .collect::<Vec<u8>>()
    };
    let mut broken: Vec<Vec<u8>> =
        [0, 1, 100, 1000, whole.len() / 2, whole.len() - 30].map(|length| whole[..length].to_vec()).into();
    broken.extend([
        b"not a pickle at all".to_vec(),
        b"PK\x03\x04".to_vec(),
        b"\x80\x02(((((((.".to_vec(),
        vec![0x80; 4096],
    ]);
    for bytes in broken {
        std::fs::write(&path, &bytes).unwrap();
        let message = load(folder.path()).map(drop).unwrap_err().to_string();
        says(&message, &["pytorch_model.bin"]);
    }
    std::fs::write(&path, b"\x80\x02}q\x00.").unwrap();
    let empty = load(folder.path()).map(drop).unwrap_err().to_string();
    says(&empty, &["does not fit its config.json", "2 layers, but there are 0 tensors in all"]);
    // Flipped bytes may hit numbers, which cannot be detected. Wherever they are, nothing panics.
    for at in (0..whole.len()).step_by(whole.len() / 48) {
        std::fs::write(&path, flipped(at)).unwrap();
        drop(load(folder.path()));
    }
}

/// `os.system("touch FILE")` as a pickle's value, in its oldest protocol.
fn call(file: &Path) -> Vec<u8> {
    [b"cposix\nsystem\n(Vtouch ", file.to_str().unwrap().as_bytes(), b"\ntR"].concat()
}

#[test]
fn code_in_a_pickle_is_named_and_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let touched = folder.path().join("touched");
    let alone = refused(&[&call(&touched)[..], b"."].concat());
    says(&alone, &["pytorch_model.bin", "posix.system", "nothing in the file was run", "model.safetensors"]);
    // As a value of a table: {"transformer.wte.weight": os.system(...)}.
    let value = refused(&[b"(dVtransformer.wte.weight\n", &call(&touched)[..], b"s."].concat());
    says(&value, &["`transformer.wte.weight` is a `posix.system`, not a tensor", "nothing in the file was run"]);
    // Nested, after plain data.
    let deep = refused(&[b"(dVepoch\nI3\nsVmore\n(lVx\na", &call(&touched)[..], b"as."].concat());
    says(&deep, &["`more` is a `posix.system`, not a tensor"]);
    assert!(!touched.exists());
}

#[test]
fn pickles_that_announce_more_than_they_hold_are_refused() {
    for bytes in [
        &b"\x80\x02X\xff\xff\xff\x7fabc."[..],
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x80\x02h\x00.",
        &[b"\x80\x02", &b"]".repeat(100_000)[..], &b"a".repeat(99_999)[..], b"."].concat(),
    ] {
        says(&refused(bytes), &["pytorch_model.bin", "nothing in the file was run", "download it again"]);
    }
}
