//! The data behind a panel as a table, and its CSV form (RFC 4180).

/// A header and rows of text cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Column names.
    pub header: Vec<String>,
    /// `[row][column]`, each row as long as the header.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows yet.
    pub fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    /// The table as CSV; a cell with a comma, a quote or a line break is quoted.
    pub fn to_csv(&self) -> String {
        let lines = std::iter::once(&self.header).chain(&self.rows);
        lines.map(|cells| csv_line(cells)).collect()
    }
}

fn csv_line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
    cells.join(",") + "\n"
}

fn csv_cell(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) || cell.trim() != cell {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_with_commas_quotes_and_spaces_stays_one_cell() {
        let mut table = Table::new(&["token", "value"]);
        table.rows.push(vec![" say \"a,b\"\n".into(), "NaN".into()]);
        assert_eq!(table.to_csv(), "token,value\n\" say \"\"a,b\"\"\n\",NaN\n");
    }
}
