//! Rows of cells as CSV (RFC 4180).

use csv_core::{WriteResult, Writer};

/// Rows, each ended by a newline; cells are quoted where they need it.
pub(super) fn table(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut writer = Writer::new();
    let mut out = Vec::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            if index > 0 {
                push(&mut out, 0, |room| writer.delimiter(room));
            }
            push(&mut out, cell.len(), |room| {
                let (result, _, written) = writer.field(cell.as_bytes(), room);
                (result, written)
            });
        }
        push(&mut out, 0, |room| writer.terminator(room));
    }
    String::from_utf8(out).expect("BUG: every cell is text")
}

/// Writes into room for a cell of so many bytes, all of which may be quotes.
fn push(out: &mut Vec<u8>, bytes: usize, write: impl FnOnce(&mut [u8]) -> (WriteResult, usize)) {
    let start = out.len();
    out.resize(start + 2 * bytes + 4, 0);
    let (result, written) = write(&mut out[start..]);
    assert!(matches!(result, WriteResult::InputEmpty), "BUG: there is room for the cell");
    out.truncate(start + written);
}

/// The rows of a table.
#[cfg(test)]
pub(super) fn read(text: &str) -> Vec<Vec<String>> {
    let (mut reader, mut rows, mut input) = (csv_core::Reader::new(), Vec::new(), text.as_bytes());
    loop {
        let (mut cells, mut ends) = (vec![0; text.len() + 1], vec![0; 1000]);
        let (result, read, _, count) = reader.read_record(input, &mut cells, &mut ends);
        input = &input[read..];
        match result {
            csv_core::ReadRecordResult::Record => {}
            csv_core::ReadRecordResult::InputEmpty if !input.is_empty() => continue,
            _ => return rows,
        }
        let starts = std::iter::once(0).chain(ends[..count].iter().copied());
        let cell = |(start, end): (usize, &usize)| String::from_utf8(cells[start..*end].to_vec()).unwrap();
        rows.push(starts.zip(&ends[..count]).map(cell).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_need_it() {
        let rows = vec![
            vec!["a".to_owned(), "b, c".into(), "say \"yes\"".into()],
            vec![String::new(), "two\nlines".into(), "é".into()],
        ];
        let text = table(rows.clone());
        assert_eq!(text, "a,\"b, c\",\"say \"\"yes\"\"\"\n,\"two\nlines\",é\n");
        assert_eq!(read(&text), rows);
        assert_eq!(table([]), "");
    }
}
