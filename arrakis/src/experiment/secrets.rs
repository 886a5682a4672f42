//! What looks like a secret, and must not be swept up.

use std::path::Path;

/// What stands for an argument that looks like a secret.
pub(crate) const HIDDEN: &str = "***";

/// How tokens of services begin that scan for them in public code.
const TOKENS: [&str; 13] =
    ["hf_", "sk-", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "AKIA", "ASIA", "xoxb-", "xoxp-", "AIza", "pypi-"];

/// Words of names that secrets have.
const NAMES: [&str; 9] =
    ["password", "passwd", "secret", "token", "api_key", "apikey", "api-key", "access_key", "credential"];

/// The fewest characters of a token.
const SHORTEST: usize = 16;

/// Whether a text holds what looks like a token, a private key, or a password in quotes.
pub(crate) fn has_secret(text: &str) -> bool {
    text.lines().any(|line| is_token_in(line) || is_private_key(line) || is_assigned(line))
}

/// Whether a file is named like one that holds secrets.
pub(crate) fn is_secret_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let ends = [".pem", ".key", ".p12", ".pfx", ".netrc"].iter().any(|end| name.ends_with(end));
    let is_code = Path::new(&name).extension().is_some_and(|end| end == "rs");
    ends || name.starts_with(".env")
        || name.starts_with("id_rsa")
        || name.starts_with("id_ed25519")
        || !is_code && ["credential", "secret", "password"].iter().any(|word| name.contains(word))
}

/// The arguments of a program, without values that look like secrets.
pub(crate) fn without_secrets(arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut hide_next = false;
    let hidden = |argument: String| {
        let hides = std::mem::take(&mut hide_next);
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument.as_str(), None),
        };
        let is_named = name.starts_with('-') && NAMES.iter().any(|word| name.to_lowercase().contains(word));
        match value {
            Some(_) if is_named => format!("{name}={HIDDEN}"),
            _ if has_secret(&argument) || hides && !argument.starts_with('-') => HIDDEN.to_owned(),
            _ => {
                hide_next = is_named;
                argument
            }
        }
    };
    arguments.into_iter().map(hidden).collect()
}

fn is_private_key(line: &str) -> bool {
    line.contains("-----BEGIN") && line.contains("PRIVATE KEY")
}

/// The start of a token in a word, with enough after it.
fn is_token_in(line: &str) -> bool {
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    let rest = |word: &str| TOKENS.iter().find_map(|start| word.strip_prefix(start).map(str::len));
    words.filter_map(rest).any(|length| length >= SHORTEST)
}

/// `password = "..."` with a value of letters and digits and no spaces.
fn is_assigned(line: &str) -> bool {
    let lower = line.to_lowercase();
    let after = NAMES.iter().filter_map(|name| Some(&line[lower.find(name)? + name.len()..]));
    after.filter_map(|rest| rest.split(['\'', '"']).nth(1)).any(|value| {
        let digits = value.chars().filter(char::is_ascii_digit).count();
        let letters = value.chars().filter(char::is_ascii_alphabetic).count();
        value.len() >= 20 && digits >= 2 && letters >= 2 && !value.contains([' ', '/', '{', ':'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keys_and_passwords_are_seen_and_code_is_not() {
        let token = format!("hf_{}", "aB3".repeat(8));
        for secret in [
            format!("let t = \"{token}\";"),
            token.clone(),
            "-----BEGIN OPENSSH PRIVATE KEY-----".into(),
            "+password = \"a1b2c3d4e5f6g7h8i9j0k\"".into(),
        ] {
            assert!(has_secret(&secret), "{secret}");
        }
        for code in [
            "let token = \"The quick brown fox jumps over 13 dogs\";",
            "let tokens = model.tokenizer()?.encode(\"1 2 3\")?;",
            "hf_hub = \"0.4\"",
            "const SHA: &str = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\";",
            "sk-learn",
        ] {
            assert!(!has_secret(code), "{code}");
        }
    }

    #[test]
    fn files_of_secrets_are_known_by_their_names() {
        for path in [".env", "a/.env.local", "server.pem", "deploy/id_rsa", "aws-credentials.toml", "secrets.json"] {
            assert!(is_secret_file(path), "{path}");
        }
        for path in ["src/secrets.rs", "src/tokens.rs", "Cargo.toml", "environment.rs", "keyboard.txt"] {
            assert!(!is_secret_file(path), "{path}");
        }
    }

    #[test]
    fn secret_arguments_are_hidden_and_others_stay() {
        let of = |arguments: &[&str]| without_secrets(arguments.iter().map(ToString::to_string)).join(" ");
        assert_eq!(of(&["--layer", "3", "--tokens", "--seed=1"]), "--layer 3 --tokens --seed=1");
        assert_eq!(of(&["--api-key", "abc", "x"]), "--api-key *** x");
        assert_eq!(of(&["--hub-token=abc", "run"]), "--hub-token=*** run");
        assert_eq!(of(&[&format!("hf_{}", "aB3".repeat(8))]), "***");
    }
}
