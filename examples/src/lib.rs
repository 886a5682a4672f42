//! What the study of indirect objects works on: pairs of prompts, and numbers recorded elsewhere.

mod report;

pub use report::{Study, finding, who_looks_where};

use std::collections::BTreeMap;
use std::path::Path;

use arrakis::models::device;
use arrakis::models::parity::Reference;
use arrakis::prelude::*;
use serde::Serialize;

const NAMES: [&str; 8] = ["Mary", "John", "Tom", "James", "Sarah", "David", "Anna", "Michael"];

/// `{A}` and `{B}` are there, `{S}` gives; the other receives.
const TEMPLATES: [&str; 2] = [
    "When {A} and {B} went to the store, {S} gave a drink to",
    "Then, {A} and {B} had a long talk at the park. Afterwards {S} said goodbye to",
];

/// Prompts of one length: clean, corrupted (the giver's name swapped), and the right and wrong name of each.
#[derive(Clone, Debug)]
pub struct Group {
    /// What was asked.
    pub clean: Tokens,
    /// The same with the other giver.
    pub corrupted: Tokens,
    /// The right name of each clean prompt.
    pub answers: Vec<u32>,
    /// The giver of each clean prompt.
    pub wrong: Vec<u32>,
}

impl Serialize for Group {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.clean.ids(), self.corrupted.ids(), &self.answers, &self.wrong).serialize(serializer)
    }
}

impl Group {
    /// `logit(answer) - logit(wrong)` at the last token, mean over prompts, in nats.
    pub fn metric(&self) -> Metric {
        Metric::logit_diffs(self.answers.clone(), self.wrong.clone())
    }

    /// The metric of each prompt.
    pub fn logit_diffs(&self, model: &HookedTransformer, tokens: &Tokens) -> Result<Vec<f64>> {
        let rows = self.metric().per_row(model, &model.forward(tokens)?, tokens)?;
        Ok(device::read(rows)?.into_iter().map(f64::from).collect())
    }
}

/// The mean of a table over all prompts of all groups.
pub fn mean_table(groups: &[Group], table: impl Fn(&Group) -> Result<ScoreTable>) -> Result<ScoreTable> {
    let tables = groups.iter().map(table).collect::<Result<Vec<_>>>()?;
    ScoreTable::mean(&tables, &groups.iter().map(|group| group.answers.len() as f32).collect::<Vec<_>>())
}

/// Numbers measured by others: `open.safetensors`, with its notes beside it.
#[derive(Debug)]
pub struct Recorded {
    pairs: Vec<[String; 4]>,
    numbers: Reference,
}

impl Recorded {
    /// Reads both files of a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let numbers = Reference::open(&folder.join("open.safetensors"))?;
        let pairs = serde_json::from_value(numbers.info()["ioi"]["pairs"].clone());
        let pairs = pairs.map_err(|problem| arrakis::models::Error::File {
            path: folder.join("open.json"),
            problem: format!("ioi.pairs: {problem}"),
        })?;
        Ok(Self { pairs, numbers })
    }
}

/// The recorded pairs, or sixteen of our own from the templates and names the model knows; by length.
pub fn pairs(model: &HookedTransformer, recorded: Option<&Recorded>) -> Result<Vec<Group>> {
    let pairs = recorded.map_or_else(|| own_pairs(model), |recorded| Ok(recorded.pairs.clone()))?;
    let mut by_length: BTreeMap<usize, Vec<&[String; 4]>> = BTreeMap::new();
    for pair in &pairs {
        by_length.entry(model.to_tokens(&pair[0])?.len()).or_default().push(pair);
    }
    by_length.values().map(|pairs| group(model, pairs)).collect()
}

fn group(model: &HookedTransformer, pairs: &[&[String; 4]]) -> Result<Group> {
    let tokens = |which: usize| -> Result<Tokens> {
        let rows = pairs.iter().map(|pair| Ok(model.to_tokens(&pair[which])?)).collect::<Result<Vec<_>>>()?;
        Ok(Tokens::new(rows)?)
    };
    let single =
        |which: usize| pairs.iter().map(|pair| Ok(model.to_single_token(&pair[which])?)).collect::<Result<Vec<u32>>>();
    Ok(Group { clean: tokens(0)?, corrupted: tokens(1)?, answers: single(2)?, wrong: single(3)? })
}

fn own_pairs(model: &HookedTransformer) -> Result<Vec<[String; 4]>> {
    let names: Vec<&str> =
        NAMES.into_iter().filter(|name| model.to_single_token(&format!(" {name}")).is_ok()).collect();
    let mut pairs = Vec::new();
    for template in TEMPLATES {
        let fill = |a: &str, b: &str, giver: &str| template.replace("{A}", a).replace("{B}", b).replace("{S}", giver);
        for step in 0..8 {
            let (a, b) = (names[step % names.len()], names[(step * 3 + 1) % names.len()]);
            let clean = fill(a, b, b);
            // A word the vocabulary lacks would be studied as something else.
            if a != b && model.to_string(&model.to_tokens(&clean)?)?.contains(&clean) {
                pairs.push([clean, fill(a, b, a), format!(" {a}"), format!(" {b}")]);
            }
        }
    }
    Ok(pairs)
}

/// The cells of a table furthest from what is there when nothing is done, beside what was recorded of them.
pub fn against(name: &str, table: &ScoreTable, untouched: f64, recorded: Option<&Recorded>) {
    let numbers = recorded.and_then(|recorded| recorded.numbers.numbers(name)).map(|numbers| &numbers.values);
    let columns = table.col_labels.len();
    println!("\n{name}, {} (untouched: {untouched:.4})", table.units);
    for cell in table.furthest_from(untouched as f32, 5) {
        let beside = numbers.map(|numbers| format!("   recorded {:>8.4}", numbers[cell.row * columns + cell.column]));
        println!("    {:<10} {:>8.4}{}", cell.label, cell.value, beside.unwrap_or_default());
    }
    if let Some(numbers) = numbers {
        let apart = table.values.concat().iter().zip(numbers).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("    largest difference of {} cells from the record: {apart:.1e}", numbers.len());
    }
}
