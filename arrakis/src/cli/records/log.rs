//! `arrakis log`: the runs of a folder.

use serde_json::{Value, json};

use super::{Answer, Dir, SourceArgs, shown, table, unreadable, when};
use crate::error::Result;
use crate::experiment::{Condition, Found, Names, Outcome, Query, Record, Sources, Status, Store, json as lossless};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An experiment, by its name or the end of its function's path; the default is all
    name: Option<String>,
    #[command(flatten)]
    dir: Dir,
    /// Only runs with this tag; several times for several tags
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only runs that meet a condition: `score>0.5`, `args.layer=3`, `model.name~gpt2`, `started>2026-11`
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,
    /// Only runs with an error, a panic or a claim that does not hold
    #[arg(long)]
    failed: bool,
    /// Only runs whose function, helpers, toolchain, model or data are not those of the sources and files any more
    #[arg(long)]
    stale: bool,
    #[command(flatten)]
    sources: SourceArgs,
    /// Largest first by a value, such as `result.score`; the default is newest first
    #[arg(long, value_name = "VALUE")]
    sort: Option<String>,
    /// A column more, such as `result.score`; several times for several columns
    #[arg(long, value_name = "VALUE")]
    show: Vec<String>,
    /// At most so many runs; 0 for all
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
    /// One JSON object per line instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Answer> {
    let store = args.dir.store()?;
    let sources = args.sources.read();
    let query = query(args);
    let found = if args.stale { store.stale(&query, &sources)? } else { store.query(&query)? };
    let text = if args.json { lines(&store, &found)? } else { listed(&store, args, &found, &sources)? };
    Ok(Answer { text, yes: true })
}

fn query(args: &Args) -> Query {
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut query = Query::new().limit(limit);
    query = args.tag.iter().fold(query, Query::tag);
    query = args.conditions.iter().cloned().fold(query, Query::condition);
    query = args.name.iter().fold(query, Query::name);
    query = args.sort.iter().fold(query, Query::sorted_by);
    if args.failed { query.failed() } else { query }
}

/// A table, and what it leaves out.
fn listed(store: &Store, args: &Args, found: &Found, sources: &Sources) -> Result<String> {
    let mut header = vec!["run", "started", "experiment", "version", "status", "code", "arguments", "result"];
    header.extend(args.show.iter().map(String::as_str));
    header.push("tags");
    let rows = found.records.iter().map(|record| row(store, args, record, sources)).collect::<Result<Vec<_>>>()?;
    let (shown, matched) = (found.records.len(), found.matched);
    let more = if matched > shown { format!("{shown} of {matched} runs; -n 0 lists all\n") } else { String::new() };
    Ok(table::aligned(&header, &rows) + &more + &unreadable(found))
}

fn row(store: &Store, args: &Args, record: &Record, sources: &Sources) -> Result<Vec<String>> {
    let result = match &record.outcome {
        Outcome::Ok(value) => shown::value(value),
        Outcome::Error(message) | Outcome::Panic(message) => shown::cut(&message.escape_debug().to_string(), 48),
    };
    let tags: Vec<String> = store.annotations(record)?.tags_of(record).into_iter().collect();
    let mut row = vec![
        record.short_id().to_owned(),
        when(&record.started),
        record.name.clone(),
        record.version.as_ref()[..8.min(record.version.as_ref().len())].to_owned(),
        Status::of(record).to_string(),
        sources.assess(record).freshness.to_string(),
        shown::value(&Value::Object(record.arguments.clone())),
        result,
    ];
    if !args.show.is_empty() {
        let names = Names::of(record);
        row.extend(args.show.iter().map(|name| names.get(name).map_or_else(|| "-".into(), shown::value)));
    }
    row.push(tags.join(" "));
    Ok(row)
}

/// One object per line: what the table has, in full.
fn lines(store: &Store, found: &Found) -> Result<String> {
    found.records.iter().map(|record| Ok(format!("{}\n", object(store, record)?))).collect()
}

/// A record as one object, without its source.
pub(super) fn object(store: &Store, record: &Record) -> Result<Value> {
    let annotations = store.annotations(record)?;
    Ok(json!({
        "id": record.id,
        "version": record.version,
        "name": record.name,
        "function": record.function,
        "started": record.started,
        "duration_secs": record.duration_secs,
        "status": Status::of(record).to_string(),
        "arguments": record.arguments,
        "outcome": record.to_json()["outcome"],
        "seed": record.seed,
        "model": record.model,
        "tags": annotations.tags_of(record),
        "metrics": lossless::to_value(&store.metrics(record)?).expect("BUG: metrics are plain data"),
        "notes": annotations.notes().map(|(at, note)| json!({ "at": at, "note": note })).collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Study, ran};

    #[test]
    fn runs_are_listed_filtered_and_sorted() {
        let study = Study::new();
        let all = ran(&study.args(&["log"]));
        assert!(all.1.starts_with("run       started"), "{}", all.1);
        assert_eq!(all.1.lines().count(), 4, "{}", all.1);
        let strong =
            ran(&study.args(&["log", "score", "--where", "result>0.3", "--sort", "result", "--show", "layer"]));
        let layers: Vec<&str> = strong.1.lines().skip(1).map(|line| line.rsplit("  ").next().unwrap().trim()).collect();
        assert_eq!((layers, strong.0), (vec!["2", "1"], 0), "{}", strong.1);
        let one = ran(&study.args(&["log", "-n", "1"]));
        assert!(one.1.ends_with("1 of 3 runs; -n 0 lists all\n"), "{}", one.1);
        let failed = ran(&study.args(&["log", "--failed"]));
        assert_eq!(failed.1.lines().count(), 1);
    }

    #[test]
    fn stale_runs_are_those_of_other_code() {
        let study = Study::new();
        let sources = Study::sources();
        let (_, out, _) = ran(&study.args(&["log", "--sources", sources.path().to_str().unwrap()]));
        let words: Vec<&str> = out.lines().skip(1).map(|line| line.split_whitespace().nth(6).unwrap()).collect();
        assert_eq!(words, ["stale", "fresh?", "stale"], "{out}");
        let stale = ran(&study.args(&["log", "--stale", "-n", "1", "--sources", sources.path().to_str().unwrap()]));
        assert!(stale.1.contains(study.id(2)[study.id(2).len() - 8..].trim()), "{}", stale.1);
        assert!(stale.1.ends_with("1 of 2 runs; -n 0 lists all\n"), "{}", stale.1);
        let (_, gone, _) = ran(&study.args(&["log", "--sources", study.folder().to_str().unwrap()]));
        assert_eq!(gone.matches("unverifiable").count(), 3, "{gone}");
    }

    #[test]
    fn a_line_of_json_is_a_run() {
        let study = Study::new();
        let (_, out, _) = ran(&study.args(&["log", "--json", "--where", "args.layer = 1"]));
        let run: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&run["outcome"]["ok"], &run["arguments"]["layer"]), (&0.5.into(), &1.into()));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let study = Study::new();
        let said = |args: &[&str]| {
            let (code, out, err) = ran(&study.args(args));
            assert!(code == 2 && out.is_empty(), "{out}");
            err
        };
        assert!(said(&["log", "scor"]).contains("did you mean `score`?"));
        assert!(said(&["log", "--where", "layr=1"]).contains("did you mean `args.layer`?"));
        assert!(said(&["log", "--where", "layer"]).contains("write NAME = VALUE"));
        let (code, _, err) = ran(&["log", "--dir", "/no/such/folder"].map(str::to_owned));
        assert!(code == 2 && err.starts_with("error: cannot read `/no/such/folder`"), "{err}");
    }
}
