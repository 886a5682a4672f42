//! Finds the known name that was probably meant.

/// The known name most like the one asked for.
pub fn nearest<S: AsRef<str>>(asked: &str, known: &[S]) -> Option<String> {
    let scored = known.iter().map(|name| (strsim::normalized_damerau_levenshtein(asked, name.as_ref()), name.as_ref()));
    let best = scored.fold(None::<(f64, &str)>, |best, next| match best {
        Some(best) if best.0 >= next.0 => Some(best),
        _ => Some(next),
    });
    best.map(|(_, name)| name.to_owned())
}

/// The known name most like the one asked for, if its likeness is at least `least`, from 0 to 1.
pub fn nearest_alike<S: AsRef<str>>(asked: &str, known: &[S], least: f64) -> Option<String> {
    nearest(asked, known).filter(|near| strsim::normalized_damerau_levenshtein(asked, near) >= least)
}

/// What an error adds after an unknown name: the nearest name as a question, or `otherwise` if there is none.
pub fn did_you_mean(nearest: Option<&str>, otherwise: &str) -> String {
    nearest.map_or_else(|| otherwise.to_owned(), |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_by_hand() {
        assert_eq!(nearest("resid_prr", &["embed", "resid_pre", "resid_post"]).as_deref(), Some("resid_pre"));
        assert_eq!(nearest("x", &["b", "a"]).as_deref(), Some("b"), "of names equally unlike it, the first");
        assert_eq!(nearest::<&str>("x", &[]), None);
        assert_eq!(nearest_alike("lama", &["llama", "t5"], 0.5).as_deref(), Some("llama"));
        assert_eq!(nearest_alike("mamba", &["t5"], 0.5), None);
    }

    #[test]
    fn a_nearest_name_becomes_a_question() {
        assert_eq!(did_you_mean(Some("sweep"), ""), "; did you mean `sweep`?");
        assert_eq!(did_you_mean(None, "; list them"), "; list them");
    }
}
