//! The walkthrough of `arrakis-mi`, line for line, for every family it names.
//!
//! A quoted line is the old README's. What is different here, and why, is in `docs/FROM_ARRAKIS_MI.md`.

use std::path::{Path, PathBuf};

use arrakis::models::TransformerConfig;
use arrakis::prelude::*;
use serde::Serialize;
use serde_json::json;

// ### Step 2: Create HookedAutoModel
// "These models are supported:"
pub(crate) const FAMILIES: [&str; 9] =
    ["gpt2", "gpt_neo", "gpt_neox", "llama", "gemma", "phi3", "qwen2", "mistral", "stablelm"];

/// `config = HookedAutoConfig(name="llama", vocab_size=50256, hidden_size=8, intermediate_size=2, num_hidden_layers=4,
/// num_attention_heads=4, num_key_value_heads=4)`
///
/// Every family has the keys of its own `config.json`. A key that a family does not know is an error.
fn config_of(name: &str) -> Result<TransformerConfig> {
    let mut config = match name {
        "gpt2" => json!({"n_embd": 8, "n_inner": 2, "n_layer": 4, "n_head": 4}),
        "gpt_neo" => json!({
            "hidden_size": 8, "intermediate_size": 2, "num_layers": 4, "num_heads": 4,
            "attention_types": [[["global", "local"], 2]]
        }),
        _ => json!({"hidden_size": 8, "intermediate_size": 2, "num_hidden_layers": 4, "num_attention_heads": 4}),
    };
    (config["model_type"], config["vocab_size"]) = (name.into(), 50256.into());
    if !["gpt2", "gpt_neo", "gpt_neox"].contains(&name) {
        config["num_key_value_heads"] = 4.into();
    }
    match name {
        "gemma" => config["head_dim"] = 2.into(),
        // By default a quarter of a head is rotated, and a quarter of 2 is nothing.
        "gpt_neox" => config["rotary_pct"] = 1.into(),
        "stablelm" => config["partial_rotary_factor"] = 1.into(),
        _ => (),
    }
    Ok(HookedAutoConfig::from_json(config)?)
}

// ### Step 3: Set up Interpretability Bench

/// `class CustomTool(BaseInterpretabilityTool)`
struct Custom {
    model: HookedTransformer,
}

impl Tool for Custom {
    const NAME: &'static str = "custom";

    /// `def __init__(self, model)`
    fn new(model: &HookedTransformer) -> Result<Self> {
        Ok(Self { model: model.clone() })
    }
}

impl Custom {
    /// `def custom_function(self, *args, **kwargs)`, which gets activations from the cache.
    fn custom_function(&self, input_ids: &[u32]) -> Result<Vec<usize>> {
        let (_, cache) = self.model.run_with_cache(input_ids, [site::resid_post(0)])?;
        Ok(cache.activation(site::resid_post(0))?.dims().to_vec())
    }
}

/// `@exp.log_experiment   # This is pretty much it. This will log the experiment.`
#[log_experiment]
fn attention_experiment(_bench: &Bench) -> usize {
    println!("This is a placeholder for the experiment. Use as is.");
    4
}

/// "Apart from these tools, there are also `@exp.profile_model` ..."
#[profile_model]
fn profiled(bench: &Bench, input_ids: Vec<u32>) -> Result<usize> {
    Ok(bench.model().forward(&input_ids)?.dims()[2])
}

/// "... and `@exp.test_hypothesis`": more than half of the next token's mass is not on one token.
#[test_hypothesis(claim = "a random model does not know the next token", null = 0.5, alternative = Less, test = OneSampleT)]
fn next_token(bench: &Bench, input_ids: Vec<u32>) -> Result<Vec<f64>> {
    Metric::prob(1).values(bench.model(), vec![input_ids.clone(), input_ids.into_iter().rev().collect()])
}

// ### Step 4: Create your experiments

/// `return {"write_heads": write_heads, "read_heads": read_heads}`
#[derive(Debug, Serialize)]
struct WriteAndRead {
    write_heads: ScoreTable,
    read_heads: ScoreTable,
}

/// `@exp.use_tools("write_read")  # use the exp.use_tools() decorator.`
#[log_experiment]
#[use_tools("write_read")]
fn read_write_analysis(
    bench: &Bench,
    read_layer_idx: usize,
    write_layer_idx: usize,
    src_idx: usize,
) -> Result<WriteAndRead> {
    // `write_heads = write_read.identify_write_heads(read_layer_idx)`, with the layer that writes.
    let write_heads = write_read.write_heads(write_layer_idx)?;
    // `read_heads = write_read.identify_read_heads(write_layer_idx, dim_idx=src_idx)`, with the layer that reads.
    let d_model = bench.model().config().d_model;
    let dim = Tensor::<2>::eye(d_model, bench.model().device()).narrow(0, src_idx, 1);
    let read_heads = write_read.read_heads_from(read_layer_idx, dim)?.norm;
    Ok(WriteAndRead { write_heads, read_heads })
}

/// `@exp.use_tools("custom")`
#[use_tools]
fn test_custom_function(bench: &Bench, input_ids: &[u32], #[tool] custom: Custom) -> Result<Vec<usize>> {
    custom.custom_function(input_ids)
}

// ### Step 5: Visualize the Results

/// `@exp.plot_results(PlotSpec(plot_type="attention", data_keys="h.1.attn.c_attn"), input_ids=input_ids)`
#[plot_results(attention("blocks.1.attn.pattern"), prompt = input_ids)]
fn attention_heatmap(bench: &Bench, input_ids: &[u32], #[figure] fig: &mut Figure) -> Result<usize> {
    // `return fig`: the figure is saved by itself, and the body's own value stays.
    Ok(fig.panels.len())
}

/// All steps for one family. Returns the figures.
pub(crate) fn walk(name: &str, folder: &Path) -> Result<Vec<PathBuf>> {
    // `model = HookedAutoModel(config)`
    let model = HookedAutoModel::from_config(&config_of(name)?, 0)?;
    // `exp = MIExperiment(model)`
    let mut exp = Bench::new(model).save_dir(folder.join(name));
    // `attention_experiment()`
    attention_experiment(&exp);
    // `l = exp.list_versions("attention_experiment")`
    let l = exp.list_versions("attention_experiment")?;
    println!("This is the version hash of the experiment: {l:?}");
    // `print(exp.get_version("attention_experiment", l[0])['source'])`
    println!("{}", exp.get_version("attention_experiment", &l[0])?.source);
    let input_ids = vec![464, 2068, 7586, 21831, 18045];
    profiled(&exp, input_ids.clone())?;
    next_token(&exp, input_ids.clone())?;
    // `print(read_write_analysis(0, 1, 0)) # Perfecto!`, with a layer that reads what an earlier one writes.
    println!("{:?}", read_write_analysis(&exp, 1, 0, 0)?);
    // `test_custom_function(args, kwargs)`
    println!("{:?}", test_custom_function(&exp, &input_ids)?);
    // `exp.set_plotting_lib(MatplotlibWrapper) # Set the plotting library.`
    exp.set_plotting_lib(plot::Pictures);
    // `attention_heatmap() # Done.`
    attention_heatmap(&exp, &input_ids)?;
    // `plt.show()`
    let figures = exp.last().map(|run| run.figures).unwrap_or_default();
    for file in &figures {
        println!("{}", file.display());
    }
    Ok(figures)
}

fn main() -> Result<()> {
    FAMILIES.into_iter().try_for_each(|name| walk(name, Path::new("experiments/walkthrough")).map(drop))
}
