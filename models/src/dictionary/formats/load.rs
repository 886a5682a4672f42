//! Dictionaries by name: a folder, a file, or a place in a repository on the Hub.

use std::path::{Path, PathBuf};

use super::place::Place;
use super::sites;
use super::{FORMATS, Format, SINGLE};
use crate::checkpoint::fetch_parts;
use crate::device;
use crate::dictionary::architectures::{Architecture, TopK};
use crate::dictionary::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::ground::files;
use crate::site::Site;

/// How a dictionary is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DictionaryOptions {
    /// The device by name: `cpu`, `gpu`. `None` chooses as for models.
    pub device: Option<String>,
    /// Whether files that are pickles (`ae.pt`) may be parsed. No code in them is run.
    pub pickles: bool,
    /// How many latents stay, for files that do not say that they are top-k: those of circuit-tracer have no field for it.
    /// `None` reads such latents as `ReLU`.
    pub top_k: Option<usize>,
}

/// Ends of the names of files that hold a dictionary.
const FILES: [&str; 4] = [".safetensors", ".pt", ".pth", ".npz"];

/// Files that tell a cross-layer dictionary.
const CROSS_LAYER: [&str; 2] = ["W_enc_0.safetensors", "params_layer_0.safetensors"];

/// Entries that an error lists.
const LISTED: usize = 12;

impl Dictionary {
    /// A trained dictionary: a folder, a file, or `owner/name/folder@revision` on the Hub. What lies there decides the
    /// format: `SAELens`, sparsify, Gemma Scope 1 and 2, `dictionary_learning`, Llama Scope, circuit-tracer's transcoders,
    /// `OpenAI`, Qwen Scope, Goodfire.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says what lies there instead, or what does not fit.
    pub fn from_pretrained(name: &str) -> Result<Self> {
        Self::load(name, &DictionaryOptions::default())
    }

    /// A trained dictionary, loaded with these options.
    ///
    /// # Errors
    ///
    /// As [`Dictionary::from_pretrained`], and [`Error::Device`].
    pub fn load(name: &str, options: &DictionaryOptions) -> Result<Self> {
        let local = Path::new(name);
        let path = if local.exists() { local.to_owned() } else { fetched(name)? };
        Self::load_path(&path, name, options)
    }

    /// A trained dictionary from a path, which need not be text. `name` is what it is called: some formats say only in a
    /// path what a dictionary is of.
    ///
    /// # Errors
    ///
    /// As [`Dictionary::load`].
    pub fn load_path(path: &Path, name: &str, options: &DictionaryOptions) -> Result<Self> {
        let device = device::choose(options.device.as_deref())?.device;
        let DictionaryOptions { pickles, top_k, .. } = *options;
        let mut place = Place { path: path.to_owned(), name: name.to_owned(), device, pickles, top_k };
        let (mut config, parameters) = if path.is_file() {
            match whole(path) {
                Some(folder) => {
                    place.path = folder;
                    (format_of(&place)?.read)(&place)?
                }
                None => single(&place)?,
            }
        } else {
            (format_of(&place)?.read)(&place)?
        };
        if let Some(k) = top_k {
            config.architecture = with_top_k(&config.architecture, k)?;
        }
        Self::of(config, parameters).map_err(|error| match error {
            Error::Dictionary { problems } => {
                Error::file(path, format!("the weights do not fit the config:\n{}", problems.join("\n")))
            }
            other => other,
        })
    }

    /// The site whose tensor it encodes, from what its files say.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if they do not say, [`Error::UnknownSite`] if it is none of ours.
    pub fn site(&self) -> Result<Site> {
        sites::needed(self.config.metadata.site(), "site")
    }

    /// The site whose tensor a transcoder predicts, from what its files say.
    ///
    /// # Errors
    ///
    /// As [`Dictionary::site`].
    pub fn site_out(&self) -> Result<Site> {
        sites::needed(self.config.metadata.site_out(), "site of the output")
    }
}

/// Top-k, for latents that the files say nothing of.
fn with_top_k(found: &Architecture, k: usize) -> Result<Architecture> {
    match found {
        Architecture::Standard(_) => Ok(TopK { k, ..TopK::default() }.into()),
        other => {
            let fix = format!("the files say what their latents are ({}); leave it out", other.name());
            Err(Error::Setting { setting: "top_k", value: k.to_string(), fix })
        }
    }
}

