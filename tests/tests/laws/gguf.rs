//! GGUF files, against what the `gguf` package and transformers read from them (`fixtures/gguf/make_gguf.py`).

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

use std::path::{Path, PathBuf};

use arrakis::models::checkpoint::Checkpoint;
use arrakis::models::{
    Bos, ChatOptions, HookedAutoConfig, HookedAutoModel, HookedTransformer, LoadOptions, Message, Result, device,
};
use safetensors::SafeTensors;
use serde_json::Value;

const MODELS: [&str; 4] = ["llama", "qwen2", "qwen3", "gpt2"];

/// Single precision, with logits up to 100.
const TOLERANCE: f32 = 2e-4;

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/gguf").join(file)
}

fn load(path: &Path) -> Result<HookedTransformer> {
    HookedAutoModel::load(path.to_str().unwrap(), &LoadOptions::new().device("cpu").quiet())
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = file.tensor(name).unwrap().data();
    bytes.chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect()
}

#[test]
fn every_block_type_is_widened_to_the_same_bits() {
    let bytes = std::fs::read(fixture("types.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let mut read = Checkpoint::open(&fixture("types.gguf")).unwrap();
    assert_eq!(read.tensors().count(), 13);
    for name in expected.names() {
        let data = read.read(name).unwrap();
        assert_eq!(data.shape().to_vec(), expected.tensor(name).unwrap().shape(), "{name}");
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(data.try_into_vec().unwrap()), bits(floats(&expected, name)), "{name}");
    }
}

#[test]
fn a_model_gives_the_logits_of_transformers() {
    for name in MODELS {
        let bytes = std::fs::read(fixture(&format!("{name}.safetensors"))).unwrap();
        let expected = SafeTensors::deserialize(&bytes).unwrap();
        let ids = expected.tensor("input_ids").unwrap().data().chunks_exact(8);
        let ids: Vec<u32> = ids.map(|id| i64::from_le_bytes(id.try_into().unwrap()) as u32).collect();
        let model = load(&fixture(&format!("{name}.gguf"))).unwrap();
        let logits: Vec<f32> = device::read(model.forward(ids).unwrap()).unwrap();
        let wanted = floats(&expected, "logits");
        let far = logits.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(logits.len() == wanted.len() && far < TOLERANCE, "{name}: {far:e} from transformers' logits");
    }
}

#[test]
fn the_tokenizer_gives_the_ids_of_the_one_it_was_made_from() {
    for name in MODELS {
        let tokenizer = HookedAutoModel::tokenizer(&fixture(&format!("{name}.gguf"))).unwrap().unwrap();
        let cases: Vec<Value> =
            serde_json::from_str(&std::fs::read_to_string(fixture(&format!("{name}.json"))).unwrap()).unwrap();
        for case in cases {
            let text = case["text"].as_str().unwrap();
            let ids: Vec<u64> = case["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
            let ours: Vec<u64> = tokenizer.encode(text, Bos::AsTokenizer).unwrap().into_iter().map(u64::from).collect();
            assert_eq!(ours, ids, "{name}: `{text}`");
        }
    }
}

#[test]
fn a_folder_with_one_file_is_that_file_and_is_saved_for_transformers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("llama.gguf"), folder.path().join("a.gguf")).unwrap();
    let model = load(folder.path()).unwrap();
    let saved = tempfile::tempdir().unwrap();
    model.save_pretrained(saved.path()).unwrap();
    let again = load(saved.path()).unwrap();
    let logits = |model: &HookedTransformer| device::read(model.forward([1, 2, 3]).unwrap()).unwrap();
    assert_eq!(logits(&again), logits(&model));
    std::fs::copy(fixture("gpt2.gguf"), folder.path().join("b.gguf")).unwrap();
    let said = load(folder.path()).map(drop).unwrap_err().to_string();
    assert!(
        said.contains("`a.gguf`, `b.gguf` is in the format GGUF") && said.contains("give the path of the file itself"),
        "{said}"
    );
}

#[test]
fn what_is_broken_or_not_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model-Q4_K_M.gguf");
    let whole = std::fs::read(fixture("llama.gguf")).unwrap();
    let said = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        load(&path).map(drop).unwrap_err().to_string()
    };
    assert!(
        said(&[b"GGUF", &[0; 64][..]].concat())
            .contains("it is a GGUF file of version 0, but only versions 2 and 3 are read")
    );
    assert!(said(b"").contains("it is truncated"));
    assert!(said(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n").contains("git lfs pull"));
    for length in [4, 20, 40, 100, 5_000, 10_000, whole.len() - 1] {
        let said = said(&whole[..length]);
        assert!(said.contains("model-Q4_K_M.gguf") && said.contains("download it again"), "{length}: {said}");
    }
    let with = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).position(|window| window == from).unwrap();
        said(&[&whole[..at], to, &whole[at + from.len()..]].concat())
    };
    assert!(
        with(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0mamba")
            .contains("its architecture is `mamba`, but GGUF files are read of llama")
    );
    assert!(
        with(b"llama.rope.dimension_count", b"llama.rope.dimension_kount")
            .contains("`llama.rope.dimension_kount` is 16: this setting is not read")
    );
}

/// Bytes changed at will never make it panic, hang or take all memory.
#[test]
fn changed_bytes_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    let whole = std::fs::read(fixture("gpt2.gguf")).unwrap();
    // Numbers drawn by a multiplication, so that every run changes the same bytes.
    let mut draw = 1_u64;
    let mut next = |below: usize| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) as usize % below
    };
    let mut refused = 0;
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..=next(4) {
            // Most of what can go wrong is in front of the numbers.
            let at = next(12_000);
            bytes[at] = [0, 1, 0x7f, 0xff, next(256) as u8][next(5)];
        }
        std::fs::write(&path, &bytes).unwrap();
        let read = HookedAutoModel::folder(path.to_str().unwrap())
            .and_then(|path| HookedAutoConfig::from_folder(&path).and_then(|_| Checkpoint::open(&path)));
        refused += usize::from(read.is_err());
    }
    assert!((30..300).contains(&refused), "{refused} of 300 were refused");
}

/// The text is what transformers writes with this file's tokenizer.
#[test]
fn roles_and_chat_templates_are_read_and_saved() {
    let model = load(&fixture("llama.gguf")).unwrap();
    let saved = tempfile::tempdir().unwrap();
    model.save_pretrained(saved.path()).unwrap();
    for model in [model, load(saved.path()).unwrap()] {
        let tokenizer = model.tokenizer().unwrap();
        let role =
            |name: &str| tokenizer.roles().iter().find(|(role, _)| role == name).map(|(_, token)| token.as_str());
        assert_eq!(["bos_token", "eos_token", "unk_token"].map(role), [Some("<s>"), Some("</s>"), Some("<unk>")]);
        assert_eq!(tokenizer.chat_templates(), ["default", "tool_use"]);
        let messages = [Message::user("Hi"), Message::assistant("Yo")];
        let chat = tokenizer.apply_chat_template(&messages, &ChatOptions::new()).unwrap();
        assert_eq!(chat.text, "<s>user: Hi</s>assistant: Yo</s>");
        let tools = ChatOptions::new().tools([Value::Null, Value::Null]);
        assert_eq!(tokenizer.apply_chat_template(&messages, &tools).unwrap().text, "2");
    }
}
