//! The `arrakis` command: one file per subcommand.
//!
//! To add a subcommand, write its file with a `clap::Args` struct and a `run`, and give it a line in
//! `Command` and in `Command::run`. A subcommand returns its text and whether the answer is yes. It
//! prints nothing itself, except `watch`, which has no end.

mod answer;
mod inspect;
mod new;
mod parity;
mod records;
mod shards;
mod shell;
mod table;
mod tools;
#[cfg(all(feature = "watch", unix))]
mod watch;

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use answer::Answer;

use crate::error::Result;

/// Ask a transformer a question, and trust the answer.
#[derive(Debug, Parser)]
#[command(name = "arrakis", version, max_term_width = 100)]
#[command(
    after_help = "Exit status: 0 for yes (found, equal, clean), 1 for no (different, stale, not clean), 2 for an error."
)]
struct Cli {
    /// Where to run: `cpu`, `gpu`, `wgpu-software`; the default is a GPU if there is one, otherwise the CPU
    #[arg(long, global = true, env = arrakis_models::device::DEVICE_VARIABLE)]
    device: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare a model with reference numbers: exit status 1 if they differ, 2 for errors
    Parity(parity::Args),
    /// Describe a model from its headers, and say what loading would refuse: exit status 1 if anything, 2 for errors
    Inspect(inspect::Args),
    /// List the verdicts of a folder of records, corrected within families: exit status 1 if one was judged with other code,
    /// another model or other data, 2 for errors
    Hypotheses(records::hypotheses::Args),
    /// Write a new crate: a question, a claim, and the profile that makes dev runs fast
    New(new::Args),
    /// List the tools that `#[use_tools]` knows, or describe one of them
    Tools(tools::Args),
    /// List the runs of a folder, newest first
    Log(records::log::Args),
    /// Show one run
    Show(records::show::Args),
    /// Show the text of the function that a run is of
    Source(records::show::Args),
    /// Compare two runs: exit status 1 if they differ, 2 for errors
    Diff(records::diff::Args),
    /// Build the recorded sources of a run, run them again, and compare: exit status 1 if it drifted, 2 if it failed
    Rerun(records::rerun::Args),
    /// Add tags to a run, or take them away
    Tag(records::annotate::TagArgs),
    /// Add a note to a run
    Note(records::annotate::NoteArgs),
    /// Show the run that drew a figure, which its PNG and SVG name
    Whence(records::whence::Args),
    /// Write runs as CSV or JSON lines
    Export(records::export::Args),
    /// Count the runs of a folder
    Stats(records::stats::Args),
    /// Check every record of a folder, and clear what crashes left: exit status 1 if anything is wrong, 2 for errors
    Fsck(records::fsck::Args),
    /// List what nothing needs in a folder of records and in the cache, and clear it: exit status 1 if there is any, 2 for errors
    Gc(records::gc::Args),
    /// Take over the records of another folder, checked: exit status 1 if some could not be, 2 for errors
    Import(records::import::Args),
    /// Run a program as one shard of a job: exit status 1 if it is not done, 2 for errors
    Run(shards::run::Args),
    /// Put the shards of a job together: exit status 1 if one is missing, 2 for errors
    Merge(shards::merge::Args),
    /// Write the completions of a shell to standard output
    Completions(shell::CompletionArgs),
    /// Write the manual, as pages for `man`
    Man(shell::ManArgs),
    /// Build and run a program whenever its source is saved, and hold its models meanwhile
    #[cfg(all(feature = "watch", unix))]
    Watch(watch::Args),
}

impl Command {
    fn run(&self, device: Option<&str>) -> Result<Answer> {
        match self {
            Self::Parity(args) => parity::run(args, device),
            Self::Inspect(args) => inspect::run(args, device),
            Self::Hypotheses(args) => records::hypotheses::run(args),
            Self::New(args) => new::run(args),
            Self::Tools(args) => tools::run(args),
            Self::Log(args) => records::log::run(args),
            Self::Show(args) => records::show::run(args),
            Self::Source(args) => records::show::source(args),
            Self::Diff(args) => records::diff::run(args),
            Self::Rerun(args) => records::rerun::run(args),
            Self::Tag(args) => records::annotate::tag(args),
            Self::Note(args) => records::annotate::note(args),
            Self::Whence(args) => records::whence::run(args),
            Self::Export(args) => records::export::run(args),
            Self::Stats(args) => records::stats::run(args),
            Self::Fsck(args) => records::fsck::run(args),
            Self::Gc(args) => records::gc::run(args),
            Self::Import(args) => records::import::run(args),
            Self::Run(args) => shards::run::run(args),
            Self::Merge(args) => shards::merge::run(args),
            Self::Completions(args) => Ok(shell::completions(args, Cli::command())),
            Self::Man(args) => shell::man(args, Cli::command()),
            #[cfg(all(feature = "watch", unix))]
            Self::Watch(args) => watch::run(args),
        }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os(), &mut std::io::stdout(), &mut std::io::stderr()))
}

/// Runs a command line, the program's name first. Returns 0 for yes, 1 for no, 2 for an error, which goes to `err`.
pub fn run(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return misread(&error, out, err),
    };
    let device = cli.device.as_deref().filter(|name| !name.is_empty());
    match cli.command.run(device) {
        Ok(answer) => write_answer(&answer.text, u8::from(!answer.yes), out, err),
        Err(error) => {
            say(err, &format!("error: {error}\n"));
            2
        }
    }
}

/// Help and version are answers; everything else is an error.
fn misread(error: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let text = error.render().to_string();
    if error.use_stderr() {
        say(err, &text);
        2
    } else {
        write_answer(&text, 0, out, err)
    }
}

/// Writes an answer and returns its exit status. A closed pipe (`arrakis … | head`) is not an error; a full disk is.
fn write_answer(text: &str, status: u8, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(err, &format!("error: cannot write the answer: {error}\n"));
            2
        }
        _ => status,
    }
}

/// Writes an error message. If even that cannot be written, the exit status still reports the error.
fn say(to: &mut dyn Write, text: &str) {
    drop(to.write_all(text.as_bytes()).and_then(|()| to.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(args: &[&str]) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run([&["arrakis"], args].concat(), &mut out, &mut err);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn help_is_an_answer_and_a_typo_is_not() {
        let (code, out, _) = ran(&["--help"]);
        assert!(code == 0 && out.contains("parity") && out.contains("inspect"));
        let (code, out, err) = ran(&["parrity"]);
        assert!(code == 2 && out.is_empty() && err.contains("parity"), "{err}");
    }

    #[test]
    fn errors_say_what_and_where_without_a_backtrace() {
        let (code, out, err) = ran(&["parity", "/no/such/folder", "--device", "cpu"]);
        assert!(code == 2 && out.is_empty());
        assert!(err.starts_with("error: ") && err.contains("/no/such/folder") && err.lines().count() == 1, "{err}");
        assert!(err.contains("there is no such folder"), "{err}");
    }

    #[test]
    fn an_answer_that_cannot_be_written_is_an_error_unless_the_pipe_is_closed() {
        struct Fails(ErrorKind);
        impl Write for Fails {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut err = Vec::new();
        assert_eq!(run(["arrakis", "--help"], &mut Fails(ErrorKind::BrokenPipe), &mut err), 0);
        assert!(err.is_empty());
        assert_eq!(run(["arrakis", "--help"], &mut Fails(ErrorKind::StorageFull), &mut err), 2);
        assert!(String::from_utf8(err).unwrap().starts_with("error: cannot write the answer: "));
    }
}
