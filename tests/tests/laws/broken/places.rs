//! Things in the place of a file: a folder, a dangling link, a pipe, a Git LFS pointer, text of another system.

use std::path::Path;

use serde_json::json;

use super::{copy, fixture, header, load, refusal, says};

const FILES: [&str; 4] = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];

/// The error when `put` puts something in the place of each file.
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
fn folders_in_the_place_of_files_are_refused() {
    for (file, said) in instead(|path| std::fs::create_dir(path).unwrap()) {
        says(&said, &[file, "it is a folder; put a file of this name there"]);
    }
}

#[cfg(unix)]
#[test]
fn links_to_nothing_and_to_endless_devices_are_refused() {
    use std::os::unix::fs::symlink;
    for (file, said) in instead(|path| symlink("nowhere", path).unwrap()) {
        says(&said, &[file, "a link to a file that is not there"]);
    }
    for (file, said) in instead(|path| symlink("/dev/zero", path).unwrap()) {
        says(&said, &[file, "not a regular file"]);
    }
}

/// Opening a pipe waits for a writer, which never comes.
#[cfg(target_os = "linux")]
#[test]
fn pipes_in_the_place_of_files_are_refused() {
    for (file, said) in
        instead(|path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()))
    {
        says(&said, &[file, "not a regular file but a pipe"]);
    }
}

#[test]
fn git_lfs_pointers_are_refused() {
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
fn an_index_that_names_a_tensor_its_shard_lacks_is_refused() {
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
fn an_index_that_leads_out_of_the_folder_is_refused() {
    for outside in ["a\\b.safetensors", "C:\\b", "one.safetensors\0", "one\u{1b}[31m"] {
        let said = refusal(|folder| one_shard(folder, "model.norm.weight", outside));
        says(&said, &["index.json", "`model.norm.weight`", "not a file of this folder"]);
        assert!(!said.contains(char::is_control), "{said:?}");
    }
}

/// The Hub's cache keeps files as links that lead out of the folder.
#[cfg(unix)]
#[test]
fn files_may_be_links() {
    let folder = copy("llama");
    let path = folder.path().join("model.safetensors");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(fixture("llama").join("model.safetensors"), &path).unwrap();
    assert!(load(folder.path()).is_ok());
}
