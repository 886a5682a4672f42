//! `#[log_experiment]`: records a call with its source, arguments, model and result, and finds the record again.

use arrakis::prelude::*;

/// How surprised the model is by a text, in nats per token.
#[log_experiment]
fn surprise(bench: &Bench, text: &str) -> Result<f32> {
    let model = bench.model();
    let tokens = Tokens::new(vec![model.to_tokens(text)?])?;
    // This comment is recorded too: the record contains the function as written.
    Ok(model.loss(model.forward(&tokens)?, &tokens)?.read_one()?)
}

fn main() -> Result<()> {
    let bench = Bench::embedded()?.save_dir("experiments");
    for text in [
        "When Mary and John went to the store, John gave a drink to Mary",
        "When Mary and John went to the store, John gave a drink to John",
    ] {
        println!("{:.3} nats per token: {text}", surprise(&bench, text)?);
    }
    for version in bench.list_versions("surprise")? {
        let record = bench.get_version("surprise", &version)?;
        let (text, nats) = (record.argument::<String>("text")?, record.result::<f32>()?);
        println!("{version}  {}  {nats:.3}  {text}", record.started);
    }
    let last = bench.last().and_then(|run| run.record).expect("two calls were logged");
    println!("\n{}", last.source);
    Ok(())
}
