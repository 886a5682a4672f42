//! Debug text that is the same in every process: entries of sets and maps are sorted, and addresses are refused.

/// The lowest possible address: no system maps the first page.
const FIRST_ADDRESS: u128 = 4096;

/// Debug text that is the same in every process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    /// The reason why it is not the whole value, if it says so itself.
    pub(super) part: Option<&'static str>,
}

/// Texts that belong to a process or a moment, or that stand for a value which is not written.
const REFUSED: [(&str, &str); 9] = [
    ("Instant {", "its debug text holds an `Instant`, which differs between processes"),
    ("ThreadId(", "its debug text holds a `ThreadId`, which differs between processes"),
    ("ParamId(", "its debug text holds a `ParamId`, which differs between processes"),
    ("{ fd: ", "its debug text holds a file descriptor, which differs between processes"),
    (", fd: ", "its debug text holds a file descriptor, which differs between processes"),
    ("Param: ", "it holds a Burn `Param`, whose debug text is a random id"),
    ("<locked>", "it holds a lock that is taken"),
    ("<borrowed>", "it holds a `RefCell` that is borrowed"),
    ("(Weak)", "it holds a `Weak`, whose value is not written"),
];

/// The text with the entries of its sets and maps sorted, because a hash map prints them in another order in each
/// process.
///
/// The error is the reason why the text is not the value, or depends on the process in a way that sorting does not
/// remove.
pub(super) fn stable(text: &str) -> Result<Text, String> {
    let mut reader = Reader { rest: text.chars().collect(), at: 0, bare: String::new() };
    let sorted = reader.group(None).map(|parts| parts.join(","));
    // Hand-written text whose brackets do not match. All of it is checked, none of it is sorted.
    let (sorted, bare) = sorted.map_or((text.to_owned(), text), |sorted| (sorted, reader.bare.as_str()));
    if has_address(bare) {
        return Err("its debug text holds an address, which differs between processes".into());
    }
    // A taken lock prints a text in place of its value. Inside another text its quotes would have backslashes.
    if text.contains("data: \"<locked>\"") {
        return Err("it holds a lock that is taken".into());
    }
    if let Some((_, why)) = REFUSED.iter().find(|(sign, _)| bare.contains(sign)) {
        return Err((*why).to_owned());
    }
    Ok(Text { text: sorted, part: leaves_out(bare).then_some("its debug text leaves fields out (`..`)") })
}

/// Whether a struct says that it has more fields than it shows. A lock says so too, but shows its value.
fn leaves_out(bare: &str) -> bool {
    let is_lock = |before: &str| before.ends_with("poisoned: false, ") || before.ends_with("poisoned: true, ");
    bare.match_indices(".. }").any(|(at, _)| {
        let before = &bare[..at];
        (before.ends_with(", ") || before.ends_with("{ ")) && !is_lock(before)
    })
}

/// Whether the text has a `0x..` that could be an address.
fn has_address(text: &str) -> bool {
    text.split("0x").skip(1).any(|after| {
        let digits: String = after.chars().take_while(char::is_ascii_hexdigit).collect();
        !digits.is_empty() && u128::from_str_radix(&digits, 16).map_or(true, |number| number >= FIRST_ADDRESS)
    })
}

struct Reader {
    rest: Vec<char>,
    at: usize,
    /// The text outside strings.
    bare: String,
}

