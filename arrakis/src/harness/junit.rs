//! The `JUnit` report of a suite.
//!
//! Source: the elements that Jenkins and GitLab read, <https://github.com/testmoapp/junitxml>.

use std::io;
use std::path::Path;

use quick_xml::Writer;
use quick_xml::events::BytesText;

use super::done::{Done, Finished};
use crate::error::{Error, Result};

type Xml = Writer<Vec<u8>>;

/// Writes the report.
pub(super) fn write(finished: &Finished, path: &Path) -> Result<()> {
    let write = |source| Error::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(write)?;
    }
    std::fs::write(path, report(finished).map_err(write)?).map_err(write)
}

/// What a report says of a claim: its failure, and whether that is an error.
struct Said<'a> {
    done: &'a Done,
    failure: Option<String>,
}

impl Said<'_> {
    fn element(&self) -> &'static str {
        if self.done.judged.is_ok() { "failure" } else { "error" }
    }

    fn is(&self, element: &str) -> bool {
        self.failure.is_some() && self.element() == element
    }
}

fn report(finished: &Finished) -> io::Result<Vec<u8>> {
    let lost: Vec<&str> = finished.lost().iter().map(|(done, _)| done.name.as_str()).collect();
    let in_family = |done: &Done| {
        lost.contains(&done.name.as_str()).then(|| "the claim holds alone, and not in its family".to_owned())
    };
    let said: Vec<Said> =
        finished.done.iter().map(|done| Said { done, failure: done.failure().or_else(|| in_family(done)) }).collect();
    let count = |element: &str| said.iter().filter(|said| said.is(element)).count().to_string();
    let seconds: f64 = finished.done.iter().map(|done| done.took.as_secs_f64()).sum();
    let (tests, failures, errors) = (said.len().to_string(), count("failure"), count("error"));
    let mut xml = Writer::new_with_indent(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_vec(), b' ', 2);
    xml.create_element("testsuites").write_inner_content(|xml| {
        let suite = xml.create_element("testsuite").with_attributes([
            ("name", "hypotheses"),
            ("tests", &tests),
            ("failures", &failures),
            ("errors", &errors),
            ("time", &format!("{seconds:.3}")),
        ]);
        suite.write_inner_content(|xml| said.iter().try_for_each(|said| case(xml, said))).map(drop)
    })?;
    Ok(xml.into_inner())
}

fn case(xml: &mut Xml, said: &Said) -> io::Result<()> {
    let (class, name) = said.done.name.rsplit_once("::").unwrap_or(("", &said.done.name));
    let time = format!("{:.3}", said.done.took.as_secs_f64());
    let case = xml.create_element("testcase").with_attributes([("name", name), ("classname", class), ("time", &time)]);
    case.write_inner_content(|xml| {
        if let Some(message) = &said.failure {
            let first = plain(message.lines().next().unwrap_or_default());
            let failure = xml.create_element(said.element()).with_attribute(("message", first.as_str()));
            failure.write_text_content(BytesText::new(&plain(message)))?;
        }
        xml.create_element("system-out").write_text_content(BytesText::new(&plain(&said.done.text()))).map(drop)
    })
    .map(drop)
}

/// The text without the control characters that XML cannot have.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failure_is_in_the_report_with_its_words() {
        let done = Done {
            name: "names::moves".into(),
            rejected: false,
            judged: Err("`moves` failed: 3 < 4 & \u{1b}no \"more\"".into()),
            took: Duration::from_millis(1500),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reports/claims.xml");
        write(&Finished { done: vec![done], all: 1 }, &path).unwrap();
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="hypotheses" tests="1" failures="0" errors="1" time="1.500">
    <testcase name="moves" classname="names" time="1.500">
      <error message="`moves` failed: 3 &lt; 4 &amp; no &quot;more&quot;">`moves` failed: 3 &lt; 4 &amp; no &quot;more&quot;</error>
      <system-out>`moves` failed: 3 &lt; 4 &amp; no &quot;more&quot;</system-out>
    </testcase>
  </testsuite>
</testsuites>"#;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        let error = write(&Finished { done: vec![], all: 0 }, folder.path()).unwrap_err();
        assert!(matches!(error, Error::Write { .. }), "{error}");
    }
}
