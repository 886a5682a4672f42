//! What a record says beyond the one before it of the same function.

use crate::experiment::{Outcome, Record};

/// One line: whether code, signature, arguments and result differ.
pub(super) fn told(before: Option<&Record>, now: &Record) -> String {
    let mut news = vec![format!("`{}` {} in {:.2} s", now.name, now.version, now.duration_secs)];
    if let Some(before) = before {
        news.extend(differences(before, now));
    }
    match &now.outcome {
        Outcome::Ok(_) => {}
        Outcome::Error(message) => news.push(format!("it returned an error: {message}")),
        Outcome::Panic(message) => news.push(format!("it panicked: {message}")),
    }
    news.join("; ")
}

fn differences(before: &Record, now: &Record) -> Vec<String> {
    let mut news = Vec::new();
    if before.source_hash != now.source_hash {
        news.push("its code changed".to_owned());
    }
    let (was, is) = (signature(before), signature(now));
    if was != is {
        news.push(format!("its signature was `{was}`, is `{is}`"));
    }
    if before.arguments != now.arguments {
        news.push("its arguments changed".into());
    }
    if before.model.fingerprint != now.model.fingerprint {
        news.push("the model changed".into());
    }
    let same = before.outcome == now.outcome;
    news.push(if same { "the same result" } else { "another result" }.into());
    news
}

/// The source from `fn` to the body, in single spaces.
fn signature(record: &Record) -> String {
    let start = record.source.find(&format!("fn {}", record.name)).unwrap_or(0);
    let mut depth = 0_usize;
    let is_body = |c: char| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == '{' && depth == 0
    };
    let text = record.source[start..].split(is_body).next().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(source: &str, result: i32) -> Record {
        Record {
            name: "heads".into(),
            source: source.into(),
            source_hash: source.into(),
            duration_secs: 0.25,
            outcome: Outcome::Ok(result.into()),
            ..Record::default()
        }
    }

    #[test]
    fn a_changed_signature_is_told() {
        let first = record("/// Which {heads}?\nfn heads(\n    bench: &Bench,\n) -> Result<Vec<f64>> { 1 }", 1);
        assert_eq!(told(None, &first), "`heads`  in 0.25 s");
        assert_eq!(told(Some(&first), &first), "`heads`  in 0.25 s; the same result");
        let body = record(&first.source.replace("{ 1 }", "{ 2 }"), 2);
        assert_eq!(told(Some(&first), &body), "`heads`  in 0.25 s; its code changed; another result");
        let longer = record(&first.source.replace("Bench,", "Bench, layers: [usize; { 2 }],"), 1);
        assert_eq!(
            told(Some(&first), &longer),
            "`heads`  in 0.25 s; its code changed; its signature was `fn heads( bench: &Bench, ) -> Result<Vec<f64>>`, is \
             `fn heads( bench: &Bench, layers: [usize; { 2 }], ) -> Result<Vec<f64>>`; the same result"
        );
    }

    #[test]
    fn a_failure_is_told() {
        let failed = Record { outcome: Outcome::Error("no head".into()), ..record("fn heads() {}", 0) };
        assert_eq!(told(None, &failed), "`heads`  in 0.25 s; it returned an error: no head");
    }
}
