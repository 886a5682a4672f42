//! What the Hub's answers mean, and what to do.

use hf_hub::api::sync::ApiError;

use super::id::Id;
use super::settings::Settings;

/// The problem of an answer about a file, and what to do about it.
pub(super) fn told(error: &ApiError, file: &str, id: &Id, settings: &Settings) -> String {
    let ApiError::RequestError(request) = error else {
        return match error {
            ApiError::IoError(error) => format!(
                "{file}: the download broke off ({error}); run it again: what has come is kept, and it goes on from there"
            ),
            ApiError::LockAcquisition(path) => {
                format!("{file}: another process downloads it to `{}`; wait until it is done", path.display())
            }
            other => format!("{file}: {other}"),
        };
    };
    match request.as_ref() {
        ureq::Error::Status(status, answer) => {
            let code = answer.header("x-error-code").unwrap_or_default();
            answered(*status, code, answer.header("retry-after"), id, settings)
                .unwrap_or_else(|| format!("{file}: the Hub answered with status {status}"))
        }
        ureq::Error::Transport(transport) => format!(
            "{file}: no connection to {}: {transport}; check the network and `HF_ENDPOINT`. Models in the cache load without it with \
             `HF_HUB_OFFLINE=1`",
            settings.endpoint
        ),
    }
}

/// Whether the Hub answered that the file does not exist. False if it did not answer, or lacks more than the file.
pub(super) fn is_absent(error: &ApiError) -> bool {
    let ApiError::RequestError(request) = error else { return false };
    let ureq::Error::Status(404, answer) = request.as_ref() else { return false };
    !matches!(answer.header("x-error-code"), Some("RepoNotFound" | "RevisionNotFound"))
}

/// Whether the rest of a file was asked for though all of it is there.
pub(super) fn is_beyond_the_end(error: &ApiError) -> bool {
    match error {
        ApiError::RequestError(request) => matches!(request.as_ref(), ureq::Error::Status(416, _)),
        ApiError::InvalidResume => true,
        _ => false,
    }
}

fn answered(status: u16, code: &str, wait: Option<&str>, id: &Id, settings: &Settings) -> Option<String> {
    let (repo, endpoint) = (&id.repo, &settings.endpoint);
    let token = if settings.token.is_some() { "the token that was sent" } else { "no token was sent, and it" };
    Some(match (status, code) {
        (401 | 403, "GatedRepo") => format!(
            "its authors ask for consent ({status}); accept their terms at {endpoint}/{repo}, and set `HF_TOKEN` to a token of that \
             account"
        ),
        (401 | 404, "RepoNotFound") => format!(
            "the Hub has no such model, or it is private ({status}); check the name, and for a private model set `HF_TOKEN`"
        ),
        (404, "RevisionNotFound") => {
            format!(
                "it has no revision `{}` (404); give a branch, a tag or a commit of {endpoint}/{repo}/commits/main",
                id.revision
            )
        }
        (401, _) => format!(
            "the Hub did not let us in (401): {token} is not valid for this model; check the name, and set `HF_TOKEN` to a token from \
             {endpoint}/settings/tokens"
        ),
        (403, _) => format!(
            "access is forbidden (403): {token} may not read this model; ask for access at {endpoint}/{repo}, or use a token with the \
             right to read it"
        ),
        (429, _) => {
            let wait =
                wait.map_or_else(|| "a few minutes".to_owned(), |wait| format!("{} seconds", wait.escape_debug()));
            format!("too many requests (429); wait {wait}, or set `HF_TOKEN`, which raises the limit")
        }
        (500.., _) => format!("the Hub failed ({status}); try again later, or set `HF_ENDPOINT` to a mirror"),
        _ => return None,
    })
}
