//! Every architecture compared with transformers' own numbers, and the `arrakis parity` command, which does the same.
//!
//! `fixtures/parity/<case>/` has a tiny checkpoint with random weights, or a small trained one, and what transformers
//! computed for it in float32: forward, gradients, padding, greedy text.

#![allow(clippy::unwrap_used, reason = "a test that fails there says so")]

mod save;

use std::path::{Path, PathBuf};

use arrakis::models::{Generation, HookedAutoModel, HookedTransformer, LoadOptions};
use arrakis::parity::{ParityOptions, Reference, Report, compare};
use serde_json::{Value, json};

fn fixture(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity").join(case)
}

/// The weights of a case with another config.
fn loaded(case: &str, config: &Value) -> HookedTransformer {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(case)).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, folder.path().join(from.file_name().unwrap())).unwrap();
    }
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let options = LoadOptions::new().device("cpu").quiet();
    HookedAutoModel::load(folder.path().to_str().unwrap(), &options).unwrap()
}

/// The weights of a case with another config, compared with the case's reference.
fn held(case: &str, config: &Value) -> Report {
    let model = loaded(case, config);
    let reference = Reference::open(&fixture(case).join("reference.safetensors")).unwrap();
    compare(&model, &reference, ParityOptions::default()).unwrap()
}

fn config(case: &str, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(case).join(file)).unwrap()).unwrap()
}

/// The case agrees in both spellings of its config, and only the named parts are skipped.
fn agrees(case: &str, left_out: &[&str]) {
    for spelling in ["config.json", "config_v4.json"] {
        if !fixture(case).join(spelling).is_file() {
            continue;
        }
        let report = held(case, &config(case, spelling));
        let failures: Vec<String> = report
            .failures()
            .map(|row| format!("{}: {:.2e} beyond {:?}; {}", row.quantity, row.max_abs, row.tolerance, row.note))
            .collect();
        assert!(report.passed(), "{case} with {spelling}:\n{}", failures.join("\n"));
        // An encoder has no text to continue and no left padding.
        let least = match case {
            "bert" => 13,
            "bert_untied" => 11,
            _ => 20,
        };
        assert!(report.rows.len() >= least, "{case}: only {} quantities", report.rows.len());
        let skipped: Vec<&str> = report.skipped.iter().map(|skipped| skipped.quantity.as_str()).collect();
        assert_eq!(skipped, left_out, "{case}");
        assert!(report.missing.is_empty(), "{case}: {:?}", report.missing);
    }
}

macro_rules! cases {
    ($($case:ident $(but $($left_out:literal)+)?),* $(,)?) => {
        $(
            #[test]
            #[allow(non_snake_case, reason = "the model's own name")]
            fn $case() {
                agrees(stringify!($case), &[$($($left_out),+)?]);
            }
        )*
    };
}

cases! {
    gpt2, gpt2_hub, gpt_neo, gpt_neo_bin, gpt_neox, gpt_neox_serial, llama, llama_rope_llama3, gemma, gemma_hub,
    gemma2, gemma3, phi3, phi3_longrope, qwen2, qwen2_yarn, qwen3, mistral, stablelm, stablelm_parallel, opt,
    bloom but "grad_embed", falcon, phi, gptj, olmo2, mixtral but "aux_loss",
    stories260K but "repeated.duplicate" "repeated.first" "repeated.induction" "repeated.previous",
    shakespeare_gpt2, bert,
    gpt2_inverse, llama_biases, phi_qk, opt_350m but "grad_embed", falcon_new, falcon_alibi,
    mixtral_window but "aux_loss",
    opt_plain, bloom_odd but "grad_embed", falcon_grouped, llama_dynamic, gpt_neox_longrope, gemma3_yarn, qwen3_shards,
    bert_untied,
    qwen2_moe but "aux_loss", qwen3_moe but "aux_loss", olmo, olmo3, olmoe but "aux_loss", smollm3, granite, cohere2,
    starcoder2, glm4, gpt_oss but "aux_loss", nemotron, bloom_post but "grad_embed",
}

/// With one setting of a config changed the comparison fails, and the first quantity that differs points at the
/// setting.
#[test]
fn a_wrong_setting_is_found_where_it_acts() {
    for (case, key, wrong, first) in [
        ("llama", "rms_norm_eps", json!(1e-5), "attentions.0"),
        ("llama", "rope_parameters", json!({"rope_theta": 9000.0, "rope_type": "default"}), "attentions.0"),
        ("llama", "hidden_act", json!("gelu"), "mlp_out.0"),
        ("gpt2", "activation_function", json!("gelu"), "mlp_out.0"),
        ("gpt_neox", "use_parallel_residual", json!(false), "mlp_out.0"),
        ("mistral", "sliding_window", json!(5), "attentions.0"),
        ("gemma2", "final_logit_softcapping", json!(null), "logits"),
        ("bert", "is_decoder", json!(true), "attentions.0"),
        ("bert", "hidden_act", json!("gelu_new"), "hidden_states.1"),
        ("opt_350m", "activation_function", json!("gelu"), "mlp_out.0"),
        ("granite", "residual_multiplier", json!(0.5), "mlp_out.0"),
        ("smollm3", "no_rope_layers", json!([1, 1, 1]), "attentions.1"),
        (
            "cohere2",
            "layer_types",
            json!(["sliding_attention", "sliding_attention", "sliding_attention"]),
            "attentions.1",
        ),
        ("qwen2_moe", "norm_topk_prob", json!(true), "mlp_out.0"),
        ("gpt_oss", "swiglu_limit", json!(7.0), "mlp_out.0"),
        ("olmo", "clip_qkv", json!(null), "attentions.0"),
        ("bloom_post", "apply_residual_connection_post_layernorm", json!(false), "mlp_out.0"),
        ("qwen2_yarn", "layer_types", json!(["full_attention", "full_attention", "full_attention"]), "attentions.2"),
    ] {
        let mut changed = config(case, "config.json");
        changed[key] = wrong;
        let report = held(case, &changed);
        let found = report.failures().next().map(|row| row.quantity.as_str());
        assert_eq!(found, Some(first), "{case} with a wrong `{key}`");
    }
}

