//! `arrakis gc`: what the store and the cache hold that nothing needs.

use std::fmt::Write as _;
use std::path::PathBuf;

use arrakis_models::ground::bytes::human_bytes;

use super::{Answer, Dir};
use crate::error::Result;
use crate::experiment::Garbage;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Kept is everything that a record names, registrations, the metrics of runs that were killed, what fsck set \
    aside, everything beside a record that cannot be read, and everything younger than an hour."
)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: Dir,
    /// Remove it; the default is to list it
    #[arg(long)]
    clear: bool,
}

/// The answer is yes if nothing is left to clear.
pub(crate) fn run(args: &Args) -> Result<Answer> {
    let garbage = args.dir.store()?.garbage()?;
    let mut text = page(&garbage);
    if args.clear {
        garbage.clear()?;
        text += "cleared\n";
    } else if !garbage.is_empty() {
        text += "--clear removes it\n";
    }
    Ok(Answer { text, yes: args.clear || garbage.is_empty() })
}

fn page(garbage: &Garbage) -> String {
    let mut page = String::new();
    let list = |page: &mut String, kind: &str, paths: &[PathBuf]| {
        for path in paths {
            let _ = writeln!(page, "{kind}: {}", path.display());
        }
    };
    list(&mut page, "no record names it", &garbage.unnamed);
    list(&mut page, "leftover", &garbage.leftovers);
    list(&mut page, "cache of what is gone", &garbage.cached);
    let _ = writeln!(page, "{} to clear, {}", garbage.paths().count(), human_bytes(garbage.bytes()));
    page
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::testing::{Study, ran};

    #[test]
    fn garbage_is_listed_and_cleared_on_demand() {
        let study = Study::new();
        let helpers = study.folder().join("score/helpers");
        std::fs::create_dir_all(&helpers).unwrap();
        let old = helpers.join("aa.rs");
        let file = std::fs::File::create(&old).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(2)).unwrap();
        let (code, out, _) = ran(&study.args(&["gc"]));
        assert!(code == 1 && out.contains(&format!("no record names it: {}\n", old.display())), "{out}");
        assert!(out.ends_with("--clear removes it\n") && old.exists(), "{out}");
        let (code, out, _) = ran(&study.args(&["gc", "--clear"]));
        assert!(code == 0 && out.ends_with("cleared\n") && !old.exists(), "{out}");
        assert_eq!(ran(&study.args(&["log"])).1.lines().count(), 4);
    }
}
