//! A matrix of values as colours: layers by heads, layers by positions, heads by tokens.
//!
//! *How to read it*: the colour bar gives the units. On signed data zero is pale, red is negative and
//! blue positive. A grey cell has no finite value. *When it misleads*: one extreme cell takes up the
//! whole range, so the rest looks empty: set `limits`.

use serde::{Deserialize, Serialize};

use super::{counted, numbers as into_numbers, strings};
use crate::{
    Result,
    plot::{
        PlotKind, check,
        colour::{Colour, ColourScale, Scale},
        colour_bar::{self, ColourBar},
        labels::Labels,
        matrix::Matrix,
        numbers,
        scene::{Align, Area, LINE_PITCH, Scene},
        table::Table,
        terminal, text,
    },
};

const CAPTION: f64 = 10.0;

/// A matrix of values with named rows and columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heatmap {
    /// The title above the panel; may be empty.
    pub title: String,
    /// What the rows are, such as `layer`.
    pub row_axis: String,
    /// What the columns are, such as `head`.
    pub column_axis: String,
    /// `[row]`
    pub rows: Vec<String>,
    /// `[column]`
    pub columns: Vec<String>,
    /// `[row][column]`; a non-finite value is drawn grey.
    #[serde(with = "numbers")]
    pub values: Vec<Vec<f64>>,
    /// What the values are, shown at the colour bar, such as `logit difference (nats)`.
    pub units: String,
    /// The family of colours.
    pub scale: Scale,
    /// Replaces the range of the data; symmetric around zero on a diverging scale.
    pub limits: Option<[f64; 2]>,
    /// How many of the strongest cells to outline and name.
    pub annotate: usize,
    /// `[row][column]`: text in the cells, such as the top token of a logit lens.
    pub cell_text: Option<Vec<Vec<String>>>,
}

