//! `arrakis tools`: lists the tools.

use super::{Answer, table};
use crate::error::Result;
use crate::tools::{self, Registered};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One tool's name or alias; the default is all tools
    name: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<Answer> {
    let one = args.name.as_deref().map(tools::find).transpose()?;
    let listed: Vec<Registered> = one.map_or_else(|| tools::TOOLS.to_vec(), |tool| vec![tool]);
    let row =
        |tool: &Registered| [tool.name, tool.kind, tool.room, &tool.aliases.join(", ")].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
    Ok(Answer { text: table::aligned(&["name", "type", "room", "known as"], &rows), yes: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tools_are_listed_and_a_typo_names_the_nearest() {
        let all = run(&Args { name: None }).unwrap().text;
        assert_eq!(all.lines().count(), tools::TOOLS.len() + 1);
        let one = |name: &str| run(&Args { name: Some(name.into()) }).unwrap().text;
        let expected = "name                type               room     known as\nattention_patterns  AttentionPatterns  observe  attention\n";
        assert_eq!((one("attention").as_str(), one("attention_patterns").as_str()), (expected, expected));
        let error = run(&Args { name: Some("logit_lenz".into()) }).unwrap_err().to_string();
        assert_eq!(error, "no tool `logit_lenz`; did you mean `logit_lens`? `arrakis tools` lists them all");
    }
}
