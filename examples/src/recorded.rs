//! Numbers recorded with other programs, to print next to ours.

use std::path::Path;

use arrakis::parity::Reference;
use arrakis::prelude::*;
use arrakis::tools::Score;
use arrakis::tools::place::Place;

/// Recorded numbers, or none: `open.safetensors` in a folder, with its notes in `open.json`.
#[derive(Debug)]
pub struct Recorded(Option<Reference>);

impl Recorded {
    /// Reads both files of a folder; without a folder there are no recorded numbers.
    pub fn read(folder: Option<&Path>) -> Result<Self> {
        Ok(Self(folder.map(|folder| Reference::open(&folder.join("open.safetensors"))).transpose()?))
    }

    /// The recorded pairs of prompts, if there are any.
    pub fn pairs(&self) -> Option<Vec<PromptPair>> {
        let pairs: Vec<[String; 4]> = serde_json::from_value(self.0.as_ref()?.info()["ioi"]["pairs"].clone()).ok()?;
        Some(pairs.into_iter().map(PromptPair::from).collect())
    }

    /// The recorded rows of repeated random tokens, if there are any, with the length of the repeated sequence.
    pub fn repeated(&self) -> Result<Option<(Tokens, usize)>> {
        let Some(reference) = &self.0 else { return Ok(None) };
        let length = reference.info()["induction"]["repeat"].as_u64();
        Ok(reference.tokens("induction.tokens")?.zip(length.map(|length| length as usize)))
    }

    /// The recorded table with this name, row-major.
    fn values(&self, name: &str) -> Option<&[f32]> {
        Some(&self.0.as_ref()?.numbers(name)?.values)
    }

    /// The mean of a list in the notes, as `, recorded +4.2187`; empty if there is none.
    pub fn mean(&self, key: &str) -> String {
        let list = self.0.as_ref().and_then(|reference| reference.info()["ioi"][key].as_array());
        let mean = |list: &Vec<serde_json::Value>| {
            list.iter().filter_map(serde_json::Value::as_f64).sum::<f64>() / list.len() as f64
        };
        list.map_or_else(String::new, |list| format!(", recorded {:+.4}", mean(list)))
    }

    /// Prints the cells of a table that differ most from `untouched`, the value without an intervention, each next to
    /// its recorded value.
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
            println!("    largest difference from the recorded values, over {} cells: {apart:.1e}", values.len());
        }
    }
}
