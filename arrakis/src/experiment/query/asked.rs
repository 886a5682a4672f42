//! Records of all experiments by what they hold.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use arrakis_models::ground::nearest::{did_you_mean, nearest_alike};
use serde_json::Value;

use super::super::{Outcome, Record, Store, Unreadable};
use super::names::number;
use super::{Condition, Names};
use crate::error::{Error, Result};

/// How a run ended, and what became of its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It returned, and makes no claim.
    Ok,
    /// Its claim holds.
    Holds,
    /// Its claim does not hold.
    Fails,
    /// It returned an error.
    Error,
    /// It panicked.
    Panic,
}

impl Status {
    /// The status of a run.
    pub fn of(record: &Record) -> Self {
        match (&record.outcome, &record.verdict) {
            (Outcome::Panic(_), _) => Self::Panic,
            (Outcome::Error(_), _) => Self::Error,
            (Outcome::Ok(_), Some(verdict)) if verdict.holds => Self::Holds,
            (Outcome::Ok(_), Some(_)) => Self::Fails,
            (Outcome::Ok(_), None) => Self::Ok,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Error => "error",
            Self::Panic => "panic",
        })
    }
}

/// What is asked of a store. The default is every record, newest first.
#[derive(Clone, Debug, Default)]
pub struct Query {
    name: Option<String>,
    tags: Vec<String>,
    conditions: Vec<Condition>,
    failed: bool,
    sort: Option<String>,
    limit: Option<usize>,
}

/// The records that were asked for, and the files that could not be read.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The records, in the order asked for.
    pub records: Vec<Record>,
    /// Files among the records that cannot be read as one.
    pub unreadable: Vec<Unreadable>,
    /// The number of records that met the query, before the limit.
    pub matched: usize,
}

impl Query {
    /// Every record, newest first.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only records of an experiment, as [`Store::runs`] takes its name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Only records with this tag, given by the attribute or later.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Only records that meet this condition, besides the others.
    #[must_use]
    pub fn condition(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Only runs that returned an error, panicked, or made a claim that does not hold.
    #[must_use]
    pub fn failed(self) -> Self {
        Self { failed: true, ..self }
    }

    /// Largest first by a value of the record, named as in [`Names`]. Records without it come last.
    #[must_use]
    pub fn sorted_by(self, name: impl Into<String>) -> Self {
        Self { sort: Some(name.into()), ..self }
    }

    /// At most so many records.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The names that it uses.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().map(Condition::name).chain(self.sort.as_deref())
    }

    /// The values of a record, if the query uses any.
    fn values(&self, record: &Record) -> Option<Names> {
        self.names().next().map(|_| Names::of(record))
    }

    fn is_met(&self, record: &Record, names: Option<&Names>, store: &Store) -> Result<bool> {
        let failed = !matches!(Status::of(record), Status::Ok | Status::Holds);
        let holds = |condition: &Condition| names.is_some_and(|names| condition.holds(names));
        if (self.failed && !failed) || !self.conditions.iter().all(holds) {
            return Ok(false);
        }
        if self.tags.is_empty() {
            return Ok(true);
        }
        let tags = store.annotations(record)?.tags_of(record);
        Ok(self.tags.iter().all(|tag| tags.contains(tag)))
    }
}

impl Store {
    /// The records that meet a query.
    ///
    /// ```
    /// # use arrakis::prelude::*;
    /// # use arrakis::experiment::Query;
    /// #[log_experiment]
    /// fn double(_bench: &Bench, x: f64) -> f64 {
    ///     2.0 * x
    /// }
    ///
    /// let bench = Bench::embedded()?;
    /// for x in [1.0, 3.0, 2.0] {
    ///     double(&bench, x);
    /// }
    /// let found = bench.store().query(&Query::new().condition("result > 2".parse()?).sorted_by("result"))?;
    /// let results: Result<Vec<f64>> = found.records.iter().map(|record| record.result()).collect();
    /// assert_eq!(results?, [6.0, 4.0]);
    /// # Ok::<(), arrakis::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Store::runs`] if a name is given, and [`Error::Value`] for a value that no record has, naming the nearest.
    pub fn query(&self, query: &Query) -> Result<Found> {
        let names = query.name.as_ref().map_or_else(|| self.names(), |name| Ok(vec![name.clone()]))?;
        let (mut found, mut missing) = (Found::default(), Missing::of(query));
        let mut kept: Vec<(Option<Names>, Record)> = Vec::new();
        for name in names {
            let runs = if query.name.is_some() { self.runs(&name)? } else { self.every_run(&name)? };
            found.unreadable.extend(runs.unreadable);
            for record in runs.records {
                let names = query.values(&record);
                if let Some(names) = &names {
                    missing.note(names);
                }
                if query.is_met(&record, names.as_ref(), self)? {
                    kept.push((names, record));
                }
            }
        }
        missing.refused()?;
        found.matched = kept.len();
        sort(&mut kept, query.sort.as_deref());
        kept.truncate(query.limit.unwrap_or(usize::MAX));
        found.records = kept.into_iter().map(|(_, record)| record).collect();
        Ok(found)
    }
}

