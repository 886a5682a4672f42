//! Answers a query from the indexes of the experiments, and reads the records that are asked for.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use arrakis_models::ground::nearest::{did_you_mean, nearest_alike};
use serde_json::Value;

use super::super::{Freshness, Sources, Status, Store, Unreadable, index};
use super::names::number;
use super::{Condition, Found, Names, Query};
use crate::error::{Error, Result};

/// A record that meets a query, and what it is sorted by.
struct Kept {
    by: Option<Value>,
    started: String,
    id: String,
    path: PathBuf,
}

impl Query {
    /// The values that it uses.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().map(Condition::name).chain(self.sort.as_deref())
    }

    /// Whether it uses a value of this name, which may be asked for without its first part.
    fn uses(&self, name: &str) -> bool {
        let short = name.strip_prefix("args.").or_else(|| name.strip_prefix("result."));
        self.names().any(|asked| asked == name || Some(asked) == short)
    }

    fn is_met(&self, status: Status, names: &Names) -> bool {
        let failed = !matches!(status, Status::Ok | Status::Holds);
        (!self.failed || failed) && self.conditions.iter().all(|condition| condition.holds(names))
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
        self.asked(query, None)
    }

    /// The records that meet a query and are [`Freshness::Stale`] by these sources.
    ///
    /// # Errors
    ///
    /// Those of [`Store::query`].
    pub fn stale(&self, query: &Query, sources: &Sources) -> Result<Found> {
        self.asked(query, Some(&Stale { sources, known: RefCell::default() }))
    }

    fn asked(&self, query: &Query, stale: Option<&Stale<'_>>) -> Result<Found> {
        let names = query.name.as_ref().map_or_else(|| self.names(), |name| Ok(vec![name.clone()]))?;
        let (mut found, mut missing, mut kept) = (Found::default(), Missing::of(query), Vec::new());
        for name in names {
            self.search(&name, query, stale, &mut missing, &mut kept, &mut found.unreadable)?;
        }
        missing.refused()?;
        found.matched = kept.len();
        kept.sort_by(|a, b| {
            let order = descending(a.by.as_ref(), b.by.as_ref());
            order.then_with(|| (&b.started, &b.id).cmp(&(&a.started, &a.id)))
        });
        for Kept { path, .. } in kept.into_iter().take(query.limit.unwrap_or(usize::MAX)) {
            match Self::read(&path) {
                Ok(record) => found.records.push(record),
                Err(problem) => found.unreadable.push(Unreadable { path, problem }),
            }
        }
        Ok(found)
    }

    /// Adds the records of an experiment that meet a query.
    fn search(
        &self,
        asked: &str,
        query: &Query,
        stale: Option<&Stale<'_>>,
        missing: &mut Missing<'_>,
        kept: &mut Vec<Kept>,
        unreadable: &mut Vec<Unreadable>,
    ) -> Result<()> {
        let name = if query.name.is_some() { asked.rsplit("::").next().unwrap_or(asked) } else { asked };
        let own = self.index(name)?;
        let mut heads = own.heads();
        if query.name.is_some() {
            self.keep_meant(asked, &mut heads, &own.unreadable, |head| (head.function(), head.name()))?;
        }
        let needs_names = query.names().next().is_some();
        let values = if needs_names { own.values() } else { HashMap::new() };
        for head in heads {
            let path = self.path_of(name, head.stem);
            if stale.is_some_and(|stale| !stale.holds(head.code, &path)) {
                continue;
            }
            let names_of = |wanted: &dyn Fn(&str) -> bool| match values.get(head.stem) {
                Some(line) => index::names(line, wanted),
                None => Self::read(&path).map_or_else(|_| Names::none(), |record| Names::of(&record)),
            };
            let names = if needs_names { names_of(&|name| query.uses(name)) } else { Names::none() };
            missing.note(&names, || names_of(&|_| true));
            if query.is_met(head.status, &names) && self.has_tags(&query.tags, &path)? {
                let by = query.sort.as_ref().and_then(|by| names.get(by)).cloned();
                kept.push(Kept { by, started: head.started.to_owned(), id: head.id().into_owned(), path });
            }
        }
        unreadable.extend(own.unreadable);
        Ok(())
    }

    /// Whether a record has these tags, given by the attribute or later.
    fn has_tags(&self, tags: &[String], path: &Path) -> Result<bool> {
        if tags.is_empty() {
            return Ok(true);
        }
        let Ok(record) = Self::read(path) else { return Ok(false) };
        let found = self.annotations(&record)?.tags_of(&record);
        Ok(tags.iter().all(|tag| found.contains(tag)))
    }
}

/// Which records are stale. One of each code, model and data is read.
struct Stale<'a> {
    sources: &'a Sources,
    known: RefCell<HashMap<String, bool>>,
}

impl Stale<'_> {
    fn holds(&self, code: &str, path: &Path) -> bool {
        if let Some(known) = self.known.borrow().get(code) {
            return *known;
        }
        let freshness = Store::read(path).map(|record| self.sources.assess(&record).freshness);
        let stale = freshness == Ok(Freshness::Stale);
        self.known.borrow_mut().insert(code.to_owned(), stale);
        stale
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

    /// Looks for what is missing in a record. All its names are needed only while something is.
    fn note(&mut self, names: &Names, all: impl FnOnce() -> Names) {
        self.asked.retain(|name| names.get(name).is_none());
        if !self.asked.is_empty() {
            self.known.extend(all().iter().map(|(name, _)| name.to_owned()));
        }
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

    use super::super::super::record::tests::record;
    use super::super::super::{Annotation, Outcome, Record};
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
