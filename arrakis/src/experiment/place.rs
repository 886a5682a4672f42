//! Where a function is: its path with the type or trait that it belongs to, read from a type name of the compiler.

/// The place of a function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The function's path without generic arguments: `heads::sweep`, `heads::Sweep::run`,
    /// `heads::<Sweep as Scan>::run`. It begins with the function's module.
    pub(crate) function: String,
    /// The path with the generic arguments of the call, if it has any.
    pub(crate) instance: Option<String>,
}

impl Place {
    /// The place of a function of this module, by the type name of a closure in its body.
    ///
    /// Such a name is the function's path and `::{{closure}}`. The path of a method has its type, and every generic
    /// parameter has its argument: `heads::Sweep<f32>::run<3>::{{closure}}`.
    pub(crate) fn of(module: &str, name: &str, body: &str) -> Self {
        let segments: Vec<&str> = split(body, "::").into_iter().filter(|segment| *segment != "{{closure}}").collect();
        let mut plain: Vec<String> = segments.iter().map(|segment| plain(segment, module)).collect();
        if plain.last().is_none_or(|last| last != name) {
            return Self { function: format!("{module}::{name}"), instance: None };
        }
        if plain[0].starts_with('<') {
            plain.insert(0, module.to_owned());
        }
        let full = segments.join("::");
        Self { function: plain.join("::"), instance: Some(full).filter(|full| without_generics(full) != *full) }
    }
}

/// Whether a function's path is asked for by this path or its end. In the end, a type stands for its trait impls as
/// well: `Sweep::run` is also `heads::<Sweep as Scan>::run`.
pub(super) fn answers_to(function: &str, asked: &str) -> bool {
    let by_type = |segment: &&str| match owner(segment) {
        Some((kind, _)) => split(kind, "::").pop().unwrap_or_default().to_owned(),
        None => (*segment).to_owned(),
    };
    let by_type = split(function, "::").iter().map(by_type).collect::<Vec<_>>().join("::");
    let ends = |path: &str| path.strip_suffix(asked).is_some_and(|before| before.is_empty() || before.ends_with("::"));
    ends(function) || ends(&by_type)
}

/// A segment without generic arguments. Paths in it begin at the module.
fn plain(segment: &str, module: &str) -> String {
    let within = |path: &str| {
        let path = without_generics(path);
        let inner = path.strip_prefix(module).and_then(|rest| rest.strip_prefix("::"));
        inner.map_or_else(|| path.clone(), str::to_owned)
    };
    match owner(segment) {
        Some((kind, Some(of))) => format!("<{} as {}>", within(kind), within(of)),
        Some((kind, None)) => format!("<{}>", within(kind)),
        None => without_generics(segment),
    }
}

/// The type and the trait in `<Sweep as Scan>`, `<impl Scan for Sweep>` and `<impl Sweep>`.
fn owner(segment: &str) -> Option<(&str, Option<&str>)> {
    let inner = segment.strip_prefix('<')?.strip_suffix('>')?;
    let Some(implemented) = inner.strip_prefix("impl ") else {
        return Some(split(inner, " as ").try_into().map_or((inner, None), |[kind, of]: [&str; 2]| (kind, Some(of))));
    };
    let parts = split(implemented, " for ");
    Some(parts.try_into().map_or((implemented, None), |[of, kind]: [&str; 2]| (kind, Some(of))))
}

