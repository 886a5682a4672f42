//! All the steps, for every architecture: config → model → bench → log → tools → plot.

use arrakis::models::site::SITES;
use arrakis::prelude::*;
use arrakis::tools::FactoredMatrix;
use serde_json::json;

/// What a researcher would write in a `config.json`; every family has its own keys.
fn config_of(family: &str) -> Result<arrakis::models::TransformerConfig> {
    let without: &[&str] = match family {
        "gpt2" => {
            return Ok(HookedAutoConfig::from_json(
                json!({"model_type": "gpt2", "vocab_size": 100, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}),
            )?);
        }
        "gpt_neo" => {
            let attention = json!([[["global", "local"], 1], [["global"], 1]]);
            return Ok(HookedAutoConfig::from_json(
                json!({"model_type": "gpt_neo", "vocab_size": 100, "hidden_size": 32, "num_layers": 3, "num_heads": 4, "intermediate_size": 64, "max_position_embeddings": 64, "attention_types": attention, "window_size": 16}),
            )?);
        }
        "gpt_neox" => &["num_key_value_heads", "head_dim", "sliding_window"],
        "mistral" => &[],
        "gemma" | "llama" => &["sliding_window"],
        _ => &["head_dim", "sliding_window"],
    };
    let mut config = json!({
        "model_type": family, "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64, "head_dim": 8, "sliding_window": 16
    });
    if let Some(keys) = config.as_object_mut() {
        keys.retain(|key, _| !without.contains(&key.as_str()));
    }
    Ok(HookedAutoConfig::from_json(config)?)
}

/// The scores of the heads of one layer as writers, and of another as readers.
#[log_experiment]
#[use_tools]
fn read_write_analysis(
    bench: &Bench,
    read_layer: usize,
    write_layer: usize,
    #[tool] write_read: WriteRead,
) -> Result<(ScoreTable, ScoreTable)> {
    Ok((write_read.write_heads(write_layer)?, write_read.read_heads(read_layer)?))
}

/// The attention pattern of each head on a prompt.
#[log_experiment]
#[use_tools("attention_patterns")]
#[plot_results(name = "Attention")]
fn attention(bench: &Bench, prompt: Vec<u32>, layer: usize, #[figure] fig: &mut Figure) -> Result<usize> {
    let heads = attention_patterns.patterns(&prompt, layer)?;
    fig.push(heads.panel());
    Ok(heads.patterns.len())
}

fn walk(family: &str) -> Result<()> {
    let config = config_of(family)?;
    let model = HookedAutoModel::from_config(&config, 0)?;
    let sites = SITES.iter().filter(|row| (row.present)(&config)).count();
    let bench = Bench::new(model).save_dir("experiments/walkthrough");
    read_write_analysis(&bench, 1, 0)?;
    let heads = attention(&bench, vec![1, 2, 3, 4, 5, 6], 0)?;
    let versions = bench.list_versions("read_write_analysis")?;
    let record = bench.get_version("read_write_analysis", versions.last().expect("one was just written"))?;
    let ov: FactoredMatrix = bench.tool::<WriteRead>()?.ov(0)?;
    println!("{family:<10} {sites:>3} sites in a block and around it, {heads} heads drawn, OV norms {:?}", ov.norms()?);
    println!(
        "{:<10} version {} of {} versions; its source is {} lines",
        "",
        record.version,
        versions.len(),
        record.source.lines().count()
    );
    Ok(())
}

fn main() -> Result<()> {
    ["gpt2", "gpt_neo", "gpt_neox", "llama", "gemma", "phi3", "qwen2", "mistral", "stablelm"]
        .into_iter()
        .try_for_each(walk)
}
