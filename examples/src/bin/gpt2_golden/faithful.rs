//! The three numbers of the circuit as a whole (Wang et al., 2022, sections 3.1, 3.4 and 4): whether the name movers write what
//! they attend to, what knocking them out costs, and what the circuit does alone.

use std::collections::BTreeMap;

use arrakis::models::{HookedTransformer, Tokens};
use arrakis::plot::Scatter;
use arrakis::prelude::*;
use arrakis::tools::intervene::ablation::Together;
use arrakis::tools::place::Head;
use arrakis_examples::moved;

use super::circuit::{NAME_MOVERS, NEGATIVE, S_INHIBITION, metric};
use super::prompts::without_bos;
use super::sentences::Sentence;

const BACKUP: [(usize, usize); 8] = [(9, 0), (9, 7), (10, 1), (10, 2), (10, 6), (10, 10), (11, 2), (11, 9)];
const INDUCTION: [(usize, usize); 4] = [(5, 5), (5, 8), (5, 9), (6, 9)];
const DUPLICATE: [(usize, usize); 3] = [(0, 1), (0, 10), (3, 0)];
const PREVIOUS: [(usize, usize); 2] = [(2, 2), (4, 11)];

/// The means over sentences of one template, whose words stand at the same positions.
pub(crate) struct Faithful {
    /// The logit difference of the model, in nats.
    pub(crate) model: f64,
    /// Without the name movers.
    pub(crate) without_movers: f64,
    /// Of the circuit alone: every other head has its mean over sentences with other names.
    pub(crate) circuit: f64,
}

/// Sentences whose names stand at the same positions, with the positions of the subject.
type Groups<'a> = BTreeMap<(usize, usize, usize), Vec<&'a Sentence>>;

/// Where the subject is mentioned, first and last.
fn subject(model: &HookedTransformer, sentence: &Sentence) -> Result<(usize, usize)> {
    let ids = without_bos(model, &[&sentence.text])?.ids()[0].clone();
    let at = |found: Option<usize>| found.expect("BUG: a sentence mentions its subject twice");
    Ok((at(ids.iter().position(|id| *id == sentence.s)), at(ids.iter().rposition(|id| *id == sentence.s))))
}

fn groups<'a>(model: &HookedTransformer, drawn: &'a [Sentence]) -> Result<Groups<'a>> {
    let mut groups = Groups::new();
    for sentence in drawn {
        let (first, last) = subject(model, sentence)?;
        groups.entry((sentence.template, first, last)).or_default().push(sentence);
    }
    Ok(groups)
}

/// The 26 heads, each at its own position: what they move is read there.
fn heads(first: usize, last: usize) -> Vec<HeadAt> {
    let end = [&NAME_MOVERS[..], &BACKUP, &NEGATIVE, &S_INHIBITION].concat();
    let at = |heads: &[(usize, usize)], position: isize| {
        heads.iter().map(move |(layer, head)| HeadAt::new(*layer, *head).at(position)).collect::<Vec<_>>()
    };
    let (next, second) = (first as isize + 1, last as isize);
    [at(&end, -1), at(&[&INDUCTION[..], &DUPLICATE].concat(), second), at(&PREVIOUS, next)].concat()
}

/// Silences heads by their means over the sentences of the template with three other names.
pub(crate) fn faithful(model: &HookedTransformer, drawn: &[Sentence]) -> Result<Faithful> {
    let ablation = Ablation::new(model)?;
    let mut found = Faithful { model: 0.0, without_movers: 0.0, circuit: 0.0 };
    for ((template, first, last), group) in groups(model, drawn)? {
        let unnamed = drawn.iter().filter(|of| of.template == template).map(|of| &of.unnamed).collect::<Vec<_>>();
        let kind = AblationKind::PositionMean(without_bos(model, &unnamed)?);
        let prompts: Tokens = without_bos(model, &group.iter().map(|of| &of.text).collect::<Vec<_>>())?;
        let metric = metric(group.iter().copied());
        let movers = NAME_MOVERS.map(|(layer, head)| HeadAt::new(layer, head).at(-1));
        let knocked = ablation.together(&prompts, movers, &metric, kind.clone())?;
        let alone = ablation.all_but(&prompts, heads(first, last), &metric, kind)?;
        let share = |of: &Together| of.per_prompt.iter().sum::<f64>() / drawn.len() as f64;
        found.model += knocked.baseline_per_prompt.iter().sum::<f64>() / drawn.len() as f64;
        (found.without_movers, found.circuit) = (found.without_movers + share(&knocked), found.circuit + share(&alone));
    }
    Ok(found)
}

/// For each name mover, its attention to a name and what it writes of it, for both names of every sentence: the paper's
/// figure 3 (c).
pub(crate) fn movers(model: &HookedTransformer, drawn: &[Sentence]) -> Result<Vec<Scatter>> {
    let prompts = without_bos(model, &drawn.iter().map(|of| &of.text).collect::<Vec<_>>())?;
    let of_head = |(layer, head): (usize, usize)| {
        let of = |name: fn(&Sentence) -> u32| {
            moved(model, &prompts, Head { layer, head }, &drawn.iter().map(name).collect::<Vec<u32>>())
        };
        let points = [of(|sentence| sentence.io)?, of(|sentence| sentence.s)?].concat();
        let scatter = Scatter::new("attention to a name", "what is written of it, before the last norm", points);
        Ok(scatter.correlation().titled(format!("L{layer}H{head}")))
    };
    NAME_MOVERS.into_iter().map(of_head).collect()
}
