//! `arrakis tools`: lists the tools.

use super::{Answer, table};
use crate::error::Result;
use crate::tools::{self, Registered};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One tool's name; the default is all tools
    name: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<Answer> {
    let one = args.name.as_deref().map(tools::find).transpose()?;
    let listed: Vec<Registered> = one.map_or_else(|| tools::TOOLS.to_vec(), |tool| vec![tool]);
    let rows: Vec<Vec<String>> =
        listed.iter().map(|tool| [tool.name, tool.kind, tool.room].map(str::to_owned).to_vec()).collect();
    Ok(Answer { text: table::aligned(&["name", "type", "room"], &rows), yes: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tools_are_listed_and_a_typo_names_the_nearest() {
        let all = run(&Args { name: None }).unwrap().text;
        assert_eq!(all.lines().count(), tools::TOOLS.len() + 1);
        let one = run(&Args { name: Some("logit_lens".into()) }).unwrap().text;
        assert_eq!(one, "name        type       room\nlogit_lens  LogitLens  lenses\n");
        let error = run(&Args { name: Some("logit_lenz".into()) }).unwrap_err().to_string();
        assert_eq!(error, "no tool `logit_lenz`; did you mean `logit_lens`? `arrakis tools` lists them all");
    }
}
