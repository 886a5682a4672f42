//! `arrakis merge`: checks that all shards of a job are there, and goes on with all of their parts.

use std::collections::BTreeSet;
use std::path::PathBuf;

use arrakis_models::files;
use arrakis_models::ground::shard::{Line, MERGED, Role, Shard, part_path, read_log};

use super::Answer;
use super::job::Job;
use super::run::started;
use super::seen::{Run, Runs};
use crate::bench::{DIR_VARIABLE, SAVE_DIR};
use crate::error::{Error, Result};

/// Runs the program of the job once more, with the parts of all shards: it writes the records, and prints what one machine
/// would. If a shard is missing, its command is printed. A shard that was done twice counts once if its parts are equal.
///
///   arrakis merge experiments           # one folder that all shards share
///   arrakis merge a b c                 # a folder for each: the parts are gathered in the first
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The folders of the records
    #[arg(value_name = "FOLDER", env = DIR_VARIABLE, default_value = SAVE_DIR)]
    dirs: Vec<PathBuf>,
    /// The job, by its id or the beginning of it. Without it, the one that was started last
    #[arg(long, value_name = "ID")]
    job: Option<String>,
    /// Only check and gather the parts
    #[arg(long)]
    check: bool,
}

/// The answer is yes if all shards are there and the program ended well.
pub(crate) fn run(args: &Args) -> Result<Answer> {
    let job = chosen(&args.dirs, args.job.as_deref())?;
    let shards: Vec<(Shard, Runs)> =
        Shard::all(job.plan.of).map(|shard| Ok((shard, Runs::of(&job, &args.dirs, shard)?))).collect::<Result<_>>()?;
    let missing: Vec<String> = shards.iter().filter_map(|(shard, runs)| missing(&job, *shard, runs)).collect();
    if !missing.is_empty() {
        let text = format!("job {} has not all of its {} shards\n{}", job.id, job.plan.of, missing.concat());
        return Ok(Answer { text, yes: false });
    }
    let last: Vec<(Shard, &Run)> =
        shards.iter().filter_map(|(shard, runs)| Some((*shard, runs.ended.last()?))).collect();
    agree(&job, &shards, &last)?;
    let steps = gather(&job, &args.dirs, &last)?;
    let text = format!("job {}: {} of {} shards are merged\n", job.id, count(steps, "step"), job.plan.of);
    if args.check {
        return Ok(Answer { text, yes: true });
    }
    go_on(&job, &text)
}

/// The job that is meant.
fn chosen(dirs: &[PathBuf], asked: Option<&str>) -> Result<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for dir in dirs {
        let known: BTreeSet<String> = jobs.iter().map(|job| job.id.clone()).collect();
        jobs.extend(Job::all(dir)?.into_iter().filter(|job| !known.contains(&job.id)));
    }
    jobs.retain(|job| asked.is_none_or(|asked| job.id.starts_with(asked)));
    // Parts are gathered in the first folder.
    let latest = jobs.into_iter().map(|job| job.below(&dirs[0])).max_by_key(|job| Runs::latest(job, dirs));
    latest.ok_or_else(|| {
        let of = asked.map_or_else(String::new, |asked| format!(" `{asked}`"));
        let dirs: Vec<String> = dirs.iter().map(|dir| format!("`{}`", dir.display())).collect();
        Error::Shards { problem: format!("no job{of} in {}: start its shards with `arrakis run`", dirs.join(", ")) }
    })
}

/// What is missing of a shard, and how to run it alone.
fn missing(job: &Job, shard: Shard, runs: &Runs) -> Option<String> {
    let why = match (runs.ended.is_empty(), runs.started) {
        (false, _) => return None,
        (true, true) => "was started and did not end",
        (true, false) => "was not run",
    };
    Some(format!("shard {shard} {why}; run it alone:\n  {}\n", job.alone(shard)))
}

/// Refuses a shard that was done twice with different parts, and shards that did not run the same steps.
fn agree(job: &Job, shards: &[(Shard, Runs)], last: &[(Shard, &Run)]) -> Result<()> {
    for (shard, runs) in shards {
        if let Some((what, one, other)) = runs.contradiction() {
            let problem = format!(
                "shard {shard} was done twice with different parts of {what}; remove the log of the wrong run, `{}` or `{}`",
                one.display(),
                other.display()
            );
            return Err(Error::Shards { problem });
        }
    }
    let Some((first, own)) = last.first() else { return Ok(()) };
    for (shard, run) in &last[1..] {
        if run.programs != own.programs {
            let problem = format!(
                "shards {first} and {shard} ran different programs; build once, and run the shards of the older build again, \
                 such as: {}",
                job.alone(*shard)
            );
            return Err(Error::Shards { problem });
        }
        let lost =
            own.steps.iter().find(|(step, _)| !run.kept.contains_key(step)).map(|(_, what)| (shard, what, first));
        let more =
            run.steps.iter().find(|(step, _)| !own.kept.contains_key(step)).map(|(_, what)| (first, what, shard));
        if let Some((without, what, with)) = lost.or(more) {
            let problem = format!(
                "shard {with} ran {what}, and shard {without} did not: their inputs differ, or one is of another round; run it \
                 again: {}",
                job.alone(*without)
            );
            return Err(Error::Shards { problem });
        }
    }
    Ok(())
}

