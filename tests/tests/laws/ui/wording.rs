//! A compiler's message without the parts that change between machines and edits.

use std::path::Path;

/// Lines at the end of a message that say nothing about the mistake.
const CLOSING: [&str; 4] = [
    "error: aborting due to",
    "For more information about this error",
    "For more information about an error",
    "Some errors have detailed explanations",
];

/// The messages, where places in other files have no line numbers and no machine-specific folder.
pub(super) fn tidy(said: &str, file: &Path) -> String {
    let mut listing = false;
    let kept = said.lines().filter(|line| {
        let listed = is_listed(line, &mut listing);
        !listed && !CLOSING.iter().any(|closing| line.starts_with(closing))
    });
    let mut elsewhere = false;
    let lines: Vec<String> = kept.map(|line| place(line, file, &mut elsewhere)).collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| is_heading(line)).map(|(at, _)| at);
    let bounds: Vec<usize> = starts.chain([lines.len()]).collect();
    let messages = bounds.windows(2).map(|bound| narrow(&lines[bound[0]..bound[1]]));
    let tidied: Vec<String> = messages.flatten().collect();
    tidied.join("\n").trim_end().to_owned() + "\n"
}

/// Whether a line is one of the types that implement a trait: the list changes with every type that is added.
fn is_listed(line: &str, listing: &mut bool) -> bool {
    let listed = *listing && line.starts_with("          ");
    *listing = listed || line.contains("the following other types implement trait");
    listed
}

fn is_heading(line: &str) -> bool {
    ["error:", "error[", "warning:", "warning["].iter().any(|start| line.starts_with(start))
}

/// A line of a message as `(number, rest)`, if it has the margin for line numbers.
fn margin(line: &str) -> Option<(&str, &str)> {
    let start = line.trim_start();
    let digits = start.len() - start.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = start.split_at(digits);
    let rest = rest.trim_start();
    let marked = ["|", "-->", ":::", "=", "+ ", "- ", "~ "].iter().any(|mark| rest.starts_with(mark));
    (marked && line.starts_with([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])).then_some((number, rest))
}

/// The line with a portable place. Line numbers of other files become blanks.
fn place(line: &str, file: &Path, elsewhere: &mut bool) -> String {
    let Some((number, rest)) = margin(line) else {
        *elsewhere &= line == "..." && !is_heading(line);
        return line.trim_end().to_owned();
    };
    if rest.starts_with("-->") || rest.starts_with(":::") {
        let (arrow, place) = rest.split_at(4);
        let here = place.strip_prefix("tests/").filter(|place| place.starts_with(file.to_str().unwrap()));
        *elsewhere = here.is_none();
        let indent = &line[..line.len() - rest.len()];
        return format!("{indent}{arrow}{}", here.map_or_else(|| portable(place), str::to_owned));
    }
    *elsewhere &= rest.starts_with('|');
    if *elsewhere { line.replacen(number, &" ".repeat(number.len()), 1) } else { line.trim_end().to_owned() }
}

/// A place in another file (in the workspace or the standard library), without line and column.
fn portable(place: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let place = place.trim_end_matches(|c: char| c.is_ascii_digit() || c == ':');
    let std = ["/rustc/", "/rustlib/src/rust/"].iter().any(|source| place.contains(source));
    if let Some((_, file)) = place.split_once("/library/").filter(|_| std) {
        return format!("$RUST/{file}");
    }
    let path = Path::new(place);
    let below = path.strip_prefix(workspace).ok().or_else(|| path.is_relative().then_some(path));
    below.map_or_else(|| place.to_owned(), |below| format!("$WORKSPACE/{}", below.display()))
}

/// A message whose margin is as wide as its remaining line numbers need.
fn narrow(message: &[String]) -> Vec<String> {
    let numbers = || message.iter().filter_map(|line| margin(line));
    let width = numbers().map(|(number, _)| number.len()).max().unwrap_or(0).max(1);
    let arrow = message.iter().find(|line| line.trim_start().starts_with("-->"));
    let shift = arrow.map_or(0, |line| (line.len() - line.trim_start().len()).saturating_sub(width));
    let fitted = |line: &String| match margin(line) {
        Some((_, rest)) if rest.starts_with("-->") || rest.starts_with(":::") => format!("{:width$}{rest}", ""),
        Some((number, rest)) => format!("{number:width$} {rest}"),
        None if line.starts_with("          ") => line[shift..].to_owned(),
        None => line.clone(),
    };
    message.iter().map(fitted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_other_files_lose_their_numbers_and_the_margin_they_took() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().display();
        let said = format!(
            "error: no\n   --> tests/tests/ui/a.rs:3:26\n    |\n  3 | fn f() {{}}\n    |    ^ here\nnote: by this\n   --> {workspace}/b.rs:185:7\n    |\n185 |     fn of()\n    |        ^^\n\nerror: aborting due to 1 previous error\n\n"
        );
        let tidied = "error: no\n --> tests/ui/a.rs:3:26\n  |\n3 | fn f() {}\n  |    ^ here\nnote: by this\n --> $WORKSPACE/b.rs\n  |\n  |     fn of()\n  |        ^^\n";
        assert_eq!(tidy(&said, Path::new("tests/ui/a.rs")), tidied);
    }

    #[test]
    fn the_list_of_types_that_implement_a_trait_is_left_out() {
        let said = "error: no\n --> tests/tests/ui/a.rs:3:26\n  |\n3 | x\n  | ^\n  = help: the following other types implement trait `T`:\n            A\n            B\n          and 5 others\nnote: here\n";
        let tidied = said
            .replace("            A\n            B\n          and 5 others\n", "")
            .replace("tests/tests/", "tests/");
        assert_eq!(tidy(said, Path::new("tests/ui/a.rs")), tidied);
    }

    #[test]
    fn a_message_about_one_file_stays_as_it_is() {
        let said = "error: first\n --> tests/tests/ui/a.rs:9:1\n  |\n9 | x\n  | ^\n\nwarning: second\n  --> tests/tests/ui/a.rs:10:1\n   |\n10 | y\n   | ^\n   |\n   = note: on by default\n";
        assert_eq!(tidy(said, Path::new("tests/ui/a.rs")), said.replace("tests/tests/", "tests/"));
    }
}
