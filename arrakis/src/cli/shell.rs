//! `arrakis completions` and `arrakis man`: what shells and `man` need to know of the command, made from its definition.

use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use super::Answer;
use crate::error::{Error, Result};

#[derive(Debug, clap::Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Write a page for each subcommand into this folder, instead of one page to standard output
    folder: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionArgs, mut command: Command) -> Answer {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "arrakis", &mut text);
    Answer { text: String::from_utf8_lossy(&text).into_owned(), yes: true }
}

pub(crate) fn man(args: &ManArgs, command: Command) -> Result<Answer> {
    if let Some(folder) = &args.folder {
        let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
        written.map_err(|source| Error::Write { path: folder.clone(), source })?;
        return Ok(Answer { text: format!("pages in `{}`\n", folder.display()), yes: true });
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).expect("BUG: memory can be written");
    Ok(Answer { text: String::from_utf8_lossy(&page).into_owned(), yes: true })
}

#[cfg(test)]
mod tests {
    use super::super::run;

    fn ran(args: &[&str]) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run([&["arrakis"], args].concat(), &mut out, &mut err);
        assert_eq!((code, String::from_utf8(err).unwrap().as_str()), (0, ""));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn shells_and_man_know_every_subcommand() {
        for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
            let script = ran(&["completions", shell]);
            assert!(["whence", "fsck", "stale"].iter().all(|word| script.contains(word)), "{shell}");
        }
        let page = ran(&["man"]);
        assert!(page.contains(".TH arrakis 1") && page.contains("Exit status: 0 for yes"), "{page}");
    }

    #[test]
    fn each_subcommand_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        ran(&["man", folder.path().to_str().unwrap()]);
        let page = std::fs::read_to_string(folder.path().join("arrakis-log.1")).unwrap();
        assert!(page.contains("List the runs of a folder"), "{page}");
    }
}
