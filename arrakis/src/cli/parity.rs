//! `arrakis parity`: compares a model with numbers computed by transformers.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arrakis_models::{HookedAutoModel, LoadOptions};

use super::answer::Answer;
use super::table::aligned;
use crate::error::{Error, Result};
use crate::parity::{ParityOptions, Reference, Report, Row, compare};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder with config.json and weights, or a Hub id such as `gpt2`
    model: String,
    /// Reference numbers; the default is reference.safetensors in the model's folder
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Absolute and relative tolerance, instead of the reference's own
    #[arg(long, value_parser = tolerance)]
    tolerance: Option<f64>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

fn tolerance(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "a tolerance is a finite number of at least 0, such as 1e-4".to_owned())
}

pub(super) fn run(args: &Args, device: Option<&str>) -> Result<Answer> {
    let folder = HookedAutoModel::folder(&args.model)?;
    let reference = Reference::open(&reference_path(args, &folder)?)?;
    let model = HookedAutoModel::load(
        &args.model,
        &LoadOptions { device: device.map(str::to_owned), quiet: args.json, ..LoadOptions::new() },
    )?;
    let report = compare(&model, &reference, ParityOptions { tolerance: args.tolerance })?;
    let text = if args.json { json(&report) } else { report_text(&report) };
    Ok(Answer { text, yes: report.passed() })
}

fn reference_path(args: &Args, folder: &Path) -> Result<PathBuf> {
    let path = args.reference.clone().unwrap_or_else(|| folder.join("reference.safetensors"));
    match path.metadata() {
        Ok(found) if found.is_file() => return Ok(path),
        Err(source) if source.kind() != ErrorKind::NotFound => return Err(Error::Read { path, source }),
        _ => {}
    }
    let problem = "there are no reference numbers here; name their file with `--reference FILE`".to_owned();
    Err(arrakis_models::Error::File { path, problem }.into())
}

fn json(report: &Report) -> String {
    let mut value = serde_json::to_value(report).expect("BUG: a report is plain data");
    value["passed"] = report.passed().into();
    format!("{value:#}\n")
}

fn report_text(report: &Report) -> String {
    let head = format!("{} on {}\nagainst {}\n\n", report.model, report.device, report.reference.display());
    let rows: Vec<Vec<String>> = report.rows.iter().map(cells).collect();
    let table = aligned(&["quantity", "largest", "max abs", "max rel", "tolerance", "numbers", "", ""], &rows);
    [head, table, left_out(report), format!("\n{}\n", verdict(report))].concat()
}

/// Numbers that only one side has.
fn left_out(report: &Report) -> String {
    let mut parts = Vec::new();
    if !report.skipped.is_empty() {
        let rows: Vec<Vec<String>> =
            report.skipped.iter().map(|skipped| vec![format!("  {}", skipped.quantity), skipped.why.clone()]).collect();
        parts.push(format!("\nnot compared\n{}", aligned(&[], &rows)));
    }
    if !report.missing.is_empty() {
        parts.push(format!("\nnot in the reference: {}\n", report.missing.join(", ")));
    }
    parts.concat()
}

fn cells(row: &Row) -> Vec<String> {
    let at = if row.pass || row.worst_at.is_empty() { String::new() } else { format!("worst at {:?}; ", row.worst_at) };
    let equal = row.tolerance.is_none();
    let number = |value: f64| {
        if equal {
            String::new()
        } else if value == 0.0 {
            "0".into()
        } else {
            format!("{value:.2e}")
        }
    };
    vec![
        row.quantity.clone(),
        number(row.largest),
        number(row.max_abs),
        number(row.max_rel),
        row.tolerance.map_or_else(|| "equal".to_owned(), |tolerance| tolerance.to_string()),
        row.compared.to_string(),
        if row.pass { "ok" } else { "DIFFERS" }.to_owned(),
        format!("{at}{}", row.note).trim_end_matches("; ").to_owned(),
    ]
}

fn verdict(report: &Report) -> String {
    let differ = report.failures().count();
    let agree = report.rows.len() - differ;
    let first =
        report.failures().next().map(|row| format!("; the first to differ is `{}`", row.quantity)).unwrap_or_default();
    if report.rows.is_empty() {
        return "nothing was compared: the reference has no known inputs".to_owned();
    }
    format!("{agree} agree, {differ} differ, {} not compared{first}", report.skipped.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_a_number() {
        assert_eq!(tolerance("1e-3"), Ok(1e-3));
        for wrong in ["-1", "nan", "tight"] {
            assert!(tolerance(wrong).unwrap_err().contains("such as 1e-4"));
        }
    }
}
