//! `arrakis import`: records of another folder.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{Answer, Dir};
use crate::error::Result;
use crate::experiment::Store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder of records, the folder of one experiment, or a file of JSON lines with whole records (`arrakis show --json`)
    from: PathBuf,
    #[command(flatten)]
    dir: Dir,
}

/// The answer is yes if everything is there now.
pub(crate) fn run(args: &Args) -> Result<Answer> {
    let store = Store::new(&args.dir.dir);
    let import = store.import(&args.from)?;
    let mut text = format!("{} new records, {} that were there already\n", import.new, import.same);
    for path in &import.conflicts {
        let _ = writeln!(text, "conflict: {} has other contents; it stays as it is", path.display());
    }
    for file in &import.refused {
        let _ = writeln!(text, "refused: {}: {}", file.path.display(), file.problem);
    }
    Ok(Answer { text, yes: import.is_whole() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Study, ran};

    #[test]
    fn records_come_from_a_folder_and_export_is_not_one() {
        let study = Study::new();
        let to = tempfile::tempdir().unwrap();
        let dir = to.path().join("new");
        let import = |from: &str| ran(&["import", from, "--dir", dir.to_str().unwrap()].map(str::to_owned));
        let from = study.folder().to_str().unwrap();
        assert_eq!(import(from), (0, "3 new records, 0 that were there already\n".into(), String::new()));
        assert_eq!(import(from).1, "0 new records, 3 that were there already\n");
        let lines = to.path().join("runs.jsonl");
        ran(&study.args(&["export", "--format", "jsonl", "--output", lines.to_str().unwrap()]));
        let (code, out, _) = import(lines.to_str().unwrap());
        assert!(code == 1 && out.contains("line 1: it is a line of `arrakis export`"), "{out}");
        let (code, _, err) = import("/no/such/folder");
        assert!(code == 2 && err.contains("cannot read `/no/such/folder`"), "{err}");
    }
}
