//! From which files and by which rules a network was loaded: enough to know it again without reading it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::families::WeightMap;
use crate::ground::files::Identity;
use crate::transformer::TransformerConfig;

/// Changes when the same files would give other parameters.
const READER: &str = concat!("arrakis-models ", env!("CARGO_PKG_VERSION"), ", reader 1");

/// The weight files of a folder, and the rules by which parameters are made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    files: Vec<Identity>,
    rules: String,
}

impl Origin {
    /// What a network of this architecture is loaded from. `None` if the system does not tell files apart.
    pub(crate) fn of(folder: &Path, map: &WeightMap, config: &TransformerConfig, keep_half: bool) -> Option<Self> {
        let mut files = Vec::new();
        for path in paths(folder).ok()? {
            if path.extension().is_some_and(|extension| extension != "json" && extension != "txt") {
                files.push((path.clone(), Identity::of(&path).ok()?));
            }
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let config = serde_json::to_string(config).ok()?;
        let rules = format!("{READER}\n{config}\n{map:?}\n{keep_half}\n");
        Some(Self { files: files.into_iter().map(|(_, file)| file).collect(), rules })
    }

    /// Bytes of the files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Whether a later change of a file would be seen.
    pub(crate) fn is_settled(&self) -> bool {
        self.files.iter().all(Identity::is_settled)
    }

    /// A name for the network that these files and rules give, with `more` that belongs to it: 64 hexadecimal digits.
    pub(crate) fn name(&self, more: &str) -> String {
        format!("{:x}", Sha256::digest(format!("{}{:?}\n{more}", self.rules, self.files)))
    }
}

/// What is in a folder; or the file that takes its place.
fn paths(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    if folder.is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_files_architecture_weight_names_and_precision() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.safetensors"), "1").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "1").unwrap();
        let config = TransformerConfig::plain("test", 1, 4, 1, 3, 4);
        let of = |map: &str, config: &TransformerConfig, half: bool| {
            Origin::of(folder.path(), &WeightMap::new(Box::leak(map.to_owned().into_boxed_str())), config, half)
                .unwrap()
        };
        let first = of("a.", &config, false);
        assert_eq!((first.bytes(), first.name("")), (1, of("a.", &config, false).name("")));
        let other = TransformerConfig { n_ctx: config.n_ctx + 1, ..config.clone() };
        let names = [
            first.name("a tokenizer"),
            of("b.", &config, false).name(""),
            of("a.", &other, false).name(""),
            of("a.", &config, true).name(""),
        ];
        assert!(!names.contains(&first.name("")));
        std::fs::write(folder.path().join("notes.txt"), "22").unwrap();
        assert_eq!(of("a.", &config, false), first, "what is not read does not matter");
        std::fs::write(folder.path().join("model.safetensors"), "22").unwrap();
        assert_ne!(of("a.", &config, false).name(""), first.name(""));
        assert!(!first.is_settled(), "its file has just been written");
        assert_eq!(Origin::of(Path::new("/no/such"), &WeightMap::new(""), &config, false), None);
    }
}
