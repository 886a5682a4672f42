//! `arrakis fsck`: are all records whole, and what did crashes leave?

use std::fmt::Write as _;

use super::{Answer, Dir};
use crate::error::Result;
use crate::experiment::Check;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: Dir,
    /// Remove what crashes left and arrays that no record has; move files that are not records to `set-aside`
    #[arg(long)]
    clear: bool,
}

/// The answer is yes if nothing is wrong, or everything that is could be cleared.
pub(crate) fn run(args: &Args) -> Result<Answer> {
    let store = args.dir.store()?;
    let check = store.check()?;
    let mut text = page(&check);
    if !args.clear {
        if !check.is_clean() {
            text += "--clear removes the leftovers and moves files that are not records to `set-aside`\n";
        }
        return Ok(Answer { text, yes: check.is_clean() });
    }
    check.clear()?;
    let left = store.check()?;
    let _ = writeln!(text, "cleared; {} bad files are left", left.bad.len());
    Ok(Answer { text, yes: left.is_clean() })
}

fn page(check: &Check) -> String {
    let mut page = format!("{} intact records\n", check.intact);
    for (kind, files) in [("bad", &check.bad), ("newer", &check.newer)] {
        for file in files {
            let _ = writeln!(page, "{kind}: {}: {}", file.path.display(), file.problem);
        }
    }
    for (kind, paths) in [("leftover", &check.leftovers), ("unused array", &check.unused)] {
        for path in paths {
            let _ = writeln!(page, "{kind}: {}", path.display());
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Study, ran};

    #[test]
    fn a_good_store_is_clean_and_a_broken_file_is_named() {
        let study = Study::new();
        assert_eq!(ran(&study.args(&["fsck"])), (0, "3 intact records\n".into(), String::new()));
        let half = study.folder().join("score/half.json");
        std::fs::write(&half, "{").unwrap();
        let (code, out, _) = ran(&study.args(&["fsck"]));
        assert!(code == 1 && out.contains(&format!("bad: {}: it is not a record", half.display())), "{out}");
        let (code, out, _) = ran(&study.args(&["fsck", "--clear"]));
        assert!(code == 0 && out.ends_with("cleared; 0 bad files are left\n"), "{out}");
        assert!(!half.exists() && study.folder().join("score/set-aside/half.json").is_file());
    }
}
