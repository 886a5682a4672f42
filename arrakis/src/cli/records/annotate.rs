//! `arrakis tag` and `arrakis note`: what is added to a run later.

use super::{Answer, Dir};
use crate::error::Result;
use crate::experiment::Annotation;

#[derive(Debug, clap::Args)]
pub(crate) struct TagArgs {
    /// The run, as `arrakis show` takes it
    id: String,
    /// The tags
    #[arg(required = true)]
    tags: Vec<String>,
    /// Take the tags away
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    dir: Dir,
}

#[derive(Debug, clap::Args)]
pub(crate) struct NoteArgs {
    /// The run, as `arrakis show` takes it
    id: String,
    /// The note
    text: String,
    #[command(flatten)]
    dir: Dir,
}

pub(crate) fn tag(args: &TagArgs) -> Result<Answer> {
    let what = |tag: &String| if args.remove { Annotation::Untag(tag.clone()) } else { Annotation::Tag(tag.clone()) };
    added(&args.dir, &args.id, args.tags.iter().map(what))
}

pub(crate) fn note(args: &NoteArgs) -> Result<Answer> {
    added(&args.dir, &args.id, [Annotation::Note(args.text.clone())])
}

fn added(dir: &Dir, id: &str, what: impl IntoIterator<Item = Annotation>) -> Result<Answer> {
    let store = dir.store()?;
    let record = store.find(id)?;
    what.into_iter().try_for_each(|what| store.annotate(&record, what))?;
    let annotations = store.annotations(&record)?;
    let tags: Vec<String> = annotations.tags_of(&record).into_iter().collect();
    let notes = annotations.notes().count();
    let text = format!("{} {}: tags {}; notes {notes}\n", record.short_id(), record.name, named(&tags));
    Ok(Answer { text, yes: true })
}

fn named(tags: &[String]) -> String {
    if tags.is_empty() { "none".into() } else { tags.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Study, ran};

    #[test]
    fn tags_and_notes_are_added_and_found() {
        let study = Study::new();
        let (_, out, _) = ran(&study.args(&["tag", study.id(1), "paper", "draft"]));
        assert!(out.ends_with("score: tags draft paper; notes 0\n"), "{out}");
        ran(&study.args(&["tag", study.id(1), "draft", "--remove"]));
        let (_, out, _) = ran(&study.args(&["note", study.id(1), "the one in figure 3"]));
        assert!(out.ends_with("score: tags paper; notes 1\n"), "{out}");
        let (_, out, _) = ran(&study.args(&["log", "--tag", "paper"]));
        assert_eq!(out.lines().count(), 2, "{out}");
        let (_, out, _) = ran(&study.args(&["show", study.id(1)]));
        assert!(out.contains("the one in figure 3"), "{out}");
        let (code, _, err) = ran(&study.args(&["tag", study.id(1), " "]));
        assert!(code == 2 && err.contains("the text is empty"), "{err}");
    }
}
