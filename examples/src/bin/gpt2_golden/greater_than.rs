//! Greater-than (Hanna et al., 2023, arXiv 2305.00586): a war that lasted from 1732 to 17YY ends in a later year.

use arrakis::models::{HookedTransformer, Tokens};
use arrakis::prelude::*;
use arrakis::tools::intervene::path_patching::{Receiver, Sender, Through};
use arrakis_examples::{Expect, Golden};
use burn::tensor::{Int, TensorData, activation};

use super::prompts::{Answer, answers, without_bos};

const NOUNS: [&str; 12] = [
    "war",
    "conflict",
    "campaign",
    "battle",
    "dispute",
    "expedition",
    "journey",
    "siege",
    "revolution",
    "reign",
    "rebellion",
    "voyage",
];
/// Prompts for path patching.
const PATHS: usize = 32;

/// A prompt, the same that starts in the year 1701, and its last two digits.
struct Prompt {
    text: String,
    early: String,
    year: usize,
}

/// Every year of the century but its ends that is written as two tokens, with the nouns in turn.
fn prompts(model: &HookedTransformer) -> Result<Vec<Prompt>> {
    let mut found = Vec::new();
    for year in 2..99 {
        if without_bos(model, &[format!(" 17{year:02}")])?.pos() != 2 {
            continue;
        }
        let noun = NOUNS[year % NOUNS.len()];
        let text = |year: usize| format!("The {noun} lasted from the year 17{year:02} to the year 17");
        found.push(Prompt { text: text(year), early: text(1), year });
    }
    Ok(found)
}

/// The probability of later years minus that of the others.
fn difference(shares: &[f64], year: usize) -> f64 {
    shares.iter().enumerate().map(|(other, share)| if other > year { *share } else { -share }).sum()
}

/// The same as a metric of prompts of one length, in whose order `years` are.
fn metric(years: &[usize], ids: &[u32], device: &burn::tensor::Device) -> Metric {
    let signs: Vec<f32> =
        years.iter().flat_map(|year| (0..100).map(move |other| if other > *year { 1.0 } else { -1.0 })).collect();
    let signs = Tensor::<2>::from_data(TensorData::new(signs, [years.len(), 100]), device);
    let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [100]), device);
    Metric::new("p(later) - p(not later)", move |logits, _| {
        let shares = activation::softmax(logits.last(), 1).select(1, ids.clone());
        let [rows, _] = shares.dims();
        // A sweep may run the prompts several times in one batch.
        let times = rows / signs.dims()[0];
        Ok((shares * signs.clone().repeat_dim(0, times)).sum_dim(1).reshape([rows]))
    })
}

/// The numbers, and what each MLP changes on its direct path to the logits, by layer.
pub(crate) fn greater_than(model: &HookedTransformer) -> Result<(Golden, Vec<f64>)> {
    let prompts = prompts(model)?;
    let ids = (0..100).map(|year| Ok(model.to_single_token(&format!("{year:02}"))?)).collect::<Result<Vec<u32>>>()?;
    let texts: Vec<&String> = prompts.iter().map(|prompt| &prompt.text).collect();
    let read = |row: usize, answer: &Answer<'_>| difference(&answer.probabilities(&ids), prompts[row].year);
    let found = answers(model, &without_bos(model, &texts)?, read)?;
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    let changes = mlps(model, &prompts, &ids)?;
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by(|a, b| changes[*a].total_cmp(&changes[*b]));
    let top =
        |count: usize, layers: &[usize]| layers.iter().filter(|layer| order[..count].contains(layer)).count() as f64;
    let golden = Golden::new(format!("Greater-than, {} prompts", found.len()))
        .row("p(later) - p(not later)", "0.817", mean, Expect::Near(0.817, 0.05))
        .row("MLPs 9 and 10 among the 2 that write most of it", "2", top(2, &[9, 10]), Expect::Near(2.0, 0.0))
        .row("MLPs 8 to 11 among the 4", "4", top(4, &[8, 9, 10, 11]), Expect::Near(4.0, 0.0));
    Ok((golden, changes))
}

/// What each MLP changes directly when it is that of a prompt which starts in 1701.
fn mlps(model: &HookedTransformer, prompts: &[Prompt], ids: &[u32]) -> Result<Vec<f64>> {
    let length = |prompt: &&Prompt| -> Result<usize> { Ok(without_bos(model, &[&prompt.text])?.pos()) };
    let usual = prompts.first().map(|prompt| length(&prompt)).transpose()?;
    let step = prompts.len().div_ceil(PATHS);
    let mut chosen = Vec::new();
    for prompt in prompts.iter().step_by(step) {
        if Some(length(&prompt)?) == usual {
            chosen.push(prompt);
        }
    }
    let years: Vec<usize> = chosen.iter().map(|prompt| prompt.year).collect();
    let tokens = |text: fn(&Prompt) -> &String| -> Result<Tokens> {
        without_bos(model, &chosen.iter().map(|prompt| text(prompt)).collect::<Vec<_>>())
    };
    let patching = PathPatching::new(model)?;
    let pair = patching.from(tokens(|prompt| &prompt.early)?).into(tokens(|prompt| &prompt.text)?)?;
    let senders = (0..model.config().n_layers).map(Sender::mlp);
    let metric = metric(&years, ids, model.device());
    Ok(pair.paths(senders, [Receiver::logits()], Through::Stream, &metric)?.change().values.concat())
}
