//! Names of models on the Hub: `gpt2`, `owner/name`, `owner/name@revision`.

use hf_hub::{Repo, RepoType};

/// The revision of a name without one.
const MAIN: &str = "main";

/// A repository, and a branch, tag or commit of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id {
    /// `owner/name`.
    pub(super) repo: String,
    /// `main` if none is given.
    pub(super) revision: String,
}

impl Id {
    /// Reads a name; `None` if the Hub could not have it.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (repo, revision) = name.split_once('@').unwrap_or((name, MAIN));
        let parts: Vec<&str> = repo.split('/').collect();
        let fine = parts.len() <= 2 && parts.into_iter().all(is_plain) && revision.split('/').all(is_plain);
        fine.then(|| Self { repo: repo.to_owned(), revision: revision.to_owned() })
    }

    /// The repository at a revision, for the client.
    pub(super) fn repo_at(&self, revision: &str) -> Repo {
        Repo::with_revision(self.repo.clone(), RepoType::Model, revision.to_owned())
    }

    /// Its folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("models--{}", self.repo.replace('/', "--"))
    }

    /// Whether the revision is a commit, which never changes.
    pub(super) fn is_commit(&self) -> bool {
        is_commit(&self.revision)
    }
}

/// Whether a text is the full name of a commit.
pub(in crate::checkpoint) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether it has only characters that the Hub allows.
pub(super) fn is_plain(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.') && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_hand() {
        let id = |name: &str| Id::parse(name).map(|id| (id.repo, id.revision));
        let some = |repo: &str, revision: &str| Some((repo.to_owned(), revision.to_owned()));
        assert_eq!(id("gpt2"), some("gpt2", "main"));
        assert_eq!(id("HuggingFaceTB/SmolLM2-135M@v1.0"), some("HuggingFaceTB/SmolLM2-135M", "v1.0"));
        assert_eq!(id("a/b@refs/pr/3"), some("a/b", "refs/pr/3"));
        for name in ["../gpt2", "a/b/c", "", "owner/", "gpt 2", "http://x", "a@", "a@../b", "a@b@c"] {
            assert_eq!(id(name), None, "{name}");
        }
        assert!(is_commit(&"0a".repeat(20)) && !is_commit("main"));
    }
}
