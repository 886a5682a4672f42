//! An experiment whose record is in a bucket before its call returns: `cargo run --release --features bench --example record -- s3://BUCKET/FOLDER`.

use arrakis::prelude::*;
use arrakis_object_store::Bucket;

/// The loss of the model on a text, in nats per token.
#[log_experiment]
fn surprise(bench: &Bench, text: &str) -> Result<f32> {
    let model = bench.model();
    let tokens = Tokens::new(vec![model.to_tokens(text)?])?;
    Ok(model.loss(model.forward(&tokens)?, &tokens)?.read_one()?)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("give s3://BUCKET/FOLDER or file:///FOLDER")?;
    let bench = Bench::embedded()?.remote(Bucket::open(&url)?)?;
    println!(
        "{:.3} nats per token",
        surprise(&bench, "When Mary and John went to the store, John gave a drink to Mary")?
    );
    println!("versions in {url}: {}", bench.list_versions("surprise")?.len());
    Ok(())
}
