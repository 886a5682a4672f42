//! `arrakis watch`: builds and runs a program whenever its source is saved, and holds its models meanwhile.
//!
//! Unlike other subcommands it prints as it goes and ends when it is interrupted.

mod args;
mod build;
mod keeper;
mod say;
mod sources;
mod told;

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use arrakis_models::ground::watcher::WATCH_VARIABLE;

pub(super) use self::args::Args;
use self::build::{Build, Built};
use self::keeper::Keeper;
use self::say::{failed, say};
use self::sources::Sources;
use super::Answer;
use crate::error::{Error, Result};

/// How long to look for a change before looking whether the program has ended.
const GLANCE: Duration = Duration::from_millis(100);

pub(super) fn run(args: &Args) -> Result<Answer> {
    let keeper = Keeper::start().map_err(|problem| failed(&problem))?;
    let mut sources = Sources::new().map_err(|problem| failed(&problem))?;
    loop {
        let saved = Instant::now();
        let built = Build { args }.run()?;
        sources.add(built.as_ref().map_or_else(build::own_sources, |built| built.sources.clone()));
        let mut running = built.map(|built| start(&built, args, &keeper, saved)).transpose()?;
        while !sources.changed_within(GLANCE).map_err(|problem| failed(&problem))? {
            running = running.and_then(|program| program.unless_ended(&keeper));
        }
        if let Some(mut program) = running {
            say("a source was saved: the run is stopped");
            drop(program.child.kill());
            drop(program.child.wait());
        }
    }
}

/// A program that runs.
struct Running {
    child: Child,
    saved: Instant,
}

impl Running {
    /// Says how the program ended, if it has.
    fn unless_ended(mut self, keeper: &Keeper) -> Option<Self> {
        let Ok(Some(status)) = self.child.try_wait() else { return Some(self) };
        let held = keeper.end_of_run(status.success());
        let how = if status.success() { "done".to_owned() } else { format!("the program failed ({status})") };
        say(&format!("{how}, {:.1} s after the save{held}; waiting for the next", self.saved.elapsed().as_secs_f64()));
        None
    }
}

fn start(built: &Built, args: &Args, keeper: &Keeper, saved: Instant) -> Result<Running> {
    say(&format!("built in {:.1} s, running {}", saved.elapsed().as_secs_f64(), built.program.display()));
    let mut command = Command::new(&built.program);
    command.args(&args.arguments).env(WATCH_VARIABLE, keeper.socket());
    if let Some((variable, value)) = build::library_path(&built.program) {
        command.env(variable, value);
    }
    let child = command.spawn().map_err(|source| cannot_run(&built.program, &source))?;
    Ok(Running { child, saved })
}

fn cannot_run(program: &Path, source: &std::io::Error) -> Error {
    failed(&format!("cannot run `{}`: {source}", program.display()))
}
