//! What every object store must do.

use std::path::Path;

use arrakis_object_store::{Bucket, Copied};

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn found(copied: &Copied) -> (usize, usize, Vec<&str>) {
    (copied.copied.len(), copied.there, copied.differ.iter().map(String::as_str).collect())
}

/// Two folders and a bucket between them.
pub fn writes_once(bucket: &Bucket) {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (one.path(), two.path());
    let array: String = (0..10_000).map(|number| format!("{number} ")).collect();
    write(one, "score/first.json", "{\"id\":1}");
    write(one, "score/blobs/ab.safetensors", &array);
    write(one, ".shards/j/0-of-2/1.jsonl", "a\n");
    write(one, "score/.writing-x", "half");
    write(two, "score/second.json", "{\"id\":2}");
    assert_eq!(found(&bucket.push(one).unwrap()), (3, 0, vec![]));
    assert_eq!(found(&bucket.push(two).unwrap()), (1, 0, vec![]));
    assert_eq!(found(&bucket.pull(two).unwrap()), (3, 1, vec![]));
    assert_eq!((read(two, "score/blobs/ab.safetensors"), read(two, "score/second.json")), (array, "{\"id\":2}".into()));

    // What is there stays, on both sides.
    write(two, "score/first.json", "changed");
    assert_eq!(found(&bucket.push(two).unwrap()), (0, 3, vec!["score/first.json"]));
    assert_eq!(found(&bucket.pull(two).unwrap()), (0, 3, vec!["score/first.json"]));
    assert_eq!(read(two, "score/first.json"), "changed");
    assert_eq!(found(&bucket.pull(one).unwrap()), (1, 3, vec![]));
    assert_eq!(read(one, "score/first.json"), "{\"id\":1}");

    // Logs grow, in one line.
    write(one, ".shards/j/0-of-2/1.jsonl", "a\nb\n");
    assert_eq!(found(&bucket.push(one).unwrap()), (1, 3, vec![]));
    assert_eq!(found(&bucket.pull(two).unwrap()), (1, 2, vec!["score/first.json"]));
    assert_eq!(read(two, ".shards/j/0-of-2/1.jsonl"), "a\nb\n");
    write(two, ".shards/j/0-of-2/1.jsonl", "a\n");
    assert_eq!(found(&bucket.push(two).unwrap()), (0, 3, vec!["score/first.json"]));
    write(two, ".shards/j/0-of-2/1.jsonl", "a\nc\n");
    assert_eq!(bucket.push(two).unwrap().differ.len(), 2);

    // Tags of two folders come together.
    let name = "score/annotations/1.jsonl";
    write(one, name, "\n{\"tag\":1}\n");
    write(two, name, "\n{\"tag\":2}\n");
    for (folder, copied) in [(one, 1), (two, 1), (two, 0)] {
        assert_eq!(bucket.push(folder).unwrap().copied.len(), copied);
    }
    assert_eq!((bucket.pull(one).unwrap().copied.len(), bucket.pull(two).unwrap().copied.len()), (1, 1));
    assert_eq!(read(one, name), "\n{\"tag\":1}\n\n{\"tag\":2}\n");
    assert_eq!(read(two, name).matches("tag").count(), 2);
}

/// Names that are not ASCII, or have what addresses write otherwise, are the same on both sides.
pub fn keeps_names(bucket: &Bucket) {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let names = ["größe/é.json", "größe/a b+c%41.json"];
    names.iter().for_each(|name| write(one.path(), name, name));
    assert_eq!(found(&bucket.push(one.path()).unwrap()), (2, 0, vec![]));
    assert_eq!(found(&bucket.push(one.path()).unwrap()), (0, 2, vec![]));
    assert_eq!(found(&bucket.pull(two.path()).unwrap()), (2, 0, vec![]));
    names.iter().for_each(|name| assert_eq!(read(two.path(), name), *name));
}

/// Of many processes that write one object, one does.
pub fn one_of_many_wins(bucket: &Bucket) {
    let folders: Vec<_> = (0..8).map(|_| tempfile::tempdir().unwrap()).collect();
    let pushed: Vec<Copied> = std::thread::scope(|scope| {
        let push = |(at, folder): (usize, &tempfile::TempDir)| {
            write(folder.path(), "race/one.json", &format!("writer {at}"));
            let (bucket, path) = (bucket.clone(), folder.path().to_owned());
            scope.spawn(move || bucket.push(&path).unwrap())
        };
        let threads: Vec<_> = folders.iter().enumerate().map(push).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winners: Vec<usize> = (0..8).filter(|at| pushed[*at].copied.len() == 1).collect();
    assert_eq!((winners.len(), pushed.iter().filter(|copied| copied.differ.len() == 1).count()), (1, 7));
    let own = tempfile::tempdir().unwrap();
    bucket.pull(own.path()).unwrap();
    assert_eq!(read(own.path(), "race/one.json"), format!("writer {}", winners[0]));
}