/// Brings all parts into the first folder, and notes that their steps are whole. Returns how many steps there are.
fn gather(job: &Job, dirs: &[PathBuf], last: &[(Shard, &Run)]) -> Result<usize> {
    let mut steps = BTreeSet::new();
    for (shard, run) in last {
        for (step, bytes) in run.parts(job, dirs, *shard)? {
            let path = part_path(&job.folder(), *shard, &step);
            let folder = path.parent().unwrap_or(&path);
            std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
            if std::fs::read(&path).ok().as_ref() != Some(&bytes) {
                files::write_whole(&path, bytes)?;
            }
            steps.insert(step);
        }
    }
    let marked = serde_json::to_string(&steps).expect("BUG: names are plain data");
    files::write_whole(&job.folder().join(MERGED), marked)?;
    Ok(steps.len())
}

/// Runs the program with all parts.
fn go_on(job: &Job, text: &str) -> Result<Answer> {
    let role = Role::All(job.plan.of);
    let log = job.start(role)?;
    let status = started(job, role, &log)?;
    let wanted =
        read_log(&log)?.into_iter().find_map(|line| if let Line::Wanted { what } = line { Some(what) } else { None });
    let end = match (wanted, status.success()) {
        (Some(what), _) => format!(
            "the program goes on to {what}: run all shards again, then `arrakis merge`; they have what is merged. The first:\n  {}\n",
            job.alone(Shard { index: 0, of: job.plan.of })
        ),
        (None, true) => return Ok(Answer { text: text.to_owned(), yes: true }),
        (None, false) => format!("the program failed with the merged parts ({status})\n"),
    };
    Ok(Answer { text: format!("{text}{end}"), yes: false })
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, asked, text};
    use super::*;

    #[test]
    fn a_missing_shard_is_named_with_the_command_that_runs_it_alone() {
        let lab = Lab::new();
        for index in [0, 3] {
            lab.well("a", index);
        }
        lab.ran("a", 2, "x", "half", "p", false);
        let (code, out, err) = lab.checked(&["a"]);
        let (job, dir) = (lab.job("a"), text(&lab.dir("a")));
        assert_eq!((code, err.as_str()), (1, ""));
        let expected = format!(
            "job {} has not all of its 4 shards\nshard 1/4 was not run; run it alone:\n  arrakis run --dir {dir} --shard 1/4 -- study\n\
             shard 2/4 was started and did not end; run it alone:\n  arrakis run --dir {dir} --shard 2/4 -- study\n",
            job.id
        );
        assert_eq!(out, expected);
        assert!(!job.folder().join(MERGED).exists());
        lab.well("a", 1);
        assert_eq!(lab.checked(&["a"]).0, 1, "a part that was not kept does not merge");
        lab.well("a", 2);
        assert_eq!(lab.checked(&["a"]), (0, format!("job {}: 1 step of 4 shards are merged\n", job.id), String::new()));
        assert_eq!(lab.parts("a"), ["part 0", "part 1", "part 2", "part 3"]);
    }

    #[test]
    fn parts_of_several_folders_are_gathered_in_the_first() {
        let lab = Lab::new();
        for (folder, index) in [("a", 0), ("a", 1), ("b", 1), ("b", 2), ("b", 3)] {
            lab.well(folder, index);
        }
        assert_eq!(lab.checked(&["a"]).0, 1);
        let (code, out, err) = lab.checked(&["a", "b"]);
        assert_eq!((code, err.as_str()), (0, ""), "shard 1 was done twice, with equal parts: {out}");
        assert_eq!(lab.parts("a"), ["part 0", "part 1", "part 2", "part 3"]);
        assert_eq!(lab.parts("b").len(), 3);
    }

    #[test]
    fn what_does_not_agree_is_refused_by_name() {
        let lab = Lab::new();
        let logs: Vec<PathBuf> = (0..4).map(|index| lab.well("a", index)).collect();
        let other = lab.ran("b", 1, "x", "another", "p", true);
        let (code, _, err) = lab.checked(&["a", "b"]);
        let said = format!(
            "error: shard 1/4 was done twice with different parts of a sweep; remove the log of the wrong run, `{}` or `{}`\n",
            text(&logs[1]),
            text(&other)
        );
        assert_eq!((code, err), (2, said));
        lab.ran("a", 2, "x", "part 2", "q", true);
        let (code, _, err) = lab.checked(&["a"]);
        assert!(code == 2 && err.starts_with("error: shards 0/4 and 2/4 ran different programs; build once"), "{err}");
        lab.ran("a", 2, "y", "part 2", "p", true);
        let (code, _, err) = lab.checked(&["a"]);
        assert!(
            code == 2 && err.starts_with("error: shard 0/4 ran a sweep, and shard 2/4 did not: their inputs differ"),
            "{err}"
        );
    }

    #[test]
    fn a_part_that_was_changed_is_refused() {
        let lab = Lab::new();
        (0..4).for_each(|index| drop(lab.well("a", index)));
        let folder = lab.job("a").folder().join("3-of-4/parts");
        let part = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        std::fs::write(&part, "part").unwrap();
        let (code, _, err) = lab.checked(&["a"]);
        assert!(
            code == 2
                && err.starts_with("error: the part of shard 3/4 of a sweep is not there, or not as it was written"),
            "{err}"
        );
    }

    #[test]
    fn a_folder_without_jobs_is_named() {
        let lab = Lab::new();
        let dir = text(&lab.dir("a"));
        assert_eq!(lab.checked(&["a"]).2, format!("error: no job in `{dir}`: start its shards with `arrakis run`\n"));
        lab.well("a", 0);
        let said = asked(&["merge", "--job", "zz", &dir]).2;
        assert_eq!(said, format!("error: no job `zz` in `{dir}`: start its shards with `arrakis run`\n"));
        assert!(asked(&["merge", "/no/such/folder"]).2.starts_with("error: cannot read `/no/such/folder/.shards`"));
    }
}
