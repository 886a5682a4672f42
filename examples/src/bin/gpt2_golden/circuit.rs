//! The circuit of indirect objects (Wang et al., 2022, arXiv 2211.00593), and what other heads do (their appendix).

use arrakis::models::{HookedTransformer, Tokens};
use arrakis::plot::Scatter;
use arrakis::prelude::*;
use arrakis::tools::intervene::path_patching::{HeadInput, Receiver, Through};
use arrakis::tools::place::Head;
use arrakis_examples::{Expect, Golden};

use super::faithful::{faithful, movers};
use super::prompts::{Answer, answers, without_bos};
use super::sentences::Sentence;

pub(crate) const NAME_MOVERS: [(usize, usize); 3] = [(9, 9), (9, 6), (10, 0)];
pub(crate) const NEGATIVE: [(usize, usize); 2] = [(10, 7), (11, 10)];
pub(crate) const S_INHIBITION: [(usize, usize); 4] = [(7, 3), (7, 9), (8, 6), (8, 10)];
/// Sentences for what runs each head apart.
const FEW: usize = 32;
/// Sentences for path patching, all of one template.
const PATHS: usize = 8;

/// The circuit's numbers, what each head changes through the queries of the name movers, and what each name mover writes of
/// the names that it attends to.
pub(crate) fn circuit(model: &HookedTransformer, drawn: &[Sentence]) -> Result<(Golden, ScoreTable, Vec<Scatter>)> {
    let few = &drawn[..drawn.len().min(FEW)];
    let dla = DirectLogitAttribution::new(model)?.heads(prompts(model, few)?, &metric(few.iter()))?;
    let inhibiting = inhibition(model, drawn)?;
    let (copied, others, negative) = copying(model, few)?;
    let (whole, movers) = (faithful(model, drawn)?, movers(model, drawn)?);
    let correlations = movers.iter().map(|of| of.pearson().unwrap_or(f64::NAN));
    let golden = behaviour(model, drawn)?
        .row(
            "name movers 9.9, 9.6, 10.0 among the 3 heads that write most",
            "3",
            among(&NAME_MOVERS, &dla.highest(3)),
            Expect::Near(3.0, 0.0),
        )
        .row(
            "negative movers 10.7, 11.10 among the 2 that write least",
            "2",
            among(&NEGATIVE, &dla.lowest(2)),
            Expect::Near(2.0, 0.0),
        )
        .row("copy score of the worst name mover", "above 0.95", copied, Expect::AtLeast(0.95))
        .row("  of the average other head", "below 0.2", others, Expect::AtMost(0.2))
        .row("  of the negative movers, signs turned", "0.98", negative, Expect::Near(0.98, 0.1))
        .row(
            "S-inhibition 7.3, 7.9, 8.6, 8.10 among the 4 that change the movers' queries most",
            "4",
            among(&S_INHIBITION, &inhibiting.lowest(4)),
            Expect::Near(4.0, 0.0),
        )
        .row(
            "attention to a name and what is written of it: lowest correlation of a name mover",
            "above 0.81",
            correlations.fold(f64::INFINITY, |least, of| if of < least || of.is_nan() { of } else { least }),
            Expect::AtLeast(0.81),
        )
        .row(
            "share of the logit difference that is lost without the name movers",
            "0.05",
            1.0 - whole.without_movers / whole.model,
            Expect::Near(0.05, 0.1),
        )
        .row("faithfulness: model minus circuit, nats", "0.46", whole.model - whole.circuit, Expect::Near(0.46, 0.4))
        .row("  circuit ÷ model", "0.87", whole.circuit / whole.model, Expect::Near(0.87, 0.1));
    Ok((golden, inhibiting, movers))
}

fn prompts(model: &HookedTransformer, sentences: &[Sentence]) -> Result<Tokens> {
    without_bos(model, &sentences.iter().map(|sentence| &sentence.text).collect::<Vec<_>>())
}

/// The logit of the indirect object minus that of the subject, in nats.
pub(crate) fn metric<'a>(sentences: impl Iterator<Item = &'a Sentence> + Clone) -> Metric {
    Metric::logit_diffs(sentences.clone().map(|of| of.io), sentences.map(|of| of.s))
}

/// How many of these heads are among the scored ones.
fn among(heads: &[(usize, usize)], scores: &[arrakis::tools::Score]) -> f64 {
    heads.iter().filter(|(layer, head)| scores.iter().any(|of| (of.layer, of.head) == (*layer, *head))).count() as f64
}

fn behaviour(model: &HookedTransformer, drawn: &[Sentence]) -> Result<Golden> {
    let read = |row: usize, answer: &Answer<'_>| {
        let of = &drawn[row];
        (answer.logit(of.io) - answer.logit(of.s), answer.probabilities(&[of.io])[0])
    };
    let found = answers(model, &prompts(model, drawn)?, read)?;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| found.iter().map(of).sum::<f64>() / found.len() as f64;
    Ok(Golden::new(format!("Indirect objects, {} sentences (the paper: 100,000)", drawn.len()))
        .row("logit difference, nats", "3.56", mean(&|of| of.0), Expect::Near(3.56, 0.4))
        .row(
            "the indirect object before the subject",
            "0.993",
            mean(&|of| f64::from(of.0 > 0.0)),
            Expect::AtLeast(0.97),
        )
        .row("probability of the indirect object", "0.49", mean(&|of| of.1), Expect::Near(0.49, 0.1)))
}