/// The folder of a file that is one of a format's.
fn whole(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    FORMATS.iter().any(|format| format.files[0] == name).then(|| path.parent().map(Path::to_owned))?
}

fn single(place: &Place) -> Result<super::Found> {
    let tensors = place.tensors_of(place.path.clone())?;
    let ends = |end: &&str| place.path.extension().is_some_and(|extension| extension == *end);
    let named = |format: &&Format| tensors.has(format.files[0]) && format.files[1..].iter().any(ends);
    let format = SINGLE.iter().find(named);
    let known: Vec<String> = SINGLE.iter().map(|format| format!("{} (`{}`)", format.name, format.files[0])).collect();
    let unknown = || {
        let problem = format!("no format is known by these tensors; known are {}", known.join(", "));
        Error::file(&place.path, problem)
    };
    (format.ok_or_else(unknown)?.read)(place)
}

fn format_of(place: &Place) -> Result<&'static Format> {
    for format in FORMATS {
        if files::is_there(&place.file(format.files[0]))? {
            return Ok(format);
        }
    }
    Err(Error::file(&place.path, nothing(&place.path)))
}

/// What lies in a folder without a dictionary.
fn nothing(folder: &Path) -> String {
    let known: Vec<String> = FORMATS.iter().map(|format| format!("{} ({})", format.files[0], format.name)).collect();
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let fix = fix(&names, &known.join(", "));
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let there = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("no dictionary lies there, but {there}{more}; {fix}")
}

/// What to do where a folder has these files.
fn fix(names: &[String], known: &str) -> String {
    if names.iter().any(|name| CROSS_LAYER.contains(&&**name)) {
        return "it is a cross-layer dictionary: open it with `CrossLayer`".into();
    }
    let holds = |name: &&String| FILES.iter().any(|end| name.ends_with(end)) && !name.starts_with("model");
    match names.iter().find(holds) {
        Some(file) => format!("name the file, such as `{file}`, or give the folder with one of {known}"),
        None => format!("give the folder with one of {known}"),
    }
}

/// The id of a repository, and the path in it: `owner/name/a/b@revision` is `owner/name@revision` and `a/b`.
pub(in crate::dictionary) fn split(name: &str) -> (String, Vec<&str>) {
    let (path, revision) = name.split_once('@').map_or((name, None), |(path, revision)| (path, Some(revision)));
    let parts: Vec<&str> = path.split('/').collect();
    let (repository, inner) = parts.split_at(parts.len().min(2));
    let revision = revision.map(|revision| format!("@{revision}")).unwrap_or_default();
    (repository.join("/") + &revision, inner.to_vec())
}

/// Fetches what a name of the Hub stands for, and says where it lies: a folder or a file.
fn fetched(name: &str) -> Result<PathBuf> {
    let (id, inner) = split(name);
    match inner.split_last() {
        Some((file, folder)) if FILES.iter().any(|end| file.ends_with(end)) => {
            let found = fetch_parts(&id, &folder.join("/"), &[&[file, "config.yaml", "config.json", "cfg.json"]])?;
            Ok(found.join(file))
        }
        _ => {
            let sets: Vec<&[&str]> = FORMATS.iter().map(|format| format.files).collect();
            fetch_parts(&id, &inner.join("/"), &sets)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_hub_by_hand() {
        let of = |name: &'static str| {
            let (id, inner) = split(name);
            (id, inner.join("/"))
        };
        let pair = |id: &str, inner: &str| (id.to_owned(), inner.to_owned());
        assert_eq!(of("owner/name"), pair("owner/name", ""));
        assert_eq!(of("owner/name@v1"), pair("owner/name@v1", ""));
        assert_eq!(
            of("google/gemma-scope-2b-pt-res/layer_20/width_16k@refs/pr/3"),
            pair("google/gemma-scope-2b-pt-res@refs/pr/3", "layer_20/width_16k")
        );
        assert_eq!(of("gpt2"), pair("gpt2", ""));
    }
}
