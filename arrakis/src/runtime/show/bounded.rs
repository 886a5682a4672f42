//! Debug text up to a bound.

use std::fmt::{self, Debug, Write};

/// The most bytes of debug text.
const MOST_BYTES: usize = 16 << 20;

/// The most bytes of the stack that writing a value may use. A value that holds itself would use all of it.
const MOST_STACK: usize = 256 << 10;

/// The debug text of a value.
///
/// The error is the reason why there is none: it is too long, too deep, or its `Debug` fails.
pub(super) fn text<T: Debug>(value: &T) -> Result<String, String> {
    let mut bounded = Bounded { text: String::new(), start: here(), cut: None };
    let written = write!(bounded, "{value:?}");
    match (bounded.cut, written) {
        (Some(why), _) => Err(why),
        (None, Err(_)) => Err("its `Debug` fails".into()),
        (None, Ok(())) => Ok(bounded.text),
    }
}

struct Bounded {
    text: String,
    /// Where on the stack writing began.
    start: usize,
    cut: Option<String>,
}

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.text.len() + part.len() > MOST_BYTES {
            self.cut = Some(format!("its debug text is longer than {} MiB", MOST_BYTES >> 20));
        } else if here().abs_diff(self.start) > MOST_STACK {
            self.cut = Some("it is nested too deeply, or holds itself".into());
        }
        if self.cut.is_some() {
            return Err(fmt::Error);
        }
        self.text.push_str(part);
        Ok(())
    }
}

/// About where the stack ends.
fn here() -> usize {
    let marker = 0_u8;
    std::ptr::from_ref(&marker).addr()
}
