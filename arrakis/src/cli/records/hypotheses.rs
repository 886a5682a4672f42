//! `arrakis hypotheses`: the verdicts of a folder of records, corrected within families, and whether they are fresh.

use std::collections::BTreeMap;

use super::{Answer, Dir, SourceArgs, table};
use crate::error::Result;
use crate::experiment::{Freshness, Record};
use crate::fmt::short;
use crate::hypothesis::{Corrected, Suite, Verdict};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    sources: SourceArgs,
    /// The claims of this family alone
    #[arg(long)]
    family: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<Answer> {
    let store = args.dir.store()?;
    let runs = store.all()?;
    let (records, unreadable) = (latest(runs.records), runs.unreadable.len());
    let of_family = |verdict: &Verdict| args.family.is_none() || verdict.claim.family == args.family;
    let judged: Vec<(&Record, &Verdict)> = records
        .iter()
        .filter_map(|record| Some((record, record.verdict.as_ref()?)))
        .filter(|(_, verdict)| of_family(verdict))
        .collect();
    if judged.is_empty() {
        let text = format!("no record in `{}` has a verdict{}\n", store.folder().display(), of(args.family.as_deref()));
        return Ok(Answer { text, yes: true });
    }
    let suite: Suite = judged.iter().map(|(_, verdict)| (*verdict).clone()).collect();
    let sources = args.sources.read();
    let fresh: Vec<Freshness> = judged.iter().map(|(record, _)| sources.assess(record).freshness).collect();
    let rows = judged.iter().zip(suite.by_verdict()?).zip(&fresh);
    let rows: Vec<Vec<String>> =
        rows.map(|(((record, _), corrected), fresh)| row(record, &corrected, *fresh)).collect();
    let stale = fresh.iter().filter(|fresh| **fresh >= Freshness::Stale).count();
    let text = format!("{}{}\n", table::aligned(&HEAD, &rows), end(&suite, stale, unreadable)?);
    Ok(Answer { text, yes: stale == 0 })
}

const HEAD: [&str; 9] = ["", "p", "adjusted", "family", "run", "day", "source", "experiment", "claim"];

/// The latest record of each function and generic arguments that has a verdict.
fn latest(records: Vec<Record>) -> Vec<Record> {
    let mut latest: BTreeMap<(String, Option<String>), Record> = BTreeMap::new();
    // Records of one experiment are oldest first.
    for record in records.into_iter().filter(|record| record.verdict.is_some()) {
        latest.insert((record.function.clone(), record.instance.clone()), record);
    }
    latest.into_values().collect()
}

fn row(record: &Record, corrected: &Corrected, fresh: Freshness) -> Vec<String> {
    let holds = if corrected.holds { "holds" } else { "does not hold" };
    let day = record.started.split('T').next().unwrap_or_default();
    let run = record.registration.as_ref().map_or("-", |registration| registration.run.word());
    let family = corrected.family.as_deref().unwrap_or("-");
    [
        holds,
        &short(corrected.p_value),
        &short(corrected.p_adjusted),
        family,
        run,
        day,
        fresh.word(),
        &record.name,
        &corrected.statement,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn end(suite: &Suite, stale: usize, unreadable: usize) -> Result<String> {
    let rows = suite.rows()?;
    let holding = rows.iter().filter(|row| row.holds).count();
    let parts = [
        Some(format!("{holding} of {} claims hold, corrected within each family by Holm", rows.len())),
        (stale > 0).then(|| format!("{stale} were judged with other code: run them again")),
        (unreadable > 0).then(|| format!("{unreadable} files are no records")),
    ];
    Ok(parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

fn of(family: Option<&str>) -> String {
    family.map_or_else(String::new, |family| format!(" in the family `{family}`"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::prelude::*;

    #[log_experiment]
    #[test_hypothesis(claim = "it is large", null = 0.5, alternative = Greater, test = OneSampleT, family = "sizes")]
    fn large(_bench: &Bench) -> Vec<f64> {
        vec![0.8, 0.9, 0.7, 0.8]
    }

    #[log_experiment]
    #[test_hypothesis(claim = "it is small", null = 0.5, alternative = Less, test = OneSampleT, family = "sizes")]
    fn small(_bench: &Bench) -> Vec<f64> {
        vec![0.8, 0.9, 0.7, 0.8]
    }

    fn asked(folder: &Path, sources: &Path, family: Option<&str>) -> Answer {
        run(&Args {
            dir: Dir { dir: folder.into() },
            sources: SourceArgs { sources: sources.into() },
            family: family.map(Into::into),
        })
        .unwrap()
    }

    #[test]
    fn verdicts_are_listed_with_their_family_and_their_source() {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::embedded().unwrap().save_dir(folder.path());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert_eq!(
            asked(folder.path(), &root, None).text,
            format!("no record in `{}` has a verdict\n", folder.path().display())
        );
        large(&bench);
        small(&bench);
        large(&bench);
        let answer = asked(folder.path(), &root, None);
        let lines: Vec<&str> = answer.text.lines().collect();
        assert_eq!(lines.len(), 4, "{}", answer.text);
        assert!(
            lines[1].starts_with("holds") && lines[1].ends_with("fresh   large       it is large"),
            "{}",
            answer.text
        );
        assert!(lines[2].starts_with("does not hold") && lines[2].contains("sizes"), "{}", answer.text);
        assert_eq!(lines[3], "1 of 2 claims hold, corrected within each family by Holm");
        assert!(answer.yes);
        let elsewhere = asked(folder.path(), folder.path(), Some("sizes"));
        assert!(!elsewhere.yes && elsewhere.text.contains("unverifiable"), "{}", elsewhere.text);
        assert!(elsewhere.text.ends_with("; 2 were judged with other code: run them again\n"), "{}", elsewhere.text);
        assert!(asked(folder.path(), &root, Some("other")).text.ends_with("in the family `other`\n"));
    }
}
