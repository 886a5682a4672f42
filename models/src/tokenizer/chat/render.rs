//! Renders a template as transformers does: Jinja with Python's methods and its own few functions.

use jiff::civil::DateTime;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value as Seen, ValueKind};
use minijinja::{Environment, Error as Refusal, ErrorKind, Output, State, escape_formatter};
use serde_json::Value;

use super::methods;
use super::python::{Layout, dump, repr};
use crate::error::{Error, Result};

/// A template that is ready to be rendered.
pub(super) struct Renderer {
    environment: Environment<'static>,
    source: String,
}

/// What a template puts around what the model is to generate, if it marks that.
pub(super) const GENERATED: [char; 2] = ['\u{10fff0}', '\u{10fff1}'];

/// Limit on the instructions of one rendering: templates come from strangers. A long conversation takes a hundredth.
const FUEL: u64 = 50_000_000;

impl Renderer {
    /// `date` is what the template takes for now; `marks` says whether generated parts are put between [`GENERATED`].
    ///
    /// # Errors
    ///
    /// [`Error::ChatTemplate`] for a date that is not one.
    pub(super) fn new(template: &str, date: Option<&str>, marks: bool) -> Result<Self> {
        let now = match date {
            Some(date) => date.parse::<DateTime>().map_err(|error| Error::ChatTemplate {
                problem: format!("the date `{date}` is not one: {error}; write it as 2024-07-26"),
            })?,
            None => jiff::ZonedDateTime::now().datetime(),
        };
        Ok(Self { environment: environment(now, marks), source: with_filters(template) })
    }

    /// The text of a conversation.
    ///
    /// # Errors
    ///
    /// [`Error::ChatTemplate`] if the template is broken, or refuses these messages.
    pub(super) fn render(&self, context: &Value) -> Result<String> {
        let rendered = self.environment.render_named_str("chat_template", &self.source, Seen::from(Serde(context)));
        rendered.map_err(|error| Error::ChatTemplate { problem: problem(&error) })
    }
}

/// What is wrong, in the template's own words if it has any.
fn problem(error: &Refusal) -> String {
    let line = error.line().map_or_else(String::new, |line| format!(" (line {line})"));
    match (error.kind(), error.detail()) {
        (ErrorKind::InvalidOperation, Some(detail)) => format!("{detail}{line}"),
        (kind, Some(detail)) => format!("{kind}: {detail}{line}"),
        (kind, None) => format!("{kind}{line}"),
    }
}

fn environment(now: DateTime, marks: bool) -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("BUG: Jinja's own delimiters"));
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(methods::unknown);
    environment.set_formatter(written);
    environment.add_filter("tojson", to_json);
    environment.add_filter("arrakis_generation", move |text: String| {
        if marks { format!("{}{text}{}", GENERATED[0], GENERATED[1]) } else { text }
    });
    environment.add_function("raise_exception", |message: String| -> std::result::Result<Seen, Refusal> {
        Err(Refusal::new(ErrorKind::InvalidOperation, format!("it refuses these messages: {message}")))
    });
    environment.add_function("strftime_now", move |format: String| {
        let written = jiff::fmt::strtime::format(&format, now);
        written.map_err(|error| Refusal::new(ErrorKind::InvalidOperation, error.to_string()))
    });
    environment
}

/// Lists and mappings are written as Python does.
fn written(out: &mut Output, state: &mut State, value: &Seen) -> std::result::Result<(), Refusal> {
    match value.kind() {
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => {
            out.write_str(&repr(&json(value)?)).map_err(Refusal::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

fn json(value: &Seen) -> std::result::Result<Value, Refusal> {
    serde_json::to_value(value).map_err(|error| Refusal::new(ErrorKind::BadSerialization, error.to_string()))
}

/// transformers' `tojson`: Python's `json.dumps` without escapes for HTML.
#[allow(clippy::needless_pass_by_value, reason = "the form of a filter")]
fn to_json(value: &Seen, options: Kwargs) -> std::result::Result<Seen, Refusal> {
    let separators: Option<Vec<String>> = options.get("separators")?;
    let layout = Layout {
        ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        indent: options.get("indent")?,
        sorted: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        separators: separators.and_then(|both| <[String; 2]>::try_from(both).ok()),
    };
    options.assert_all_used()?;
    Ok(Seen::from_safe_string(dump(&json(value)?, &layout)))
}

/// Jinja has no `generation` block; a filter block has the same form.
fn with_filters(template: &str) -> String {
    let mut rest = template;
    let mut out = String::with_capacity(template.len());
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag.find("%}").map(|end| end + 2) else { break };
        let (tag, after) = tag.split_at(end);
        let name = tag.trim_matches(|c: char| "{}%-+".contains(c) || c.is_whitespace());
        out.push_str(&match name {
            "generation" => tag.replace("generation", "filter arrakis_generation"),
            "endgeneration" => tag.replace("endgeneration", "endfilter"),
            _ => tag.to_owned(),
        });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(template: &str, context: &Value) -> Result<String, String> {
        let renderer = Renderer::new(template, Some("2024-07-26"), true).unwrap();
        renderer.render(context).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_written_as_python_writes_them() {
        let context = json!({ "x": { "b": [1, 2.0, true, null], "a": "it's é" }, "none": null });
        assert_eq!(
            rendered("{{ x }} {{ none }} {{ not none }}", &context).unwrap(),
            r#"{'b': [1, 2.0, True, None], 'a': "it's é"} None True"#
        );
        assert_eq!(rendered("{{ x | tojson }}", &context).unwrap(), r#"{"b": [1, 2.0, true, null], "a": "it's é"}"#);
        assert_eq!(rendered("{{ x.b | tojson(indent=1) }}", &context).unwrap(), "[\n 1,\n 2.0,\n true,\n null\n]");
        assert_eq!(rendered("{{ strftime_now('%d %b %Y') }}", &context).unwrap(), "26 Jul 2024");
    }

    #[test]
    fn a_refusal_has_the_words_of_the_template() {
        let said = rendered("a\n{{ raise_exception('Roles must alternate') }}", &json!({})).unwrap_err();
        assert_eq!(said, "cannot render the chat template: it refuses these messages: Roles must alternate (line 2)");
        let said = rendered("{% for %}", &json!({})).unwrap_err();
        assert!(said.starts_with("cannot render the chat template: syntax error: "), "{said}");
    }

    #[test]
    fn a_template_that_never_ends_is_stopped() {
        let said =
            rendered("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", &json!({}));
        assert!(said.unwrap_err().contains("engine ran out of fuel"));
    }

    #[test]
    fn generated_parts_are_marked() {
        let template = "{%- for m in ms %}\n<{% generation %}{{ m }}{% endgeneration %}>\n{%- endfor %}";
        let [start, end] = GENERATED;
        assert_eq!(
            rendered(template, &json!({ "ms": ["a", "b"] })).unwrap(),
            format!("<{start}a{end}><{start}b{end}>")
        );
    }
}
