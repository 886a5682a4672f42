//! GPT-2 small beside what others published about it: TransformerLens's tests and demos, the circuit of indirect objects
//! (Wang et al., 2022), induction heads, and greater-than (Hanna et al., 2023).
//!
//! `cargo run --bin gpt2_golden -- FOLDER`. Without a folder it says how to get one. It takes some minutes on a CPU.
//!
//! On random weights of this shape, its losses, logit differences, contributions and year probabilities are those of
//! TransformerLens 4.3, and the three numbers of the circuit as a whole those of PyTorch's hooks (`check_circuit.py`) to four
//! digits. On the real weights it has not been run yet.

mod circuit;
mod demos;
mod faithful;
mod greater_than;
mod prompts;
mod sentences;

use std::path::PathBuf;

use arrakis::models::files;
use arrakis::plot::Bars;
use arrakis::prelude::*;
use clap::Parser;
use sentences::Sentence;

const HOW: &str = "This compares GPT-2 small with what others published about it. Give its folder:

  pip install huggingface_hub
  hf download openai-community/gpt2 config.json model.safetensors tokenizer.json --local-dir gpt2
  cargo run --bin gpt2_golden -- gpt2";

#[derive(Parser)]
struct Options {
    /// The folder of GPT-2 small.
    folder: Option<String>,
    /// Sentences with an indirect object.
    #[arg(long, default_value_t = 200)]
    sentences: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The folder of the figure.
    #[arg(long, default_value = "experiments/gpt2_golden")]
    out: PathBuf,
}

/// Refuses other models, whose heads have other numbers.
fn check(model: &HookedTransformer) -> Result<()> {
    let config = model.config();
    let found = (config.family.as_str(), config.n_layers, config.n_heads, config.d_model, config.d_vocab);
    if found == ("gpt2", 12, 12, 768, 50257) {
        return Ok(());
    }
    let problem = format!("it is not GPT-2 small: {found:?} instead of (\"gpt2\", 12, 12, 768, 50257)");
    Err(Error::Value { of: "the model", problem })
}

/// Draws the sentences, and writes them beside the figure for other programs.
fn sentences(model: &HookedTransformer, options: &Options) -> Result<Vec<Sentence>> {
    let drawn = sentences::draw(model, options.sentences, options.seed);
    let text = serde_json::to_string_pretty(&drawn).expect("BUG: sentences are plain data");
    let path = options.out.join("sentences.json");
    std::fs::create_dir_all(&options.out).map_err(|source| Error::Write { path: path.clone(), source })?;
    files::write_whole(&path, text)?;
    Ok(drawn)
}

fn main() -> Result<()> {
    let options = Options::parse();
    let Some(folder) = &options.folder else {
        println!("{HOW}");
        return Ok(());
    };
    let raw = HookedAutoModel::from_pretrained(folder)?;
    check(&raw)?;
    let model = raw.processed()?;
    println!("{}", demos::losses(&raw, &model)?);
    let (golden, written) = demos::names(&model)?;
    println!("{golden}\n{}", demos::contributions(&model)?);
    let (golden, inhibiting, movers) = circuit::circuit(&model, &sentences(&model, &options)?)?;
    println!("{golden}");
    let (golden, induction) = circuit::kinds(&model, options.seed)?;
    println!("{golden}");
    let (golden, mlps) = greater_than::greater_than(&model)?;
    println!("{golden}");
    let mlps = Bars::new(mlps.iter().copied().enumerate()).axes("layer", "change of p(later) − p(not later)");
    let figure = Figure::new("GPT-2 small")
        .columns(2)
        .with(written.heatmap().diverging().annotate(6).titled("what heads write of the name"))
        .with(inhibiting.heatmap().diverging().annotate(4).titled("through the queries of the name movers"))
        .with(induction.heatmap().annotate(5).titled("induction"))
        .with(mlps.titled("greater-than: MLPs of a prompt from 1701"));
    let files = movers.into_iter().fold(figure, Figure::with).save(&options.out, "gpt2_golden")?;
    println!("{}", files[0].display());
    Ok(())
}
