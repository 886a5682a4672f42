//! Methods of Python's strings and lists that minijinja's own set leaves out.

use minijinja::value::{Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat;

/// A method that the engine itself does not have: from minijinja's set, else one of ours.
pub(super) fn unknown(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match pycompat::unknown_method_callback(state, value, method, args) {
        Err(error) if error.kind() == ErrorKind::UnknownMethod => more(value, method, args),
        result => result,
    }
}

fn more(value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match (value.as_str(), value.kind()) {
        (Some(text), _) => of_text(text, method, args),
        (None, ValueKind::Seq) if method == "index" => index(value, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_text(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    match method {
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Ok(text.strip_prefix(prefix).unwrap_or(text).into())
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Ok(text.strip_suffix(suffix).unwrap_or(text).into())
        }
        "partition" | "rpartition" => partition(text, args, method == "partition"),
        "rsplit" => rsplit(text, args),
        "index" | "rindex" => {
            let (part,): (&str,) = from_args(args)?;
            let at = if method == "index" { text.find(part) } else { text.rfind(part) };
            at.map(|at| text[..at].chars().count().into()).ok_or_else(|| refused("substring not found"))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// Three parts: before the separator, the separator, after it. A text without the separator is the first part, or the last
/// from the right.
fn partition(text: &str, args: &[Value], from_left: bool) -> Result<Value, Error> {
    let (separator,) = from_args::<(&str,)>(args)?;
    if separator.is_empty() {
        return Err(refused("empty separator"));
    }
    let cut = if from_left { text.split_once(separator) } else { text.rsplit_once(separator) };
    let parts = match cut {
        Some((before, after)) => [before, separator, after],
        None if from_left => [text, "", ""],
        None => ["", "", text],
    };
    Ok(Value::from_iter(parts))
}

/// At most `maxsplit` cuts, from the right; at white space if there is no separator.
fn rsplit(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator, limit) = from_args::<(Option<&str>, Option<i64>)>(args)?;
    let cuts = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let mut parts = match separator {
        Some("") => return Err(refused("empty separator")),
        Some(separator) => text.rsplitn(cuts.saturating_add(1), separator).collect(),
        None => rsplit_white(text, cuts),
    };
    parts.reverse();
    Ok(Value::from_iter(parts))
}

/// Words from the right; after the last cut, the rest without white space at its end.
fn rsplit_white(text: &str, cuts: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        let word = if parts.len() < cuts { rest.rfind(char::is_whitespace) } else { None };
        let Some(at) = word else {
            parts.push(rest);
            break;
        };
        let width = rest[at..].chars().next().map_or(1, char::len_utf8);
        parts.push(&rest[at + width..]);
        rest = rest[..at].trim_end();
    }
    parts
}

fn index(list: &Value, args: &[Value]) -> Result<Value, Error> {
    let (wanted,): (Value,) = from_args(args)?;
    let at = list.try_iter()?.position(|item| item == wanted);
    at.map(Value::from).ok_or_else(|| refused("the value is not in the list"))
}

fn refused(problem: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;

    fn rendered(expression: &str) -> String {
        let mut environment = Environment::new();
        environment.set_unknown_method_callback(super::unknown);
        let template = format!("{{{{ {expression} }}}}");
        environment.render_str(&template, ()).unwrap_or_else(|error| error.detail().unwrap_or_default().to_owned())
    }

    /// The right sides are what Python 3.13 prints.
    #[test]
    fn methods_give_what_python_gives() {
        for (expression, expected) in [
            ("'<think>a'.removeprefix('<think>')", "a"),
            ("'abc'.removesuffix('c') ~ 'abc'.removesuffix('x')", "ababc"),
            ("'a.b.c'.partition('.') | join('|')", "a|.|b.c"),
            ("'a.b.c'.rpartition('.') | join('|')", "a.b|.|c"),
            ("'abc'.partition('.') | join('|')", "abc||"),
            ("'abc'.rpartition('.') | join('|')", "||abc"),
            ("'a.b.c'.rsplit('.', 1) | join('|')", "a.b|c"),
            ("'a.b.c'.rsplit('.') | join('|')", "a|b|c"),
            ("' a  b c '.rsplit(none, 1) | join('|')", " a  b|c"),
            ("' a  b c '.rsplit() | join('|')", "a|b|c"),
            ("'   '.rsplit() | length", "0"),
            ("'naïve'.index('v')", "3"),
            ("'abab'.rindex('a')", "2"),
            ("[1, 'x'].index('x')", "1"),
            ("'A b'.upper()", "A B"),
        ] {
            assert_eq!(rendered(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_python_refuses_is_refused() {
        assert_eq!(rendered("'abc'.index('x')"), "substring not found");
        assert_eq!(rendered("'abc'.partition('')"), "empty separator");
        assert_eq!(rendered("'abc'.rsplit('')"), "empty separator");
        assert_eq!(rendered("[1].index(2)"), "the value is not in the list");
        assert!(rendered("'abc'.swapcase()").contains("no method named swapcase"));
    }
}