impl Heatmap {
    /// A heatmap of `[row][column]`; rows and columns are numbered until they are named.
    pub fn new<R, V>(values: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = V>,
        V: Into<f64>,
    {
        let values: Vec<Vec<f64>> = values.into_iter().map(into_numbers).collect();
        let (rows, columns) = (values.len(), values.first().map_or(0, Vec::len));
        Self { rows: counted("", rows), columns: counted("", columns), values, ..Self::default() }
    }

    /// One value per attention head, `[layer][head]`: rows `L0` ..., columns `H0` ...
    pub fn heads<R, V>(values: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = V>,
        V: Into<f64>,
    {
        let map = Self::new(values);
        let (rows, columns) = (counted("L", map.rows.len()), counted("H", map.columns.len()));
        map.rows("layer", rows).columns("head", columns)
    }

    /// Sets the title above the panel.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Names the rows: what they are, and each one.
    #[must_use]
    pub fn rows(self, axis: &str, labels: impl IntoIterator<Item = impl ToString>) -> Self {
        Self { row_axis: axis.to_owned(), rows: strings(labels), ..self }
    }

    /// Names the columns: what they are, and each one.
    #[must_use]
    pub fn columns(self, axis: &str, labels: impl IntoIterator<Item = impl ToString>) -> Self {
        Self { column_axis: axis.to_owned(), columns: strings(labels), ..self }
    }

    /// Sets what the values are, with their units.
    #[must_use]
    pub fn units(self, units: impl Into<String>) -> Self {
        Self { units: units.into(), ..self }
    }

    /// Red to blue with zero in the middle, even if the data has one sign.
    #[must_use]
    pub fn diverging(self) -> Self {
        Self { scale: Scale::Diverging, ..self }
    }

    /// Dark to light, even if the data has both signs.
    #[must_use]
    pub fn sequential(self) -> Self {
        Self { scale: Scale::Sequential, ..self }
    }

    /// Sets the family of colours.
    #[must_use]
    pub fn coloured(self, scale: Scale) -> Self {
        Self { scale, ..self }
    }

    /// Sets the values of the first and the last colour.
    #[must_use]
    pub fn limits(self, low: f64, high: f64) -> Self {
        Self { limits: Some([low, high]), ..self }
    }

    /// Outlines and names the `strongest` cells.
    #[must_use]
    pub fn annotate(self, strongest: usize) -> Self {
        Self { annotate: strongest, ..self }
    }

    /// Writes `[row][column]` into the cells.
    #[must_use]
    pub fn cell_text<R>(self, texts: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item: ToString>,
    {
        Self { cell_text: Some(texts.into_iter().map(strings).collect()), ..self }
    }

    /// The colours of this data.
    pub fn colour_scale(&self) -> ColourScale {
        ColourScale::fit(self.scale, self.limits, self.values.iter().flatten())
    }

    /// The strongest cells, strongest first: row, column, value. Strength is the magnitude on a diverging
    /// scale, otherwise the value itself; of equal cells the first in reading order wins.
    pub fn strongest(&self, count: usize) -> Vec<(usize, usize, f64)> {
        let scale = self.colour_scale();
        let rows = self.values.iter().enumerate();
        let cells = rows.flat_map(|(r, row)| row.iter().enumerate().map(move |(c, value)| (r, c, *value)));
        let mut cells: Vec<_> = cells.filter(|(_, _, value)| value.is_finite()).collect();
        cells.sort_by(|a, b| scale.strength(b.2).total_cmp(&scale.strength(a.2)));
        cells.truncate(count);
        cells
    }

    /// The name of a cell: `L9H6`, or `row, column` if the labels do not have that form.
    pub fn cell_name(&self, row: usize, column: usize) -> String {
        let (row, column) = (&self.rows[row], &self.columns[column]);
        let counter = |label: &str| label.starts_with(|c: char| c.is_ascii_uppercase()) && label.len() <= 4;
        if counter(row) && counter(column) {
            return format!("{row}{column}");
        }
        format!("{}, {}", text::visible(row), text::visible(column))
    }

    fn matrix(&self) -> Matrix<'_> {
        let count = (self.values.len(), self.columns.len());
        let cell = self.cell_text.as_ref().map_or_else(|| plain_cell(count), |texts| text_cell(texts));
        Matrix {
            rows: Labels::rows(&self.rows, cell.1),
            columns: Labels::columns(&self.columns, cell.0),
            row_axis: &self.row_axis,
            column_axis: &self.column_axis,
            count,
            cell,
        }
    }

    fn bar(&self) -> ColourBar<'_> {
        ColourBar {
            scale: self.colour_scale(),
            units: &self.units,
            missing: colour_bar::missing(self.values.iter().flatten()),
        }
    }

    /// The height of the cells and labels, or of the colour bar and names if those are higher.
    fn plot_height(&self) -> f64 {
        let matrix = self.matrix();
        (matrix.plot(0.0, 0.0).h + matrix.bottom()).max(self.bar().least_height()).max(matrix.least_height())
    }

    /// The strongest cells in words, in lines of at most `room` pixels.
    fn caption(&self, room: f64) -> Vec<String> {
        if self.annotate == 0 {
            return Vec::new();
        }
        let named = self.strongest(self.annotate).into_iter();
        let named = named.map(|(r, c, value)| format!("{}\u{a0}{}", self.cell_name(r, c), text::short(value)));
        let words: Vec<String> = named.collect();
        text::wrap(&format!("strongest: {}", words.join("; ")), CAPTION, room)
    }

    fn draw_text(&self, scene: &mut Scene, matrix: &Matrix<'_>, plot: Area, scale: ColourScale) {
        let Some(texts) = &self.cell_text else { return };
        for (r, row) in texts.iter().enumerate() {
            for (c, word) in row.iter().enumerate().filter(|(_, word)| !word.is_empty()) {
                let cell = matrix.cell(plot, r, c);
                let word = text::shorten(&text::visible(word), CAPTION, cell.w - 4.0);
                let ink = scale.colour(self.values[r][c]).ink_on();
                scene.text(&word, middle(cell), CAPTION, Align::Middle, ink);
            }
        }
    }

    fn draw_strongest(&self, scene: &mut Scene, matrix: &Matrix<'_>, plot: Area, scale: ColourScale) {
        for (r, c, value) in self.strongest(self.annotate) {
            let cell = matrix.cell(plot, r, c);
            let width = (cell.h / 10.0).clamp(0.5, 1.5);
            scene.outline(cell, Colour::INK, width);
            let name = self.cell_name(r, c);
            let size = [10.0, 9.0, 8.0].into_iter().find(|size| text::width(&name, *size) + 5.0 <= cell.w);
            if let (Some(size), None) = (size.filter(|size| *size + 3.0 <= cell.h), &self.cell_text) {
                scene.text(&name, middle(cell), size, Align::Middle, scale.colour(value).ink_on());
            }
        }
    }
}

/// A cell size: large enough to see, small enough for a page, never much wider than high.
fn plain_cell((rows, columns): (usize, usize)) -> (f64, f64) {
    let fit = |count: usize, room: f64, most: f64| (room / count.max(1) as f64).clamp(1.0, most);
    let (most_wide, most_high) = if rows.max(columns) <= 6 { (60.0, 46.0) } else { (42.0, 32.0) };
    let (w, h) = (fit(columns, 620.0, most_wide), fit(rows, 600.0, most_high));
    (w.min(h * 2.0), h.min((w * 1.5).max(16.0)))
}

/// A cell size wide enough for most of the texts.
fn text_cell(texts: &[Vec<String>]) -> (f64, f64) {
    let shown: Vec<String> = texts.iter().flatten().map(|word| text::visible(word)).collect();
    ((text::widest(&shown, CAPTION) + 8.0).clamp(28.0, 84.0), 20.0)
}

fn middle(cell: Area) -> (f64, f64) {
    (cell.x + cell.w / 2.0, cell.y + cell.h / 2.0)
}

impl PlotKind for Heatmap {
    fn name(&self) -> &'static str {
        "heatmap"
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn validate(&self) -> Result<()> {
        let columns = check::grid("heatmap", &self.values)?;
        check::length("heatmap", "`rows`", self.values.len(), self.rows.len())?;
        check::length("heatmap", "`columns`", columns, self.columns.len())?;
        check::limits("heatmap", self.limits)?;
        let Some(texts) = &self.cell_text else { return Ok(()) };
        check::length("heatmap", "`cell_text`", self.values.len(), texts.len())?;
        let mut rows = texts.iter().enumerate();
        rows.try_for_each(|(r, row)| check::length("heatmap", format!("row {r} of `cell_text`"), columns, row.len()))
    }

