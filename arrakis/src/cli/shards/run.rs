//! `arrakis run`: runs a program as one shard of a job.

use std::path::PathBuf;
use std::process::ExitStatus;

use arrakis_models::ground::shard::{Line, Role, Shard, add_line, read_log};

use super::Answer;
use super::around::ShardArgs;
use super::job::Job;
use super::seen::Run;
use crate::bench::{DIR_VARIABLE, SAVE_DIR};
use crate::error::{Error, Result};

/// Sweeps, corpus passes, suites of claims and `shards::each` do their own part of the work and keep it; the program ends
/// there, and `arrakis merge` goes on when all shards are done. A shard that was killed goes on where it was.
///
///   arrakis run --shard 2/4 -- cargo run --release
///   srun arrakis run --of 4 -- ./study          # in a job array of Slurm, --array=0-3
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    shard: ShardArgs,
    /// The folder of the records, where parts are kept too. Programs that name no folder write their records there
    #[arg(long, value_name = "FOLDER", env = DIR_VARIABLE, default_value = SAVE_DIR)]
    dir: PathBuf,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// The answer is yes if the shard is done: the program ended well, or because its part is kept.
pub(crate) fn run(args: &Args) -> Result<Answer> {
    let shard = args.shard.read()?;
    let job = Job::new(&args.dir, &args.command, shard.of);
    let log = job.start(Role::One(shard))?;
    let status = started(&job, Role::One(shard), &log)?;
    let seen = Run::of(&log, read_log(&log)?);
    if let Some(problem) = problem(&seen, status) {
        return Ok(Answer { text: format!("shard {shard} is not done: {problem}\n"), yes: false });
    }
    add_line(&log, &Line::Ended { status: status.code().unwrap_or_default() })?;
    Ok(Answer { text: done(&seen, shard), yes: true })
}

/// Runs the command to its end.
pub(super) fn started(job: &Job, role: Role, log: &std::path::Path) -> Result<ExitStatus> {
    let refuse = |source| Error::Read { path: PathBuf::from(&job.plan.command[0]), source };
    job.command(role, log).status().map_err(refuse)
}

/// Why the shard is not done.
fn problem(seen: &Run, status: ExitStatus) -> Option<String> {
    if status.code().is_none() {
        return Some(format!("the program was stopped by a signal ({status}); run it again"));
    }
    let lost = seen.steps.iter().find(|(step, _)| !seen.kept.contains_key(step));
    match lost {
        Some((_, what)) => Some(format!("its part of {what} was begun and not kept ({status})")),
        None if !status.success() && seen.kept.is_empty() => Some(format!("the program failed ({status})")),
        None => None,
    }
}

fn done(seen: &Run, shard: Shard) -> String {
    if seen.kept.is_empty() {
        return format!("shard {shard} is done; nothing in the program is cut, so it ran whole\n");
    }
    let whats: Vec<&str> = seen.steps.iter().map(|(_, what)| what.as_str()).collect();
    format!("shard {shard} is done: its part of {} is kept\n", whats.join(", "))
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::testing::{Lab, asked, text};

    /// Runs a shell command as shard 0 of 1.
    fn shell(lab: &Lab, command: &str) -> (u8, String, String) {
        asked(&["run", "--dir", &text(&lab.dir("a")), "--shard", "0/1", "--", "sh", "-c", command])
    }

    #[test]
    fn a_program_knows_its_shard_and_where_its_records_go() {
        let lab = Lab::new();
        let found = text(&lab.dir("found"));
        let (code, out, err) =
            shell(&lab, &format!("echo $ARRAKIS_SHARD $ARRAKIS_DIR >{found}; test -f \"$ARRAKIS_SHARD_LOG\""));
        let whole = "shard 0/1 is done; nothing in the program is cut, so it ran whole\n";
        assert_eq!((code, out.as_str(), err.as_str()), (0, whole, ""));
        assert_eq!(std::fs::read_to_string(found).unwrap(), format!("0/1 {}\n", text(&lab.dir("a"))));
    }

    #[test]
    fn a_shard_that_is_not_done_says_why() {
        let lab = Lab::new();
        let said = |command: &str| {
            let (code, out, err) = shell(&lab, command);
            assert!(code == 1 && err.is_empty(), "{out}{err}");
            out
        };
        assert_eq!(said("exit 3"), "shard 0/1 is not done: the program failed (exit status: 3)\n");
        let killed = said("kill -9 $$");
        assert!(
            killed.starts_with("shard 0/1 is not done: the program was stopped by a signal (signal: 9"),
            "{killed}"
        );
        let begun = r#"echo '{"begun":{"step":"s","what":"a sweep","program":"p"}}' >>"$ARRAKIS_SHARD_LOG""#;
        assert_eq!(said(begun), "shard 0/1 is not done: its part of a sweep was begun and not kept (exit status: 0)\n");
        let kept = r#"echo '{"kept":{"step":"s","digest":"d"}}' >>"$ARRAKIS_SHARD_LOG"; exit 1"#;
        assert_eq!(shell(&lab, &format!("{begun}; {kept}")).1, "shard 0/1 is done: its part of a sweep is kept\n");
        let (code, _, err) = asked(&["run", "--dir", &text(&lab.dir("a")), "--shard", "0/1", "--", "/no/such/program"]);
        assert!(code == 2 && err.starts_with("error: cannot read `/no/such/program`"), "{err}");
        let (code, _, err) = asked(&["run", "--shard", "1/1", "--", "true"]);
        assert_eq!((code, err.as_str()), (2, "error: shard 1 is out of range: there are 1, numbered from 0\n"));
    }
}
