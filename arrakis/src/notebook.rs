//! Records and figures that show themselves in a notebook of `evcxr`.
//!
//! A cell that ends with a value calls its `evcxr_display`, which prints each form of the value between two lines that the
//! kernel looks for. Nothing here depends on `evcxr`. Source: "Integration with Jupyter" of
//! [`evcxr_jupyter`](https://github.com/evcxr/evcxr/blob/main/evcxr_jupyter/README.md).

use std::fmt::Write as _;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::experiment::{Outcome, Record};
use crate::plot::{Figure, escape};

/// The most characters of a value in a record's table.
const LONGEST: usize = 2000;

/// A value that a notebook can show.
pub trait Notebook {
    /// Its forms: a MIME type and the content, which is base64 for pictures.
    fn contents(&self) -> Vec<(&'static str, String)>;

    /// Prints all of its forms, as `evcxr` expects them.
    fn evcxr_display(&self) {
        print!("{}", printed(&self.contents()));
    }
}

/// What a cell prints.
fn printed(contents: &[(&'static str, String)]) -> String {
    contents.iter().fold(String::new(), |mut text, (mime, content)| {
        let _ = write!(text, "EVCXR_BEGIN_CONTENT {mime}\n{}\nEVCXR_END_CONTENT\n", content.trim_end_matches('\n'));
        text
    })
}

impl Notebook for Figure {
    /// The drawing as HTML and as PNG, and its data as a few lines of text. A figure that cannot be drawn says why.
    fn contents(&self) -> Vec<(&'static str, String)> {
        match self.to_svg().and_then(|svg| Ok((svg, png(self)?))) {
            Ok((svg, png)) => {
                vec![("text/html", svg), ("image/png", base64(&png)), ("text/plain", self.to_terminal())]
            }
            Err(error) => {
                let text = format!("{}: {error}", self.title);
                vec![("text/html", format!("<p>{}</p>", escape(&text))), ("text/plain", text)]
            }
        }
    }
}

/// The bytes of the PNG file.
fn png(figure: &Figure) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir().map_err(|source| Error::Write { path: std::env::temp_dir(), source })?;
    let files = figure.save(folder.path(), "figure")?;
    let path = files.into_iter().next().unwrap_or_default();
    std::fs::read(&path).map_err(|source| Error::Read { path, source })
}

impl Notebook for Record {
    /// A table of what it is, its arguments and its outcome.
    fn contents(&self) -> Vec<(&'static str, String)> {
        let rows = rows(self);
        let cells =
            |(name, value): &(String, String)| format!("<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(value));
        let html: Vec<String> = rows.iter().map(cells).collect();
        let text: Vec<String> = rows.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        vec![("text/html", format!("<table>\n{}\n</table>", html.join("\n"))), ("text/plain", text.concat())]
    }
}

fn rows(record: &Record) -> Vec<(String, String)> {
    let row = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut rows = vec![
        row("run", &record.id),
        row("version", record.version.as_ref()),
        row("function", &record.function),
        row("model", &record.model.name),
        row("started", &record.started),
        row("seconds", &crate::fmt::short(record.duration_secs)),
    ];
    rows.extend(record.shard.iter().map(|shard| row("shard", shard)));
    rows.extend(record.arguments.iter().map(|(name, value)| (format!("argument {name}"), short(value))));
    rows.push(match &record.outcome {
        Outcome::Ok(value) => ("result".into(), short(value)),
        Outcome::Error(message) => row("error", message),
        Outcome::Panic(message) => row("panic", message),
    });
    rows.extend(record.verdict.iter().map(|verdict| row("verdict", &verdict.to_string())));
    rows.extend(record.problems.iter().map(|problem| row("problem", problem)));
    rows
}

/// The JSON of a value, cut off where it is too long for a table.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} … ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let whole = group.iter().fold(0_u32, |whole, byte| whole << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(whole >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::testing::sealed_run;
    use crate::plot::Heatmap;

    #[test]
    fn base64_has_the_published_values() {
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (text, expected) in pairs {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    #[test]
    fn a_figure_is_a_drawing_and_a_picture() {
        let contents = Figure::new("scores").heatmap(Heatmap::new([[1.0, 2.0]])).contents();
        let [("text/html", svg), ("image/png", png), ("text/plain", text)] = contents.as_slice() else {
            panic!("{contents:?}")
        };
        assert!(svg.starts_with("<svg") && text.starts_with("scores\n"));
        // The first bytes of every PNG, in base64.
        assert!(png.starts_with("iVBORw0KGgo") && png.len() % 4 == 0);
        let empty = Figure::new("a < b").contents();
        assert!(empty[0].1.starts_with("<p>a &lt; b: ") && empty.len() == 2, "{empty:?}");
    }

    #[test]
    fn a_record_is_a_table_and_markup_in_it_is_text() {
        let mut record = sealed_run("score", "fn score() {}", 3, 0.5);
        record.problems.push("<script>".into());
        record.shard = Some("1/4".into());
        let text = printed(&record.contents());
        let begin = "EVCXR_BEGIN_CONTENT text/html\n<table>\n<tr><th>run</th><td>";
        assert!(text.starts_with(&format!("{begin}{}</td></tr>\n", record.id)), "{text}");
        assert!(
            text.contains("<tr><th>problem</th><td>&lt;script&gt;</td></tr>\n</table>\nEVCXR_END_CONTENT\n"),
            "{text}"
        );
        assert!(text.contains("EVCXR_BEGIN_CONTENT text/plain\nrun: ") && text.contains("\nshard: 1/4\n"), "{text}");
        assert!(text.ends_with("\nEVCXR_END_CONTENT\n"));
    }

    #[test]
    fn long_values_are_cut() {
        let cut = short(&Value::String("é".repeat(3000)));
        assert!(cut.ends_with("… (6002 bytes)") && cut.chars().count() < 2100);
    }
}