    fn size(&self) -> (f64, f64) {
        let matrix = self.matrix();
        let plot = matrix.plot(0.0, 0.0);
        let wide = matrix.left() + plot.w + self.bar().width();
        let caption = self.caption(wide).len() as f64 * CAPTION * LINE_PITCH;
        (wide, self.plot_height() + if caption > 0.0 { caption + 10.0 } else { 0.0 })
    }

    fn draw(&self, scene: &mut Scene, area: Area) {
        let (matrix, bar) = (self.matrix(), self.bar());
        let plot = matrix.plot(area.x + matrix.left(), area.y);
        matrix.draw_cells(scene, plot, |r, c| bar.scale.colour(self.values[r][c]));
        matrix.draw_rows(scene, plot);
        matrix.draw_columns(scene, plot);
        bar.draw(scene, plot);
        self.draw_text(scene, &matrix, plot, bar.scale);
        self.draw_strongest(scene, &matrix, plot, bar.scale);
        let lines = self.caption(matrix.left() + plot.w + bar.width());
        let under = area.y + self.plot_height() + 10.0;
        scene.lines(&lines, (area.x, under + CAPTION / 2.0), CAPTION, Colour::FAINT);
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["row", "row_label", "column", "column_label", "value"]);
        if self.cell_text.is_some() {
            table.header.push("text".into());
        }
        for (r, row) in self.values.iter().enumerate() {
            for (c, value) in row.iter().enumerate() {
                let labels = [r.to_string(), self.rows[r].clone(), c.to_string(), self.columns[c].clone()];
                let text = self.cell_text.as_ref().map(|texts| texts[r][c].clone());
                table.rows.push(labels.into_iter().chain([numbers::exact(*value)]).chain(text).collect());
            }
        }
        table
    }

    fn to_terminal(&self) -> String {
        let (columns, scale) = (self.columns.len(), self.colour_scale());
        let shades = terminal::Shades { labels: &self.rows, columns, scale, units: &self.units };
        shades.draw(|row, column| Some(self.values[row][column]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::kind::Example;

    impl Example for Heatmap {
        fn examples(values: &[f64]) -> Vec<Self> {
            vec![Self::new([values.to_vec()]).annotate(3)]
        }
    }

    fn two_by_three() -> Heatmap {
        Heatmap::heads([[1.0f32, -3.0, f32::NAN], [2.0, 0.5, -1.0]]).units("nats")
    }

    #[test]
    fn the_strongest_cells_are_those_furthest_from_zero() {
        let map = two_by_three();
        assert_eq!(map.strongest(2), [(0, 1, -3.0), (1, 0, 2.0)]);
        assert_eq!(map.cell_name(0, 1), "L0H1");
        assert_eq!(map.annotate(2).caption(500.0), ["strongest: L0H1\u{a0}-3; L1H0\u{a0}2"]);
    }

    #[test]
    fn ties_go_to_the_first_and_data_of_one_sign_goes_by_value() {
        let map = Heatmap::new([[1.0, 1.0], [-0.0, 0.0]]);
        assert_eq!(map.strongest(1), [(0, 0, 1.0)]);
        let negative = Heatmap::new([[-5.0, -1.0]]);
        assert_eq!(negative.strongest(1), [(0, 1, -1.0)]);
    }

    #[test]
    fn the_table_has_one_row_per_cell() {
        let csv = two_by_three().table().to_csv();
        assert!(csv.starts_with("row,row_label,column,column_label,value\n0,L0,0,H0,1\n0,L0,1,H1,-3\n0,L0,2,H2,NaN\n"));
        assert_eq!(csv.lines().count(), 7);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |map: Heatmap| map.validate().unwrap_err().to_string();
        assert_eq!(
            message(Heatmap::new(Vec::<Vec<f64>>::new())),
            "nothing to draw in the heatmap: it has no values; widen the selection it was made from"
        );
        assert_eq!(
            message(Heatmap::new([[f64::NAN]])),
            "nothing to draw in the heatmap: all its values are NaN or infinite; widen the selection it was made from"
        );
        assert_eq!(
            message(Heatmap::new(vec![vec![1.0, 2.0], vec![3.0]])),
            "heatmap: row 1 of `values` should have 2 entries, has 1"
        );
        assert_eq!(message(two_by_three().rows("layer", ["L0"])), "heatmap: `rows` should have 2 entries, has 1");
        assert_eq!(
            message(two_by_three().limits(1.0, f64::NAN)),
            "heatmap: limits from 1 to NaN: give two finite numbers, the smaller first"
        );
    }
}