impl Reader {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.get(self.at).copied();
        self.at += 1;
        next
    }

    /// The parts between commas, up to the bracket that closes them; `None` if the brackets do not match.
    fn group(&mut self, close: Option<char>) -> Option<Vec<String>> {
        let mut parts = vec![String::new()];
        loop {
            let next = self.next();
            if next == close {
                return Some(parts);
            }
            let (sign, part) = (next?, parts.last_mut()?);
            self.bare.push(sign);
            match sign {
                ',' => parts.push(String::new()),
                '{' | '[' | '(' => {
                    let inner = self.inner(sign, part)?;
                    part.push_str(&inner);
                }
                '}' | ']' | ')' => return None,
                '"' => part.push_str(&self.literal('"')?),
                '\'' if self.is_char() => part.push_str(&self.literal('\'')?),
                sign => part.push(sign),
            }
        }
    }

    /// A group with its brackets. It is sorted if it is a set or a map, whose brace has no name before it.
    fn inner(&mut self, open: char, before: &str) -> Option<String> {
        let before = before.trim_end();
        let nameless = open == '{' && (before.is_empty() || before.ends_with(':'));
        let close = match open {
            '{' => '}',
            '[' => ']',
            _ => ')',
        };
        let mut parts = self.group(Some(close))?;
        self.bare.push(close);
        if !nameless {
            return Some(format!("{open}{}{close}", parts.join(",")));
        }
        for part in &mut parts {
            *part = part.trim().to_owned();
        }
        parts.sort();
        Some(format!("{open}{}{close}", parts.join(", ")))
    }

    /// The rest of a string or character, with its quotes.
    fn literal(&mut self, quote: char) -> Option<String> {
        let mut text = String::from(quote);
        loop {
            let sign = self.next()?;
            text.push(sign);
            if sign == '\\' {
                text.push(self.next()?);
            } else if sign == quote {
                return Some(text);
            }
        }
    }

    /// Whether the `'` just read begins a character. In hand-written text it may be an apostrophe.
    fn is_char(&self) -> bool {
        self.rest.get(self.at) == Some(&'\\') || self.rest.get(self.at + 1) == Some(&'\'')
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::rc::Rc;
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug)]
    #[allow(dead_code, reason = "read by Debug")]
    struct Plain {
        text: &'static str,
        sign: char,
        pair: (Option<u8>, [f32; 2]),
        map: BTreeMap<u8, &'static str>,
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        let plain = Plain {
            text: "don't {b, a} \" 0x7ffe1234",
            sign: '"',
            pair: (Some(1), [0.5, 1.0]),
            map: BTreeMap::from([(1, "}"), (2, "")]),
        };
        let text = format!("{plain:?}");
        assert_eq!(stable(&text), Ok(whole(&text)));
        assert_eq!(stable("it's {half done"), Ok(whole("it's {half done")));
    }

    /// All of a value.
    fn whole(text: &str) -> Text {
        Text { text: text.to_owned(), part: None }
    }

    #[test]
    fn sets_and_maps_are_in_order() {
        let set: HashSet<u32> = (0..9).collect();
        assert_eq!(stable(&format!("{:?}", Some(set))), Ok(whole("Some({0, 1, 2, 3, 4, 5, 6, 7, 8})")));
        let map: HashMap<&str, HashSet<char>> = HashMap::from([("b", ['y', 'x'].into()), ("a", [','].into())]);
        assert_eq!(stable(&format!("{map:?}")), Ok(whole("{\"a\": {','}, \"b\": {'x', 'y'}}")));
    }

    #[test]
    fn an_address_is_refused_and_a_small_hexadecimal_number_is_not() {
        let (function, number) = (char::is_alphabetic as fn(char) -> bool, Rc::new(3));
        let address = Err("its debug text holds an address, which differs between processes".to_owned());
        assert_eq!(stable(&format!("{function:?}")), address);
        assert_eq!(stable(&format!("Node({:?})", Rc::as_ptr(&number))), address);
        assert_eq!(stable("Mask(0x1f)"), Ok(whole("Mask(0x1f)")));
    }

    #[test]
    fn what_belongs_to_a_process_or_is_not_written_is_refused() {
        let (lock, cell, rc) = (Mutex::new(1), RefCell::new(2), Rc::new(3));
        let (_guard, _borrow) = (lock.lock(), cell.borrow_mut());
        for (text, why) in [
            (format!("{:?}", std::time::Instant::now()), "an `Instant`"),
            (format!("{:?}", std::thread::current().id()), "a `ThreadId`"),
            (format!("{:?}", std::fs::File::open("Cargo.toml").unwrap()), "a file descriptor"),
            (format!("{lock:?}"), "a lock that is taken"),
            (format!("{cell:?}"), "a `RefCell` that is borrowed"),
            (format!("{:?}", Rc::downgrade(&rc)), "a `Weak`"),
        ] {
            assert!(stable(&text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn a_text_that_leaves_fields_out_is_a_part() {
        assert_eq!(stable(&format!("{:?}", Some(Mutex::new(1)))).unwrap().part, None);
        assert_eq!(stable(&format!("{:?}", Some((0.., ..)))).unwrap().part, None);
        let sender = format!("{:?}", std::sync::mpsc::channel::<u8>().0);
        assert_eq!(stable(&sender).unwrap().part, Some("its debug text leaves fields out (`..`)"));
    }
}