/// The names of a query that no record has yet, and the names that records have.
struct Missing<'a> {
    asked: Vec<&'a str>,
    known: BTreeSet<String>,
}

impl<'a> Missing<'a> {
    fn of(query: &'a Query) -> Self {
        Self { asked: query.names().collect(), known: BTreeSet::new() }
    }

    fn note(&mut self, names: &Names) {
        self.asked.retain(|name| names.get(name).is_none());
        self.known.extend(names.iter().map(|(name, _)| name.to_owned()));
    }

    /// Refuses a name that none of the records has. With no records at all, there is nothing to say.
    fn refused(self) -> Result<()> {
        let Some(asked) = self.asked.first().filter(|_| !self.known.is_empty()) else { return Ok(()) };
        let known: Vec<&String> = self.known.iter().collect();
        let short = |name: &&String| name.rsplit('.').next() == Some(asked);
        let nearest = known
            .iter()
            .find(|name| short(name))
            .map(|name| (*name).clone())
            .or_else(|| nearest_alike(asked, &known, 0.3));
        let hint = did_you_mean(nearest.as_deref(), "; `arrakis show` lists the values of a record");
        Err(Error::Value { of: "Query", problem: format!("no record has a value `{asked}`{hint}") })
    }
}

fn sort(kept: &mut [(Option<Names>, Record)], by: Option<&str>) {
    let newer = |a: &Record, b: &Record| (&b.started, &b.id).cmp(&(&a.started, &a.id));
    kept.sort_by(|(a_names, a), (b_names, b)| {
        let order = descending(value(a_names.as_ref(), by), value(b_names.as_ref(), by));
        order.then_with(|| newer(a, b))
    });
}

fn value<'a>(names: Option<&'a Names>, name: Option<&str>) -> Option<&'a Value> {
    names?.get(name?)
}

/// Largest first; NaN after numbers, and what is absent last.
fn descending(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => match (number(a), number(b)) {
            (Some(a), Some(b)) => {
                a.is_nan().cmp(&b.is_nan()).then_with(|| b.partial_cmp(&a).unwrap_or(Ordering::Equal))
            }
            _ => text(b).cmp(&text(a)),
        },
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::Annotation;
    use super::super::super::record::tests::record;
    use super::*;

    fn store(results: &[Value]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        for (layer, result) in results.iter().enumerate() {
            store.write(&Record { outcome: Outcome::Ok(result.clone()), ..record(layer) }.sealed()).unwrap();
        }
        (folder, store)
    }

    fn layers(store: &Store, query: &Query) -> Vec<usize> {
        let found = store.query(query).unwrap();
        found.records.iter().map(|record| record.argument("layer").unwrap()).collect()
    }

    #[test]
    fn conditions_order_and_limit() {
        let (_folder, store) =
            store(&[json!({"score": 0.25}), json!({"score": {"$float": "NaN"}}), json!({"score": 0.75}), json!(null)]);
        assert_eq!(layers(&store, &Query::new()), [3, 2, 1, 0], "newest first");
        assert_eq!(layers(&store, &Query::new().sorted_by("score")), [2, 0, 1, 3], "NaN and absent values last");
        let strong = "score > 0.1".parse().unwrap();
        let query = Query::new().condition(strong).sorted_by("result.score").limit(1);
        assert_eq!((layers(&store, &query), store.query(&query).unwrap().matched), (vec![2], 2));
        assert_eq!(layers(&store, &Query::new().name("sweep").condition("layer = 1".parse().unwrap())), [1]);
    }

    #[test]
    fn tags_are_those_of_the_attribute_and_those_added_later() {
        let (_folder, store) = store(&[json!(1), json!(2)]);
        let first = store.runs("sweep").unwrap().records.remove(0);
        store.annotate(&first, Annotation::Tag("paper".into())).unwrap();
        assert_eq!(layers(&store, &Query::new().tag("paper")), [0]);
        store.annotate(&first, Annotation::Untag("paper".into())).unwrap();
        assert_eq!(layers(&store, &Query::new().tag("paper")), [] as [usize; 0]);
    }

    #[test]
    fn a_value_that_no_record_has_names_the_nearest() {
        let (_folder, store) = store(&[json!({"score": 0.25})]);
        let said =
            |condition: &str| store.query(&Query::new().condition(condition.parse().unwrap())).unwrap_err().to_string();
        assert_eq!(said("scor > 0"), "`Query`: no record has a value `scor`; did you mean `result.score`?");
        assert_eq!(said("args.layr > 0"), "`Query`: no record has a value `args.layr`; did you mean `args.layer`?");
        assert_eq!(
            said("zzzzzzzzzzzz = 1"),
            "`Query`: no record has a value `zzzzzzzzzzzz`; `arrakis show` lists the values of a record"
        );
        let empty = Store::new(store.folder().join("none"));
        assert_eq!(empty.query(&Query::new().sorted_by("x")).unwrap().records, []);
    }

    #[test]
    fn a_status_says_how_a_run_ended() {
        let failed = Record { outcome: Outcome::Error("no".into()), ..record(0) };
        assert_eq!([Status::of(&failed), Status::of(&record(0))], [Status::Error, Status::Ok]);
        assert_eq!(format!("{:<6}|", Status::Panic), "panic |");
    }
}
