//! Where the Hub and its cache are, and who asks, from the same variables as in Python
//! (<https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>).

use std::path::{Path, PathBuf};

/// The Hub that is asked, its cache, and the token.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// `HF_ENDPOINT`.
    pub(super) endpoint: String,
    /// `HF_HUB_CACHE`, else `HF_HOME/hub`.
    pub(super) cache: PathBuf,
    /// `HF_TOKEN`, else the token file.
    pub(super) token: Option<String>,
    /// `HF_HUB_OFFLINE`: nothing is asked.
    pub(super) offline: bool,
}

impl Settings {
    /// The settings of this process.
    pub(super) fn of_process() -> Self {
        Self::from(&|name| std::env::var(name).ok())
    }

    /// The settings that these variables give. Empty variables count as absent.
    pub(super) fn from(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let home = home(&get);
        let cache = get("HF_HUB_CACHE").or_else(|| get("HUGGINGFACE_HUB_CACHE"));
        let endpoint = get("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache: cache.map_or_else(|| home.join("hub"), |cache| expanded(&cache, &get)),
            token: if on(get("HF_HUB_DISABLE_IMPLICIT_TOKEN")) { None } else { token(&get, &home) },
            offline: on(get("HF_HUB_OFFLINE")) || on(get("TRANSFORMERS_OFFLINE")),
        }
    }
}

/// `HF_HOME`, else `huggingface` in the folder for caches.
fn home(get: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let caches = || get("XDG_CACHE_HOME").map_or_else(|| user(get).join(".cache"), |caches| expanded(&caches, get));
    get("HF_HOME").map_or_else(|| caches().join("huggingface"), |home| expanded(&home, get))
}

fn user(get: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    get("HOME").or_else(|| get("USERPROFILE")).map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// A path in which `~` is the folder of the user.
fn expanded(path: &str, get: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    match path.strip_prefix("~/") {
        Some(within) => user(get).join(within),
        None => PathBuf::from(path),
    }
}

fn token(get: &dyn Fn(&str) -> Option<String>, home: &Path) -> Option<String> {
    let given = get("HF_TOKEN").or_else(|| get("HUGGING_FACE_HUB_TOKEN"));
    let file = get("HF_TOKEN_PATH").map_or_else(|| home.join("token"), |path| expanded(&path, get));
    let token = given.or_else(|| std::fs::read_to_string(file).ok())?;
    let token: String = token.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

/// Whether a variable is on, in Python's words.
fn on(value: Option<String>) -> bool {
    value.is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::from(&|name| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        for (variables, cache) in [
            (&[("HOME", "/u")][..], "/u/.cache/huggingface/hub"),
            (&[("HOME", "/u"), ("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("HOME", "/u"), ("HF_HOME", "~/h"), ("XDG_CACHE_HOME", "/x")], "/u/h/hub"),
            (&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")], "/c"),
            (&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "")], "/h/hub"),
        ] {
            assert_eq!(settings(variables).cache, Path::new(cache), "{variables:?}");
        }
    }

    #[test]
    fn the_token_is_the_variable_or_the_file() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "hf_file\n").unwrap();
        let path = home.path().to_str().unwrap();
        assert_eq!(settings(&[("HF_HOME", path)]).token.as_deref(), Some("hf_file"));
        assert_eq!(settings(&[("HF_HOME", path), ("HF_TOKEN", " hf_own ")]).token.as_deref(), Some("hf_own"));
        assert_eq!(settings(&[("HF_HOME", path), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token, None);
        assert_eq!(settings(&[("HF_HOME", "/nowhere")]).token, None);
    }

    #[test]
    fn endpoint_and_offline() {
        let plain = settings(&[]);
        assert_eq!((plain.endpoint.as_str(), plain.offline), ("https://huggingface.co", false));
        assert_eq!(settings(&[("HF_ENDPOINT", "http://mirror/")]).endpoint, "http://mirror");
        for (value, offline) in [("1", true), ("true", true), ("Yes", true), ("0", false), ("no", false)] {
            assert_eq!(settings(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value}");
        }
        assert!(settings(&[("TRANSFORMERS_OFFLINE", "on")]).offline);
    }
}