/// What each head changes on its way into the queries of the name movers, with names from another sentence.
fn inhibition(model: &HookedTransformer, drawn: &[Sentence]) -> Result<ScoreTable> {
    let template = drawn.first().map(|of| of.template);
    let same: Vec<&Sentence> = drawn.iter().filter(|of| Some(of.template) == template).take(PATHS).collect();
    let rows = |text: fn(&Sentence) -> &String| without_bos(model, &same.iter().map(|of| text(of)).collect::<Vec<_>>());
    let metric = metric(same.iter().copied());
    let movers = NAME_MOVERS.map(|(layer, head)| Receiver::head(layer, head, HeadInput::Query).at(-1));
    let patching = PathPatching::new(model)?;
    let pair = patching.from(rows(|of| &of.unnamed)?).into(rows(|of| &of.text)?)?;
    Ok(pair.heads(movers, Through::Mlps, &metric)?.change())
}

/// The copy scores of the worst name mover, of the average other head, and of the negative movers with signs turned: how
/// often a name is among the five highest logits when a head writes what it moves of it alone (section 3.1).
fn copying(model: &HookedTransformer, few: &[Sentence]) -> Result<(f64, f64, f64)> {
    let (names, ids) = names(model, few)?;
    let score = |layer: usize, head: usize, sign: f64| copy_score(model, &names, &ids, Head { layer, head }, sign);
    let all =
        |heads: &[(usize, usize)], sign| heads.iter().map(|(l, h)| score(*l, *h, sign)).collect::<Result<Vec<f64>>>();
    let config = model.config();
    let special = |of: &(usize, usize)| NAME_MOVERS.contains(of) || NEGATIVE.contains(of);
    let others: Vec<(usize, usize)> = (0..config.n_layers)
        .flat_map(|layer| (0..config.n_heads).map(move |head| (layer, head)))
        .filter(|of| !special(of))
        .collect();
    let mean = |scores: Vec<f64>| scores.iter().sum::<f64>() / scores.len() as f64;
    let worst = all(&NAME_MOVERS, 1.0)?.into_iter().fold(f64::INFINITY, f64::min);
    Ok((worst, mean(all(&others, 1.0)?), mean(all(&NEGATIVE, -1.0)?)))
}

/// The stream after the first block at every name, `[name, d_model]`, and the ids of the names.
fn names(model: &HookedTransformer, few: &[Sentence]) -> Result<(Tensor<2>, Vec<u32>)> {
    let (mut rows, mut ids) = (Vec::new(), Vec::new());
    for sentence in few {
        let tokens = without_bos(model, &[&sentence.text])?;
        let cache = model.capture(&tokens, [site::resid_post(0)])?;
        let stream: Tensor<2> = cache.get::<3>(site::resid_post(0))?.squeeze_dim(0);
        for (pos, id) in tokens.ids()[0].iter().enumerate().filter(|(_, id)| [sentence.io, sentence.s].contains(id)) {
            rows.push(stream.clone().narrow(0, pos, 1));
            ids.push(*id);
        }
    }
    Ok((Tensor::cat(rows, 0), ids))
}

fn copy_score(model: &HookedTransformer, names: &Tensor<2>, ids: &[u32], head: Head, sign: f64) -> Result<f64> {
    let of_head = |weights: Tensor<3>| weights.narrow(0, head.head, 1).squeeze_dim::<2>(0);
    let read = model.block(1)?.ln1.as_ref().map_or_else(|| names.clone(), |norm| norm.apply(names.clone()));
    let values = read.matmul(of_head(model.w_v(head.layer)?)) + model.b_v(head.layer)?.narrow(0, head.head, 1);
    let written = values.matmul(of_head(model.w_o(head.layer)?)) * sign;
    let normed = model.net().ln_final.as_ref().map_or_else(|| written.clone(), |norm| norm.apply(written.clone()));
    let [count, d_model] = normed.dims();
    let logits: Tensor<2> = model.net().logits(normed.reshape([1, count, d_model])).squeeze_dim(0);
    let ids = ids.iter().map(|id| i64::from(*id)).collect::<Vec<_>>();
    let ids = Tensor::from_data(burn::tensor::TensorData::new(ids, [count, 1]), model.device());
    let own = logits.clone().gather(1, ids).expand(logits.dims());
    let higher = logits.greater(own).float().sum_dim(1).read()?;
    Ok(higher.iter().filter(|higher| **higher < 5.0).count() as f64 / count as f64)
}

/// Heads of known kinds on repeated random tokens: which of them score above 0.4 (ARENA 1.2), and their places.
pub(crate) fn kinds(model: &HookedTransformer, seed: u64) -> Result<(Golden, ScoreTable)> {
    let repeated = Repeated { length: 50, batch: 8, seed, bos: Some(model.tokenizer()?.bos().unwrap_or_default()) };
    let mut tables = HeadDetector::new(model)?.stripes(&repeated)?.into_iter().map(|(_, table)| table);
    let mut next = || tables.next().expect("BUG: a table for each kind of head");
    let (induction, previous, duplicate) = (next(), next(), next());
    let above: Vec<_> = induction.highest(8).into_iter().filter(|of| of.value > 0.4).collect();
    let five = [(5, 1), (5, 5), (6, 9), (7, 2), (7, 10)];
    let golden = Golden::new("Heads of GPT-2 small on repeated random tokens")
        .row(
            "induction 5.1, 5.5, 6.9, 7.2, 7.10 with a score above 0.4",
            "5",
            among(&five, &above),
            Expect::Near(5.0, 0.0),
        )
        .row(
            "previous-token 2.2, 4.11 among the 8 highest",
            "2",
            among(&[(2, 2), (4, 11)], &previous.highest(8)),
            Expect::Near(2.0, 0.0),
        )
        .row(
            "duplicate-token 0.1, 3.0 among the 8 highest",
            "2",
            among(&[(0, 1), (3, 0)], &duplicate.highest(8)),
            Expect::Near(2.0, 0.0),
        );
    Ok((golden, induction))
}
