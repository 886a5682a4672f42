//! A line of an index: fields with tabs between them, and a sum that a torn line does not have.

use std::borrow::Cow;

/// A line of these fields, with its newline.
pub(super) fn written<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let fields = fields.into_iter().map(escaped).collect::<Vec<_>>().join("\t");
    let sum = sum(fields.as_bytes());
    format!("{fields}\t{sum:016x}\n")
}

/// The fields of a line, still escaped; `None` if it is not whole.
pub(super) fn whole(line: &str) -> Option<&str> {
    let (fields, written) = line.rsplit_once('\t')?;
    (u64::from_str_radix(written, 16).ok()? == sum(fields.as_bytes()) && written.len() == 16).then_some(fields)
}

/// A field as it was.
pub(super) fn plain(field: &str) -> Cow<'_, str> {
    if !field.contains('\\') {
        return field.into();
    }
    let (mut plain, mut signs) = (String::with_capacity(field.len()), field.chars());
    while let Some(sign) = signs.next() {
        plain.push(match sign {
            '\\' => match signs.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                other => other.unwrap_or('\\'),
            },
            sign => sign,
        });
    }
    plain.into()
}

fn escaped(field: &str) -> Cow<'_, str> {
    if !field.contains(['\\', '\t', '\n', '\r']) {
        return field.into();
    }
    field.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r").into()
}

/// Tells torn and mixed lines from whole ones; eight bytes at a time, because an index is read for every question.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut chunks = bytes.chunks_exact(8);
    let add = |sum: u64, chunk: u64| (sum ^ chunk).wrapping_mul(FACTOR).rotate_left(29);
    let mut sum = bytes.len() as u64;
    for chunk in &mut chunks {
        sum = add(sum, u64::from_le_bytes(chunk.try_into().expect("BUG: chunks have eight bytes")));
    }
    chunks.remainder().iter().fold(sum, |sum, byte| add(sum, u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_read_back_and_torn_lines_do_not() {
        let fields = ["a\tb", "c\\t\n", "", "é\r"];
        let line = written(fields);
        assert_eq!(line.matches('\n').count(), 1);
        let read = whole(line.trim_end_matches('\n')).unwrap();
        assert_eq!(read.split('\t').map(plain).collect::<Vec<_>>(), fields);
        for end in (0..line.len() - 1).filter(|end| line.is_char_boundary(*end)) {
            assert_eq!(whole(&line[..end]), None, "{end}");
        }
        assert_eq!(whole(&line.replace('a', "x")), None);
    }
}
