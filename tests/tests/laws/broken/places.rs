//! What may stand in the place of a file: a folder, a link to nothing, a pipe, a pointer, another system's text.

use std::path::Path;

use serde_json::json;

use super::{copy, fixture, header, load, refusal, says};

const FILES: [&str; 4] = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];

/// What is said where `put` puts something in the place of each file.
fn instead(put: impl Fn(&Path)) -> impl Iterator<Item = (&'static str, String)> {
    FILES.into_iter().map(move |file| {
        let said = refusal(|folder| {
            std::fs::copy(fixture("stories260K").join("tokenizer.json"), folder.join("tokenizer.json")).unwrap();
            drop(std::fs::remove_file(folder.join(file)));
            put(&folder.join(file));
        });
        (file, said)
    })
}

#[test]
fn folders_in_the_place_of_files() {
    for (file, said) in instead(|path| std::fs::create_dir(path).unwrap()) {
        says(&said, &[file, "it is a folder; put a file of this name there"]);
    }
}

#[cfg(unix)]
#[test]
fn links_to_nothing_and_to_what_never_ends() {
    use std::os::unix::fs::symlink;
    for (file, said) in instead(|path| symlink("nowhere", path).unwrap()) {
        says(&said, &[file, "a link to a file that is not there"]);
    }
    for (file, said) in instead(|path| symlink("/dev/zero", path).unwrap()) {
        says(&said, &[file, "not a regular file"]);
    }
}

/// Opening a pipe waits for a writer, who never comes.
#[cfg(target_os = "linux")]
#[test]
fn pipes_in_the_place_of_files() {
    for (file, said) in
        instead(|path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()))
    {
        says(&said, &[file, "not a regular file but a pipe"]);
    }
}

#[test]
fn pointers_of_git_lfs() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4665\nsize 1234\n";
    for (file, said) in instead(|path| std::fs::write(path, pointer).unwrap()) {
        says(&said, &[file, "Git LFS pointer", "run `git lfs pull`"]);
    }
}

/// The weights as one shard, and an index of one tensor.
fn one_shard(folder: &Path, tensor: &str, file: &str) {
    std::fs::rename(folder.join("model.safetensors"), folder.join("one.safetensors")).unwrap();
    let index = json!({ "weight_map": { tensor: file } });
    std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
}

#[test]
fn an_index_that_promises_what_its_shard_lacks() {
    let said = refusal(|folder| {
        header(folder, |tensors| {
            let tensor = tensors.as_object_mut().unwrap().remove("model.norm.weight").unwrap();
            tensors["model.ghost.weight"] = tensor;
        });
        one_shard(folder, "model.norm.weight", "one.safetensors");
    });
    says(
        &said,
        &["missing: `model.norm.weight`", "the index says it is in `one.safetensors`", "download that shard again"],
    );
}

#[test]
fn an_index_that_leads_elsewhere() {
    for outside in ["a\\b.safetensors", "C:\\b", "one.safetensors\0", "one\u{1b}[31m"] {
        let said = refusal(|folder| one_shard(folder, "model.norm.weight", outside));
        says(&said, &["index.json", "`model.norm.weight`", "not a file of this folder"]);
        assert!(!said.contains(char::is_control), "{said:?}");
    }
}

/// A link that leads out of the folder is how the Hub's cache keeps files.
#[cfg(unix)]
#[test]
fn files_may_be_links() {
    let folder = copy("llama");
    let path = folder.path().join("model.safetensors");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(fixture("llama").join("model.safetensors"), &path).unwrap();
    assert!(load(folder.path()).is_ok());
}