/// The parts between separators that stand outside all brackets.
fn split<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    for (at, depth) in depths(text) {
        if depth == 0 && at >= start && text[at..].starts_with(separator) {
            parts.push(&text[start..at]);
            start = at + separator.len();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Without each `<..>` that follows a name.
fn without_generics(text: &str) -> String {
    let (mut kept, mut inside) = (String::new(), None);
    for (at, depth) in depths(text) {
        let sign = text[at..].chars().next().expect("BUG: a character begins here");
        let after_name = kept.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        match inside {
            None if sign == '<' && after_name => inside = Some(depth),
            None => kept.push(sign),
            Some(outer) if depth == outer => {
                inside = None;
                kept.push(sign);
            }
            Some(_) => {}
        }
    }
    kept
}

/// Where each character begins, and how many brackets are open before it. A closing bracket counts as inside.
fn depths(text: &str) -> Vec<(usize, usize)> {
    let (mut depth, mut found) = (0_usize, Vec::new());
    let mut signs = text.char_indices().peekable();
    let mut previous = ' ';
    while let Some((at, sign)) = signs.next() {
        found.push((at, depth));
        match sign {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' if previous == '-' => {}
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            // A constant character, whose sign may be a bracket.
            '\'' => {
                let escaped = signs.peek().is_some_and(|(_, next)| *next == '\\');
                for (at, _) in signs.by_ref().take(if escaped { 2 } else { 1 }) {
                    found.push((at, depth));
                }
                for (at, sign) in signs.by_ref() {
                    found.push((at, depth));
                    if sign == '\'' {
                        break;
                    }
                }
            }
            _ => {}
        }
        previous = sign;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function of the module `study::heads`, and its instance.
    fn place(body: &str, name: &str) -> (String, Option<String>) {
        let Place { function, instance } = Place::of("study::heads", name, body);
        (function, instance)
    }

    #[test]
    fn a_plain_function_is_its_path() {
        assert_eq!(place("study::heads::sweep::{{closure}}", "sweep"), ("study::heads::sweep".into(), None));
        let nested = "study::heads::sweep::{{closure}}::inner::{{closure}}::{{closure}}";
        assert_eq!(place(nested, "inner"), ("study::heads::sweep::inner".into(), None));
        assert_eq!(place("a body of another kind", "sweep"), ("study::heads::sweep".into(), None));
    }

    #[test]
    fn a_method_has_its_type_and_its_trait() {
        for (body, function) in [
            ("study::heads::Sweep::run::{{closure}}", "study::heads::Sweep::run"),
            ("study::heads::<impl study::Sweep>::run::{{closure}}", "study::heads::<study::Sweep>::run"),
            ("<study::heads::Sweep as study::heads::Scan>::run::{{closure}}", "study::heads::<Sweep as Scan>::run"),
            (
                "study::heads::<impl study::Scan for [u8; 3]>::run::{{closure}}",
                "study::heads::<[u8; 3] as study::Scan>::run",
            ),
        ] {
            assert_eq!(place(body, "run"), (function.to_owned(), None));
        }
    }

    #[test]
    fn the_end_of_a_path_is_enough_to_ask_for_it() {
        let answers = |asked| answers_to("study::heads::<a::Sweep as Scan>::run", asked);
        for asked in
            ["study::heads::<a::Sweep as Scan>::run", "<a::Sweep as Scan>::run", "heads::Sweep::run", "Sweep::run"]
        {
            assert!(answers(asked), "{asked}");
        }
        for asked in ["weep::run", "Scan::run", "Sweep::walk", "heads::run"] {
            assert!(!answers(asked), "{asked}");
        }
    }

    #[test]
    fn generic_arguments_are_in_the_instance_alone() {
        for (body, function, instance) in [
            (
                "study::heads::run<3, '>', fn(u8) -> u8>::{{closure}}",
                "study::heads::run",
                "study::heads::run<3, '>', fn(u8) -> u8>",
            ),
            (
                "study::heads::Sweep<alloc::vec::Vec<u8>>::run<f32>::{{closure}}",
                "study::heads::Sweep::run",
                "study::heads::Sweep<alloc::vec::Vec<u8>>::run<f32>",
            ),
            (
                "<study::heads::Sweep<u8> as study::heads::Scan<u16>>::run::{{closure}}",
                "study::heads::<Sweep as Scan>::run",
                "<study::heads::Sweep<u8> as study::heads::Scan<u16>>::run",
            ),
        ] {
            assert_eq!(place(body, "run"), (function.to_owned(), Some(instance.to_owned())));
        }
    }

    #[test]
    fn the_compiler_names_a_closure_by_the_path_of_its_function() {
        struct Sweep<T>(T);
        impl<T> Sweep<T> {
            fn run<const N: usize>(self) -> &'static str {
                std::any::type_name_of_val(&|| self.0)
            }
        }
        let here = format!("{}::the_compiler_names_a_closure_by_the_path_of_its_function", module_path!());
        let place = Place::of(module_path!(), "run", Sweep(0_u8).run::<3>());
        assert_eq!(
            place,
            Place { function: format!("{here}::Sweep::run"), instance: Some(format!("{here}::Sweep<u8>::run<3>")) }
        );
    }
}
