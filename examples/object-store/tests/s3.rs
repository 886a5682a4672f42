//! A real server of S3, which `./check` starts and names in the variables of AWS.

mod common;

use arrakis_object_store::Bucket;

/// A place of its own for each test.
fn bucket(name: &str) -> Bucket {
    let base = std::env::var("ARRAKIS_TEST_BUCKET").expect("`./check` names the bucket");
    Bucket::open(&format!("{base}/{name}")).unwrap()
}

#[test]
fn a_server_writes_once() {
    common::writes_once(&bucket("once"));
}

#[test]
fn names_stay_as_they_are() {
    common::keeps_names(&bucket("names"));
}

#[test]
fn one_of_many_writers_wins() {
    common::one_of_many_wins(&bucket("race"));
}

#[test]
fn a_wrong_bucket_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.json"), "{}").unwrap();
    let error = Bucket::open("s3://no-such-bucket/x").unwrap().push(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("the object store: "), "{error}");
}
