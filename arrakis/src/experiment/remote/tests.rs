//! A store with a place in memory behind it.

use std::fs;

use tempfile::TempDir;

use super::super::record::tests::record;
use super::super::{Annotation, Outcome, Problem, Record, Store, UsedHelper, json};
use super::Brought;
use super::testing::Memory;
use crate::error::Error;

/// A folder of its own with this place behind it.
fn store(memory: &Memory) -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path()).with_remote(memory.clone());
    (folder, store)
}

/// A record with an array, the text of a helper, metrics and a figure, which are in the store.
fn whole(store: &Store, layer: usize) -> Record {
    let (value, blobs) = json::to_value_and_blobs(&vec![layer as f32; 5000]).unwrap();
    let mut record = Record { outcome: Outcome::Ok(value), blobs, ..record(layer) };
    record.figures = vec!["sweep/figures/a.png".into()];
    record.helpers = vec![UsedHelper { path: "m::f".into(), hash: "aa".into(), file: "a.rs".into(), line: 1 }];
    record.texts = [("aa".to_owned(), "fn f() {}".into())].into();
    let record = record.sealed();
    let metric = format!("sweep/metrics/{}.jsonl", record.id);
    for (name, text) in [("sweep/figures/a.png", "png"), (&metric, "{\"name\":\"loss\",\"step\":0,\"value\":1.0}\n")] {
        let path = store.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    record
}

/// The record as it is read: the texts of its helpers are files.
fn saved(record: &Record) -> Record {
    Record { texts: std::collections::BTreeMap::new(), ..record.clone() }
}

/// The objects, without the state of this crate's own work tree.
fn names(memory: &Memory) -> Vec<String> {
    memory.names().into_iter().filter(|name| !name.starts_with("sweep/states/")).collect()
}

fn waiting(store: &Store) -> usize {
    fs::read_dir(store.folder().join(".waiting/sweep")).map_or(0, Iterator::count)
}

#[test]
fn a_record_is_there_with_all_that_belongs_to_it_and_another_folder_sees_it() {
    let memory = Memory::default();
    let ((_a, here), (_b, there)) = (store(&memory), store(&memory));
    let record = whole(&here, 0);
    here.write(&record).unwrap();
    let names = names(&memory);
    assert_eq!((names.len(), waiting(&here)), (5, 0), "{names:?}");
    assert_eq!(there.refresh().unwrap(), Brought { records: 1, differ: vec![] });
    let read = there.find(&record.id).unwrap();
    read.verify().unwrap();
    assert_eq!((&read, read.result::<Vec<f32>>().unwrap().len()), (&saved(&record), 5000));
    assert_eq!(there.helper_text(&read, &read.helpers[0]).unwrap(), "fn f() {}");
    assert_eq!(there.metrics(&read).unwrap()["loss"], [(0, 1.0)]);
    assert!(there.folder().join("sweep/figures/a.png").is_file());
    assert_eq!(there.refresh().unwrap(), Brought::default(), "nothing is new");
    assert_eq!(Store::new(here.folder()).refresh().unwrap(), Brought::default(), "there is no such place");
}

#[test]
fn what_cannot_be_sent_is_said_kept_and_sent_later() {
    let memory = Memory::default();
    let ((_a, here), (_b, there)) = (store(&memory), store(&memory));
    for end in [".safetensors", ".rs", ".png", ".jsonl", ".json"] {
        memory.objects.lock().unwrap().clear();
        let here = Store::new(here.folder()).with_remote(memory.clone());
        let record = whole(&here, 0);
        memory.break_at(end);
        let error = here.write(&record).unwrap_err();
        let Error::NotSent { kept, .. } = &error else { panic!("{error}") };
        assert_eq!(
            error.to_string(),
            format!(
                "cannot send the record of run `{}` to memory://records: no answer; it is kept at `{}`, and sent when a bench opens \
                 this folder with that place again, or by `Store::send_waiting`",
                record.id,
                kept.display()
            )
        );
        assert!(kept.is_file() && waiting(&here) == 1 && here.find(&record.id).unwrap() == saved(&record));
        assert!(here.send_waiting().is_err() && waiting(&here) == 1, "it still fails at {end}");
        there.refresh().unwrap();
        assert!(there.find(&record.id).is_err(), "a record is never there without what belongs to it");
        memory.break_at(None);
        assert_eq!(here.send_waiting().unwrap(), Brought { records: 1, differ: vec![] });
        assert_eq!((here.send_waiting().unwrap(), waiting(&here)), (Brought::default(), 0));
        there.refresh().unwrap();
        assert_eq!(there.find(&record.id).unwrap(), saved(&record));
    }
}

#[test]
fn of_two_writers_of_one_name_the_first_stays_and_the_second_is_told() {
    let memory = Memory::default();
    let ((_a, here), (_b, there)) = (store(&memory), store(&memory));
    let record = record(0).sealed();
    here.write(&record).unwrap();
    let name = format!("sweep/{}.json", record.id);
    let first = memory.objects.lock().unwrap()[&name].clone();
    let other = Record { seed: 9, ..record.clone() }.sealed();
    let said = there.write(&other).unwrap_err().to_string();
    let problem = format!(
        "memory://records: it has another `{name}`, and neither was changed; the record of run `{}` is kept in `{}`",
        record.id,
        there.folder().display()
    );
    assert_eq!(said, problem);
    assert_eq!(memory.objects.lock().unwrap()[&name], first);
    assert_eq!(there.find(&record.id).unwrap(), other);
    assert_eq!(there.send_waiting().unwrap(), Brought { records: 0, differ: vec![there.folder().join(&name)] });
    // The same bytes from two folders are no conflict.
    let (_c, again) = store(&memory);
    again.write(&record).unwrap();
    let size = memory.objects.lock().unwrap()[&name].len();
    memory.objects.lock().unwrap().insert(name.clone(), vec![b' '; size + 1]);
    assert_eq!(here.refresh().unwrap(), Brought { records: 0, differ: vec![here.folder().join(name)] });
    assert_eq!(here.find(&record.id).unwrap(), record);
}

#[test]
fn tags_of_two_folders_are_all_there_in_the_end() {
    let memory = Memory::default();
    let ((_a, here), (_b, there)) = (store(&memory), store(&memory));
    let record = record(0).sealed();
    here.write(&record).unwrap();
    there.refresh().unwrap();
    here.annotate(&record, Annotation::Tag("here".into())).unwrap();
    memory.break_at(".jsonl");
    let said = there.annotate(&record, Annotation::Tag("there".into())).unwrap_err().to_string();
    assert!(
        said.starts_with(&format!("cannot send the annotation of run `{}` to memory://records: ", record.id)),
        "{said}"
    );
    memory.break_at(None);
    there.send_waiting().unwrap();
    for store in [&here, &there] {
        store.refresh().unwrap();
        let tags = store.annotations(&record).unwrap().tags_of(&record);
        assert_eq!(tags.into_iter().collect::<Vec<_>>(), ["here", "there"]);
    }
    let lines = memory.objects.lock().unwrap()[&format!("sweep/annotations/{}.jsonl", record.id)].clone();
    assert_eq!(String::from_utf8(lines).unwrap().matches("tag").count(), 2);
}

#[test]
fn strangers_objects_stay_below_the_folder_and_are_named_by_readers() {
    let memory = Memory::default();
    let (folder, here) = store(&memory);
    for name in [
        "../out.json",
        "sweep/../../out.json",
        "/out.json",
        ".shards/x.json",
        "sweep/bad.json",
        "sweep/.writing-x.json",
    ] {
        memory.objects.lock().unwrap().insert(name.into(), b"{".to_vec());
    }
    assert_eq!(here.refresh().unwrap().records, 1);
    let check = here.check().unwrap();
    assert!(matches!(check.bad[0].problem, Problem::NotARecord { .. }) && check.bad.len() == 1, "{check:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else was brought");
    memory.break_at("");
    let said = here.refresh().unwrap_err().to_string();
    assert_eq!(said, "memory://records: the records cannot be read: no answer");
}

#[test]
fn a_mark_of_a_process_that_was_stopped_goes_once_it_is_old() {
    let memory = Memory::default();
    let (_folder, here) = store(&memory);
    let record = record(0).sealed();
    here.mark(&record).unwrap();
    assert_eq!((here.send_waiting().unwrap(), waiting(&here)), (Brought::default(), 1), "it may be being written");
    let file = fs::File::options().append(true).open(here.folder().join(".waiting/sweep").join(&record.id)).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_hours(2)).unwrap();
    assert_eq!((here.send_waiting().unwrap(), waiting(&here)), (Brought::default(), 0));
    // One who was stopped after the record was written is sent.
    here.mark(&record).unwrap();
    Store::new(here.folder()).write(&record).unwrap();
    assert_eq!(here.send_waiting().unwrap().records, 1);
    assert_eq!(names(&memory), [format!("sweep/{}.json", record.id)]);
}
