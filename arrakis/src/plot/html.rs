//! A figure as one HTML file that needs no network: the drawing, its tables and its data.

use super::{Figure, paint, table::Table};

/// The number of rows shown on the page; the data block has them all.
const MOST_ROWS: usize = 500;

const STYLE: &str = "body{font:15px/1.4 'DejaVu Sans',Verdana,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;\
color:#1e1e1e}svg{max-width:100%;height:auto}table{border-collapse:collapse;font-size:13px}\
td,th{border:1px solid #ddd;padding:2px 8px;text-align:left;white-space:pre-wrap}summary{cursor:pointer}";

impl Figure {
    /// The figure as a self-contained HTML page: inline SVG, tables, and the JSON data.
    ///
    /// If the figure cannot be drawn, the page says why.
    pub fn to_html(&self) -> String {
        let title = escape(&self.title);
        let drawing = match self.validate() {
            Ok(()) => self.drawing(),
            Err(error) => format!("<h1>{title}</h1>\n<p>{}</p>\n", escape(&error.to_string())),
        };
        // A `<` could end the script element; JSON strings allow it as an escape.
        let data = self.to_json().replace('<', "\\u003c");
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n{drawing}\
             <script type=\"application/json\" id=\"figure-data\">\n{data}</script>\n</body>\n</html>\n"
        )
    }

    fn drawing(&self) -> String {
        let (scene, size) = self.scene();
        let tables = self.panels.iter().map(|panel| {
            let plot = panel.plot();
            let name = escape(&format!("{} {}", plot.name(), plot.title()));
            format!("<details><summary>data: {}</summary>\n{}</details>\n", name.trim(), rows(&plot.table()))
        });
        paint::svg(&scene, size) + &tables.collect::<String>()
    }
}

fn rows(table: &Table) -> String {
    let line = |cells: &[String], tag: &str| {
        let cells: Vec<String> = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect();
        format!("<tr>{}</tr>\n", cells.concat())
    };
    let body: String = table.rows.iter().take(MOST_ROWS).map(|row| line(row, "td")).collect();
    let rest = table.rows.len().saturating_sub(MOST_ROWS);
    let more = if rest == 0 { String::new() } else { format!("<p>and {rest} more rows in the CSV file</p>\n") };
    format!("<table>\n{}{body}</table>\n{more}", line(&table.header, "th"))
}

/// The text without markup.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::{ColouredTokens, Heatmap};
    use super::*;

    #[test]
    fn the_page_needs_no_network_and_cannot_be_broken_out_of() {
        let plot = ColouredTokens::new(["</script><script>alert(1)</script>", "b"], [1.0, f64::NAN]);
        let page = Figure::new("<b>").tokens(plot).to_html();
        assert_eq!(page.matches("<script").count(), 1);
        assert_eq!(page.matches("</script>").count(), 1);
        assert!(page.contains("<title>&lt;b&gt;</title>") && page.contains("<svg width="));
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http"));
    }

    #[test]
    fn the_data_can_be_read_back() {
        let figure = Figure::new("a < b").heatmap(Heatmap::new([[1.0, f64::NAN]]));
        let page = figure.to_html();
        let data = page.split("id=\"figure-data\">\n").nth(1).unwrap().split("</script>").next().unwrap();
        assert_eq!(Figure::from_json(data).unwrap().to_json(), figure.to_json());
    }

    #[test]
    fn a_figure_that_cannot_be_drawn_says_why() {
        assert!(Figure::new("t").to_html().contains("nothing to draw in the figure: it has no panels"));
    }
}