/// Keys rotated for a shorter sequence cannot be used in one whose length changes the rotation.
#[test]
fn a_cache_starts_again_where_the_rotation_changes() {
    let grows = |case: &str| {
        let mut longer = config(case, "config.json");
        if case != "llama_dynamic" {
            longer["original_max_position_embeddings"] = json!(14);
            longer["rope_parameters"]["original_max_position_embeddings"] = json!(14);
        }
        loaded(case, &longer)
    };
    for case in ["phi3_longrope", "gpt_neox_longrope", "llama_dynamic"] {
        let (model, text) = (grows(case), (5..16).collect::<Vec<u32>>());
        let logits = |use_cache| {
            let how = Generation::greedy(8).use_cache(use_cache).ignore_eos();
            model.generate(text.as_slice(), &how).unwrap().logits_of_row(0).unwrap()
        };
        let (kept, plain) = (logits(true), logits(false));
        let apart = kept.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(kept.len() == plain.len() && apart < 1e-4, "{case}: {apart} apart");
    }
}

/// A rotation that stretches with the sequence has no last position (`fixtures/dynamic_rope/make_longer.py`).
#[test]
fn a_dynamic_rotation_goes_on_beyond_its_factor() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dynamic_rope/longer.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let ids = file.tensor("input_ids").unwrap().data().chunks_exact(8);
    let ids: Vec<u32> = ids.map(|id| i64::from_le_bytes(id.try_into().unwrap()) as u32).collect();
    let model = loaded("llama_dynamic", &config("llama_dynamic", "config.json"));
    assert!(ids.len() > model.config().max_positions());
    let logits: Vec<f32> = arrakis::models::device::read(model.forward(ids).unwrap()).unwrap();
    let wanted = file.tensor("logits").unwrap().data().chunks_exact(4);
    let wanted = wanted.map(|value| f32::from_le_bytes(value.try_into().unwrap()));
    let far = logits.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1e-4, "{far:e} from transformers' logits");
}

/// Runs the command. Returns its exit status, stdout and stderr.
fn command(args: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = arrakis::cli::run([&["arrakis", "--device", "cpu"], args].concat(), &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn the_parity_command_reports_differences_in_its_exit_status() {
    let llama = fixture("llama");
    let (code, out, _) = command(&["parity", llama.to_str().unwrap()]);
    assert!(code == 0 && out.contains("on cpu (flex") && out.contains("36 agree, 0 differ"), "{out}");
    let (code, out, _) = command(&["parity", llama.to_str().unwrap(), "--tolerance", "0"]);
    assert!(code == 1 && out.contains("DIFFERS") && out.contains("the first to differ is `attentions.0`"), "{out}");
    let (code, out, _) = command(&["parity", llama.to_str().unwrap(), "--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert!(code == 0 && report["passed"] == true && report["rows"][0]["quantity"] == "embed_out");
}

#[test]
fn the_parity_command_says_what_is_wrong_with_a_reference() {
    let (llama, none) = (fixture("llama"), tempfile::tempdir().unwrap());
    let other = fixture("gpt2").join("reference.safetensors");
    let (code, out, err) = command(&["parity", llama.to_str().unwrap(), "--reference", other.to_str().unwrap()]);
    assert!(
        code == 1 && err.is_empty() && out.contains("DIFFERS"),
        "another model's numbers are not an error, they differ"
    );
    let absent = none.path().join("absent.safetensors");
    let (code, _, err) = command(&["parity", llama.to_str().unwrap(), "--reference", absent.to_str().unwrap()]);
    assert!(code == 2 && err.contains("absent.safetensors") && err.contains("--reference FILE"), "{err}");
}

#[test]
fn the_inspect_command_reports_sizes_sites_and_refusals() {
    let (code, out, _) = command(&["inspect", fixture("llama").to_str().unwrap()]);
    assert!(
        code == 0
            && out.contains("it would load")
            && out.contains("blocks.*.attn.rot_q")
            && out.contains("4 on 2 key and value heads"),
        "{out}"
    );
    assert!(!out.contains("pos_embed"), "a rotary model has no learned positions");
    let (code, out, _) = command(&["inspect", fixture("stories260K").to_str().unwrap(), "--json"]);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert!(
        code == 0
            && found["n_params"] == 260_032
            && found["memory"]["f32"] == 4 * 260_032
            && found["tokenizer"]["tokens"] == 512,
        "{out}"
    );

    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("llama").join("model.safetensors"), folder.path().join("model.safetensors")).unwrap();
    let mut wrong = config("llama", "config.json");
    wrong["intermediate_size"] = json!(73);
    std::fs::write(folder.path().join("config.json"), wrong.to_string()).unwrap();
    let (code, out, _) = command(&["inspect", folder.path().to_str().unwrap()]);
    assert!(
        code == 1
            && out.contains("it would be refused")
            && out.contains("wrong shape: `model.layers.0.mlp.up_proj.weight`"),
        "{out}"
    );
}
