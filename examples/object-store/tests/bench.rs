//! A bench with a bucket behind its folder.

use std::path::Path;

use arrakis::experiment::{Annotation, Remote};
use arrakis::prelude::*;
use arrakis_object_store::Bucket;

/// A result that is large enough for a file of its own.
#[log_experiment]
fn larger(bench: &Bench, by: f64) -> Result<Vec<f64>> {
    bench.metric("steps", 0, by)?;
    Ok((0..5000).map(|at| f64::from(at) * by).collect())
}

#[log_experiment]
fn grösser(_bench: &Bench, by: f64) -> Result<f64> {
    Ok(by)
}

/// Records of two benches with folders of their own.
fn shares(bucket: &Bucket) {
    let bench = || Bench::embedded().unwrap().remote(bucket.clone()).unwrap();
    let (one, two) = (bench(), bench());
    larger(&one, 2.0).unwrap();
    larger(&two, 2.0).unwrap();
    grösser(&two, 3.0).unwrap();
    let versions = one.list_versions("larger").unwrap();
    let runs = one.runs("larger", &versions[0]).unwrap();
    assert_eq!((versions.len(), runs.len()), (1, 2), "equal inputs, from two folders");
    for record in &runs {
        record.verify().unwrap();
        assert_eq!(record.result::<Vec<f64>>().unwrap()[4999], 9998.0);
        assert_eq!(one.store().metrics(record).unwrap()["steps"], [(0, 2.0)]);
        two.store().annotate(record, Annotation::Tag("shared".into())).unwrap();
        one.store().annotate(record, Annotation::Tag("twice".into())).unwrap();
    }
    let version = &one.list_versions("grösser").unwrap()[0];
    assert_eq!(one.get_version("grösser", version).unwrap().result::<f64>().unwrap(), 3.0);
    let three = bench();
    assert_eq!(three.store().refresh().unwrap().records, 3);
    let tags = three.store().annotations(&runs[0]).unwrap().tags_of(&runs[0]);
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), ["shared", "twice"]);
    // What a bench wrote is what a push would have: nothing is left to bring either way.
    let pushed = bucket.push(three.folder()).unwrap();
    assert_eq!((pushed.copied.len(), pushed.differ.len()), (0, 0), "{pushed}");
    larger_in_a_runtime(bucket);
}

/// An experiment that a program of tokio calls.
fn larger_in_a_runtime(bucket: &Bucket) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bench = Bench::embedded().unwrap().remote(bucket.clone()).unwrap();
    runtime.block_on(async { larger(&bench, 5.0).unwrap() });
    assert_eq!(bench.list_versions("larger").unwrap().len(), 2);
}

fn in_folder(folder: &Path) -> Bucket {
    Bucket::open(&format!("file://{}", folder.display())).unwrap()
}

#[test]
fn benches_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    shares(&in_folder(folder.path()));
}

#[cfg(feature = "server")]
#[test]
fn benches_share_a_bucket() {
    let base = std::env::var("ARRAKIS_TEST_BUCKET").expect("`./check` names the bucket");
    shares(&Bucket::open(&format!("{base}/bench")).unwrap());
}

#[test]
fn a_bucket_that_does_not_answer_leaves_the_record_waiting() {
    let (folder, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bench = Bench::embedded().unwrap().save_dir(folder.path());
    let gone = far.path().join("gone");
    std::fs::create_dir(&gone).unwrap();
    let bench = bench.remote(in_folder(&gone)).unwrap();
    // A file where the folder was: nothing can be written below it.
    std::fs::remove_dir(&gone).unwrap();
    std::fs::write(&gone, "a file").unwrap();
    let said = larger(&bench, 2.0).unwrap_err().to_string();
    let begins = format!("cannot send the record of run `{}` to file://", bench.last().unwrap().record.unwrap().id);
    assert!(said.starts_with(&begins), "{said}");
    std::fs::remove_file(&gone).unwrap();
    std::fs::create_dir(&gone).unwrap();
    let again = Bench::embedded().unwrap().save_dir(folder.path()).remote(in_folder(&gone)).unwrap();
    // The state of this package's own work tree may be there too.
    let mut names = in_folder(&gone).list("larger/").unwrap();
    names.retain(|(name, _)| !name.starts_with("larger/states/"));
    assert_eq!(names.len(), 3, "an array, metrics and the record: {names:?}");
    assert_eq!(again.store().send_waiting().unwrap().records, 0);
}
