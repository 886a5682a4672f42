//! A folder as an object store.

mod common;

use arrakis_object_store::Bucket;

fn bucket() -> (tempfile::TempDir, Bucket) {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Bucket::open(&format!("file://{}", folder.path().display())).unwrap();
    (folder, bucket)
}

#[test]
fn a_folder_writes_once() {
    let (_folder, bucket) = bucket();
    common::writes_once(&bucket);
}

#[test]
fn names_stay_as_they_are() {
    let (_folder, bucket) = bucket();
    common::keeps_names(&bucket);
}

#[test]
fn one_of_many_writers_wins() {
    let (_folder, bucket) = bucket();
    common::one_of_many_wins(&bucket);
}

#[test]
fn other_places_are_refused_by_name() {
    let said = |url: &str| Bucket::open(url).unwrap_err().to_string();
    let end = "; give s3://BUCKET/FOLDER or file:///FOLDER";
    assert_eq!(
        said("ftp://x/y"),
        format!("`ftp://x/y` is no place for records: `ftp` is neither `s3` nor `file`{end}")
    );
    assert!(said("records").ends_with(end) && said("file:///no/such/folder").ends_with(end));
}
