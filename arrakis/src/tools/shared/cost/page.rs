//! The cost table of a tool's page, read from its source.

use std::path::{Path, PathBuf};

use arrakis_models::Passes;

use super::formula::{self, Letters};
use crate::tools::Registered;

/// What a tool's source says.
pub(crate) struct Page {
    /// The rows of the table: names, forwards and backwards.
    rows: Vec<(Vec<String>, [String; 2])>,
    /// The methods of the tool's sources that take something to run a model on.
    running: Vec<String>,
}

/// What is given to methods that may run a model.
const INPUTS: [&str; 6] = ["IntoTokens", "&[Tokens]", "&Metric", "&Corpus", "&Repeated", "Search"];

impl Page {
    /// Reads the file of a tool and those of its folder.
    pub(crate) fn of(tool: &Registered) -> Self {
        let room = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tools").join(tool.room);
        let page = read(&room.join(tool.name).with_extension("rs"));
        let folder = std::fs::read_dir(room.join(tool.name)).into_iter().flatten();
        let others = folder.map(|entry| read(&entry.unwrap().path()));
        let mut running: Vec<String> = others.chain([page.clone()]).flat_map(|source| running(&source)).collect();
        running.sort_unstable();
        running.dedup();
        Self { rows: table(&page), running }
    }

    /// The methods that may run a model and are not in the table.
    pub(crate) fn unstated(&self) -> Vec<&str> {
        let stated = |method: &String| self.rows.iter().any(|(names, _)| names.contains(method));
        self.running.iter().filter(|method| !stated(method)).map(String::as_str).collect()
    }

    /// All methods and kinds in the table.
    pub(crate) fn stated(&self) -> Vec<&str> {
        self.rows.iter().flat_map(|(names, _)| names).map(String::as_str).collect()
    }

    /// The passes that the page states for a method. `kind` is the row that the word `kind` stands for.
    pub(crate) fn passes(&self, method: &str, kind: Option<&str>, letters: &Letters) -> Result<Passes, String> {
        let row = self.rows.iter().find(|(names, _)| names.iter().any(|name| name == method));
        let (_, [forwards, backwards]) = row.ok_or_else(|| format!("the page states no cost of `{method}`"))?;
        let own = kind.map(|kind| self.passes(kind, None, letters)).transpose()?.unwrap_or_default();
        let of =
            |text, kind| formula::value(text, &letters.iter().map(|(k, v)| (*k, *v)).chain([("kind", kind)]).collect());
        Ok(Passes { forwards: of(forwards, own.forwards)?, backwards: of(backwards, own.backwards)? })
    }
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The table under the heading `# Cost`, without its first two lines.
fn table(page: &str) -> Vec<(Vec<String>, [String; 2])> {
    let lines = page.lines().map(str::trim).skip_while(|line| *line != "/// # Cost").skip(1);
    let section = lines.take_while(|line| !line.starts_with("/// #"));
    let rows = section.filter_map(|line| line.strip_prefix("/// |")).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let [names, forwards, backwards] = cells[..] else { panic!("a row of a cost table has three cells: {row}") };
        let names = names.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (names, [forwards, backwards].map(|cell| cell.replace('`', "")))
    })
    .collect()
}

/// The public methods that take prompts, a metric, a corpus or the settings of a search.
fn running(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let methods = code.split("\n    pub fn ").skip(1);
    let signatures = methods.map(|rest| rest.split(" {\n").next().unwrap_or_default());
    let runs = signatures.filter(|signature| {
        let inputs = signature.split("->").next().unwrap_or_default();
        inputs.contains("self") && INPUTS.iter().any(|input| inputs.contains(input))
    });
    runs.filter_map(|signature| signature.split(['(', '<']).next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_and_the_methods_it_owes_are_read() {
        let page = "/// # Cost\n///\n/// | method | forwards | backwards |\n/// | --- | --- | --- |\n/// | `heads`, `neurons` | `1 + layers` | 0 |\n///\n/// # Source\n/// | no | row | here |\n";
        assert_eq!(
            table(page),
            [(vec!["heads".to_owned(), "neurons".to_owned()], ["1 + layers", "0"].map(str::to_owned))]
        );
        let source = "\n    pub fn heads(&self, prompts: impl IntoTokens) -> Result<Scores> {\n    pub fn new(tokens: Tokens) -> Self {\n    pub fn paths<T>(\n        &self,\n        metric: &Metric,\n    ) -> Result<T> {\n    pub fn k(&self) -> Tokens {\n";
        assert_eq!(running(source), ["heads", "paths"]);
    }
}
