//! The files that belong to a record, beside it and among the figures.

use super::json::{BLOBS, blob_files, digest};
use super::store::{HELPERS, STATES};
use super::{Record, Registration, code, file_name};

/// The folder of registered claims, beside the records.
pub(super) const REGISTRATIONS: &str = "registrations";

/// A file that belongs to a record.
#[derive(Debug)]
pub(super) struct Belonging {
    /// Its path in the store, with `/`.
    pub(super) name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Named by its digest.
    State(String),
    /// Named by the hash of its tokens.
    Helper { hash: String, name: String },
    /// Of the first who registered the claim.
    Registration,
    /// Of this record alone, or checked where it is read.
    Own,
}

impl Belonging {
    /// Whether bytes can be this file.
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        match &self.kind {
            Kind::State(state) => digest(&text) == *state,
            Kind::Helper { hash, name } => code::hash(&text, name) == *hash,
            Kind::Registration | Kind::Own => true,
        }
    }

    /// Whether another file of this name is as good: the first one stays.
    pub(super) fn first_stays(&self) -> bool {
        matches!(self.kind, Kind::Helper { .. } | Kind::Registration)
    }

    /// Whether the name says what is in it.
    pub(super) fn is_named_by_its_contents(&self) -> bool {
        matches!(self.kind, Kind::Helper { .. } | Kind::State(_)) || self.name.contains(&format!("/{BLOBS}/"))
    }
}

/// The files that belong to a record. Some may not be there: not every run has a profile.
pub(super) fn belongings(record: &Record) -> Vec<Belonging> {
    let folder = file_name(&record.name);
    let beside = |name: String, kind| Belonging { name: format!("{folder}/{name}"), kind };
    let mut all: Vec<Belonging> =
        blob_files(&record.to_json()).into_iter().map(|file| beside(format!("{BLOBS}/{file}"), Kind::Own)).collect();
    all.extend(record.helpers.iter().map(|helper| {
        let name = helper.path.rsplit("::").next().unwrap_or(&helper.path).to_owned();
        beside(format!("{HELPERS}/{}.rs", helper.hash), Kind::Helper { hash: helper.hash.clone(), name })
    }));
    let state = record.git.as_ref().and_then(|git| git.state.clone());
    all.extend(state.map(|state| beside(format!("{STATES}/{state}.json"), Kind::State(state))));
    let registered = record.registration.iter().flat_map(|registration| registrations(&record.name, registration));
    all.extend(registered.map(|name| Belonging { name, kind: Kind::Registration }));
    let own = [format!("profiles/{}.trace.json", record.id), format!("metrics/{}.jsonl", record.id)];
    all.extend(own.map(|name| beside(name, Kind::Own)));
    let figures = record.figures.iter().map(|figure| figure.replace('\\', "/")).filter(|figure| is_inside(figure));
    all.extend(figures.map(|name| Belonging { name, kind: Kind::Own }));
    // The names come from a record, which may be a stranger's.
    all.retain(|file| is_inside(&file.name));
    all
}

/// The files of a registered claim of an experiment: of its declaration, and of the data.
pub(super) fn registrations(name: &str, registration: &Registration) -> [String; 2] {
    let (folder, Registration { id, data, .. }) = (file_name(name), registration);
    [format!("{folder}/{REGISTRATIONS}/{id}.json"), format!("{folder}/{REGISTRATIONS}/{id}-{data}.json")]
}

/// Whether a name with `/` stays below the folder that it is a name in.
pub(super) fn is_inside(name: &str) -> bool {
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
    name.split('/').all(is_plain)
}

/// Whether a name ends so, after a dot.
pub(super) fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, own)| own == extension)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::super::{Git, RunKind, UsedHelper};
    use super::*;

    #[test]
    fn a_record_has_the_files_that_it_names_and_none_outside_the_store() {
        let mut record = record(0);
        let used = |hash: &str| UsedHelper { path: "m::f".into(), hash: hash.into(), file: "a.rs".into(), line: 1 };
        record.helpers = vec![used("aa"), used("../../x")];
        record.git = Some(Git { commit: "0".into(), dirty: true, package: String::new(), state: Some("bb".into()) });
        record.registration = Some(Registration {
            id: "cc".into(),
            registered: String::new(),
            data: "dd".into(),
            run: RunKind::Confirmatory,
            earlier: Vec::new(),
        });
        record.figures = vec!["sweep/figures/a.png".into(), "/tmp/b.png".into(), "../c.png".into()];
        let all = belongings(&record);
        let id = &record.id;
        let names: Vec<&str> = all.iter().map(|file| &*file.name).collect();
        let (profile, metrics) = (format!("sweep/profiles/{id}.trace.json"), format!("sweep/metrics/{id}.jsonl"));
        assert_eq!(
            names,
            [
                "sweep/helpers/aa.rs",
                "sweep/states/bb.json",
                "sweep/registrations/cc.json",
                "sweep/registrations/cc-dd.json",
                &profile,
                &metrics,
                "sweep/figures/a.png"
            ]
        );
        assert_eq!(
            all.iter().map(Belonging::first_stays).collect::<Vec<_>>(),
            [true, false, true, true, false, false, false]
        );
        assert!(!all[0].fits(b"fn f() {}") && !all[1].fits(b"{}") && all[2].fits(b"{}"));
    }
}
