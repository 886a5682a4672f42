//! Numbers recorded elsewhere, to print beside ours.

use std::path::Path;

use arrakis::parity::Reference;
use arrakis::prelude::*;
use arrakis::tools::Score;
use arrakis::tools::place::Place;

/// Numbers measured by others, or none: `open.safetensors` of a folder, with its notes beside it.
#[derive(Debug)]
pub struct Recorded(Option<Reference>);

impl Recorded {
    /// Reads both files of a folder; nothing is recorded without one.
    pub fn read(folder: Option<&Path>) -> Result<Self> {
        Ok(Self(folder.map(|folder| Reference::open(&folder.join("open.safetensors"))).transpose()?))
    }

    /// The recorded pairs of prompts, where there are any.
    pub fn pairs(&self) -> Option<Vec<PromptPair>> {
        let pairs: Vec<[String; 4]> = serde_json::from_value(self.0.as_ref()?.info()["ioi"]["pairs"].clone()).ok()?;
        Some(pairs.into_iter().map(PromptPair::from).collect())
    }

    /// The recorded rows of repeated random tokens, where there are any, with the length of what is repeated.
    pub fn repeated(&self) -> Result<Option<(Tokens, usize)>> {
        let Some(reference) = &self.0 else { return Ok(None) };
        let length = reference.info()["induction"]["repeat"].as_u64();
        Ok(reference.tokens("induction.tokens")?.zip(length.map(|length| length as usize)))
    }

    /// The recorded table of a name, row by row.
    fn values(&self, name: &str) -> Option<&[f32]> {
        Some(&self.0.as_ref()?.numbers(name)?.values)
    }

    /// The mean of a list in the notes, as `, recorded +4.2187`; nothing where there is none.
    pub fn mean(&self, key: &str) -> String {
        let list = self.0.as_ref().and_then(|reference| reference.info()["ioi"][key].as_array());
        let mean = |list: &Vec<serde_json::Value>| {
            list.iter().filter_map(serde_json::Value::as_f64).sum::<f64>() / list.len() as f64
        };
        list.map_or_else(String::new, |list| format!(", recorded {:+.4}", mean(list)))
    }

    /// Prints the cells of a table furthest from what is there when nothing is done, each beside its record.
    pub fn beside<P: Place>(&self, name: &str, table: &ScoreTable<P>, untouched: f64) {
        let values = self.values(name);
        println!(
            "\n{name}, {}{}",
            table.units,
            if untouched == 0.0 { String::new() } else { format!(", {untouched:+.4} untouched") }
        );
        let kept: Vec<(Score<P>, Option<f32>)> =
            table.cells().enumerate().map(|(index, cell)| (cell, values.map(|values| values[index]))).collect();
        for cell in table.furthest_from(untouched, 5) {
            let recorded = kept.iter().find(|(own, _)| own.place == cell.place).and_then(|(_, recorded)| *recorded);
            let recorded = recorded.map(|recorded| format!("   recorded {recorded:>+8.4}")).unwrap_or_default();
            println!("    {:<10} {:>+8.4}{recorded}", cell.label, cell.value);
        }
        if let Some(values) = values {
            let apart = kept.iter().filter_map(|(cell, recorded)| Some((cell.value - f64::from((*recorded)?)).abs()));
            let apart = apart.fold(0.0, f64::max);
            println!("    largest difference from the record, of {} cells: {apart:.1e}", values.len());
        }
    }
}
