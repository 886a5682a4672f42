//! Does one piece of work for each line on stdin, so that `run.py` can time it in turn with a peer.
//!
//! A line is JSON: `{"work": "forward", "tokens": [[..]], ..}`. The answer is one line of a few numbers, by which `run.py` sees
//! that both did the same work.

mod dictionary;
mod tasks;

use std::io::{BufRead, Write};
use std::sync::Mutex;

use arrakis::models::transformer::Linear;
use arrakis::models::{LoadOptions, RunOptions};
use arrakis::prelude::*;
use burn::module::Param;
use burn::tensor::{Device, TensorData};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    work: Work,
    tokens: Vec<Vec<u32>>,
    #[serde(default)]
    new_tokens: usize,
    /// The prompt that a task patches from.
    #[serde(default)]
    other: Vec<Vec<u32>>,
    task: Option<tasks::Task>,
    /// Rows, the inner axis and columns of a product.
    #[serde(default)]
    shape: [usize; 3],
    /// Whether the weight lies as the embedding does, for an unembedding tied to it, and not as those of layers.
    #[serde(default)]
    tied: bool,
    /// How many products, at least one.
    #[serde(default)]
    times: usize,
    /// Whether to count the work of the task instead of giving its numbers.
    #[serde(default)]
    count: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    Forward,
    /// Logits at the last position alone.
    Last,
    Cache,
    ZeroHeads,
    Generate,
    Task,
    /// A matrix product as a layer does it, several times.
    Product,
}

/// What `TransformerLens` keeps in a cache of everything.
const CACHED: [&str; 18] = [
    "embed",
    "pos_embed",
    "blocks.*.resid_pre",
    "blocks.*.ln1.*",
    "blocks.*.attn.q",
    "blocks.*.attn.k",
    "blocks.*.attn.v",
    "blocks.*.attn.scores",
    "blocks.*.attn.pattern",
    "blocks.*.attn.z",
    "blocks.*.attn_out",
    "blocks.*.resid_mid",
    "blocks.*.ln2.*",
    "blocks.*.mlp.pre",
    "blocks.*.mlp.post",
    "blocks.*.mlp_out",
    "blocks.*.resid_post",
    "ln_final.*",
];

/// Numbers that are compared with the peer's.
const SHOWN: usize = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo bench` passes `--bench`.
    let mut args = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(folder) = args.next() else {
        println!("`python tests/bench/peers/run.py` runs this beside the peers");
        return Ok(());
    };
    if folder == "dictionaries" {
        return dictionary::serve(args.next().ok_or("name the folder of activations")?.as_ref());
    }
    let mut options = LoadOptions::new().device("cpu").quiet();
    if args.next().as_deref() == Some("half") {
        options = options.keep_half();
    }
    let model = HookedAutoModel::load(&folder, &options)?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let order: Order = serde_json::from_str(&line?)?;
        println!("{}", serde_json::to_string(&answer(&model, &order)?)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn answer(model: &HookedTransformer, order: &Order) -> Result<Vec<f32>> {
    let tokens = Tokens::new(order.tokens.clone())?;
    match order.work {
        Work::Forward => last(model.forward(&tokens)?),
        Work::Last => last(model.run_from(&tokens, Plan::new(), None, &RunOptions::new().last_only())?.output),
        Work::Cache => last(model.run_with_cache(&tokens, CACHED)?.0),
        Work::ZeroHeads => zero_heads(model, &tokens),
        Work::Task => task(model, order, &tokens),
        Work::Product => product(order),
        Work::Generate => {
            let made = model.generate(&tokens, &Generation::greedy(order.new_tokens))?;
            Ok(made.ids[0].iter().rev().take(SHOWN).map(|id| *id as f32).collect())
        }
    }
}

/// What a product is made of: its order, the map and `x`.
type Made = ([usize; 3], bool, Linear, Tensor<2>);

/// The first numbers of the last row of `x Wᵀ`. The weight is made once for each shape.
fn product(order: &Order) -> Result<Vec<f32>> {
    static MADE: Mutex<Option<Made>> = Mutex::new(None);
    let [rows, d_in, d_out] = order.shape;
    let mut made = MADE.lock().expect("no product panics");
    if made.as_ref().is_none_or(|(shape, tied, ..)| (*shape, *tied) != (order.shape, order.tied)) {
        let turned = pattern([d_out, d_in]).transpose();
        let weight = if order.tied {
            turned
        } else {
            Tensor::from_data(TensorData::new(turned.read()?, [d_in, d_out]), &Device::flex())
        };
        let linear = Linear { weight: Param::from_tensor(weight), bias: None };
        *made = Some((order.shape, order.tied, linear, pattern([rows, d_in])));
    }
    let (_, _, linear, x) = made.as_ref().expect("made above");
    let mut last = linear.apply(x.clone());
    for _ in 1..order.times {
        last = linear.apply(x.clone());
    }
    Ok(last.slice([rows - 1..rows, 0..SHOWN]).read()?)
}

/// Numbers from -1 to 1 that both sides compute alike.
fn pattern([rows, columns]: [usize; 2]) -> Tensor<2> {
    let number = |index: usize| ((index % 1009 * 31) % 101) as f32 / 50.0 - 1.0;
    let numbers: Vec<f32> = (0..rows * columns).map(number).collect();
    Tensor::from_data(TensorData::new(numbers, [rows, columns]), &Device::flex())
}

fn task(model: &HookedTransformer, order: &Order, tokens: &Tokens) -> Result<Vec<f32>> {
    let (task, other) = (order.task.expect("the order names a task"), Tokens::new(order.other.clone())?);
    let run = || tasks::run(model, task, tokens, &other);
    if order.count {
        return Ok(tasks::counted(run)?.map(|count| count as f32).to_vec());
    }
    Ok(run()?.into_iter().map(|value| value as f32).collect())
}

/// The first logits of the last position of the last row.
fn last(logits: Tensor<3>) -> Result<Vec<f32>> {
    let [batch, pos, _] = logits.dims();
    Ok(logits.slice([batch - 1..batch, pos - 1..pos, 0..SHOWN]).read()?)
}

/// `logit(0) - logit(1)` at the last position without each head; the first of them.
fn zero_heads(model: &HookedTransformer, tokens: &Tokens) -> Result<Vec<f32>> {
    let (layers, heads) = (model.config().n_layers, model.config().n_heads);
    let each = (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head)));
    let cases = each.map(|(layer, head)| {
        SweepCase::new(format!("L{layer}H{head}"), site::z(layer), Intervention::zero().head(head))
    });
    let found = model.sweep(tokens)?.cases(cases).last_only().quiet().run(|logits| {
        let [batch, ..] = logits.dims();
        let of = |token: usize| logits.clone().narrow(2, token, 1).reshape([batch]);
        Ok::<_, Error>(of(0) - of(1))
    })?;
    Ok(found.values.iter().take(SHOWN).map(|values| values[0] as f32).collect())
}
