//! Attention patterns of one or several heads, tokens on both axes.
//!
//! *How to read it*: a row is the position that attends (query, destination), a column the position
//! attended to (key, source). The weights of a row sum to 1. Light grey is the future, which a causal
//! model cannot see. All heads share one scale. *When it misleads*: attention to the first token is
//! often an attention sink, not information (Xiao et al. 2023, arXiv:2309.17453).

use serde::{Deserialize, Serialize};

use super::{numbers as into_numbers, strings};
use crate::{
    Error, Result,
    plot::{
        PlotKind, check,
        colour::{Colour, ColourScale, Scale},
        colour_bar::{self, ColourBar},
        labels::Labels,
        matrix::Matrix,
        numbers,
        scene::{Align, Area, Scene},
        table::Table,
        terminal, text,
    },
};

const HEAD_TITLE: f64 = 22.0;
const GUTTER: f64 = 14.0;
/// Softmax leaves nothing above the diagonal; this allows for half-precision rounding.
const DUST: f64 = 1e-4;
/// Scores of the future are minus infinity, or so low that softmax gives them no weight.
const MASKED_SCORE: f64 = -1e4;

/// One head's pattern.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// `L9H6`
    pub name: String,
    /// `[query][key]`: weights, or scores in nats.
    #[serde(with = "numbers")]
    pub pattern: Vec<Vec<f64>>,
}

/// The patterns of heads over the same tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attention {
    /// The title above the panel; may be empty.
    pub title: String,
    /// In reading order.
    pub heads: Vec<Head>,
    /// `[query]`
    pub queries: Vec<String>,
    /// `[key]`; with a cache there are more keys than queries.
    pub keys: Vec<String>,
    /// Whether a position sees only itself and earlier positions; the future is then drawn grey.
    pub causal: bool,
    /// What the values are, such as `attention weight`.
    pub units: String,
    /// The family of colours.
    pub scale: Scale,
    /// By default 0 to 1 for weights, otherwise the range of the data.
    pub limits: Option<[f64; 2]>,
}

impl Attention {
    /// Causal self-attention over `tokens`, with no heads yet.
    pub fn new(tokens: impl IntoIterator<Item = impl ToString>) -> Self {
        let queries = strings(tokens);
        let units = "attention weight".to_owned();
        Self { keys: queries.clone(), queries, causal: true, units, ..Self::default() }
    }

    /// Adds a head's pattern, `[query][key]`.
    #[must_use]
    pub fn head<R, V>(mut self, name: impl Into<String>, pattern: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = V>,
        V: Into<f64>,
    {
        let pattern = pattern.into_iter().map(into_numbers).collect();
        self.heads.push(Head { name: name.into(), pattern });
        self
    }

    /// Sets the title above the panel.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Sets keys that differ from the queries, as with a cache.
    #[must_use]
    pub fn keys(self, tokens: impl IntoIterator<Item = impl ToString>) -> Self {
        Self { keys: strings(tokens), ..self }
    }

    /// Lets every position see every other: nothing is greyed.
    #[must_use]
    pub fn bidirectional(self) -> Self {
        Self { causal: false, ..self }
    }

    /// Sets what the values are, if they are not weights.
    #[must_use]
    pub fn units(self, units: impl Into<String>) -> Self {
        Self { units: units.into(), ..self }
    }

    /// Sets the values of the first and the last colour.
    #[must_use]
    pub fn limits(self, low: f64, high: f64) -> Self {
        Self { limits: Some([low, high]), ..self }
    }

    /// Whether this key is in the query's future. The last query sees the last key.
    pub fn is_masked(&self, query: usize, key: usize) -> bool {
        self.causal && key + self.queries.len() > query + self.keys.len()
    }

    /// The colours of all heads.
    pub fn colour_scale(&self) -> ColourScale {
        let seen: Vec<f64> = self.seen().filter(|value| value.is_finite()).collect();
        let weights = seen.iter().all(|value| (0.0..=1.001).contains(value));
        let limits = self.limits.or(weights.then_some([0.0, 1.0]));
        ColourScale::fit(self.scale, limits, &seen)
    }

    /// Whether this cell is drawn as the future. NaN and plus infinity are always shown.
    fn is_greyed(&self, query: usize, key: usize, value: f64) -> bool {
        self.is_masked(query, key) && !value.is_nan() && value != f64::INFINITY
    }

    /// All values that are not in the future.
    fn seen(&self) -> impl Iterator<Item = f64> {
        self.heads.iter().flat_map(move |head| {
            let rows = head.pattern.iter().enumerate();
            rows.flat_map(move |(q, row)| {
                let cells = row.iter().enumerate();
                cells.filter_map(move |(k, value)| (!self.is_masked(q, k)).then_some(*value))
            })
        })
    }

    /// Checks that greying hides no weight.
    fn check_future(&self, head: &Head) -> Result<()> {
        for (q, row) in head.pattern.iter().enumerate() {
            for (k, value) in row.iter().enumerate() {
                if self.is_masked(q, k) && value.is_finite() && value.abs() > DUST && *value > MASKED_SCORE {
                    let value = text::short(*value);
                    let problem = format!(
                        "`{}` gives {value} to key {k} from query {q}, which a causal model cannot see: \
                         call `bidirectional`, or check the axes are [query][key]",
                        head.name
                    );
                    return Err(Error::FigureValue { kind: "attention", problem });
                }
            }
        }
        Ok(())
    }

    fn columns(&self) -> usize {
        let count = self.heads.len();
        if count <= 3 { count } else { ((count as f64).sqrt().ceil() as usize).clamp(2, 6) }
    }

    /// The matrix of every head; only heads at the edge draw their labels.
    fn matrix(&self) -> Matrix<'_> {
        let longest = self.queries.len().max(self.keys.len()).max(1) as f64;
        let side = match self.columns() {
            1 => (620.0 / longest).clamp(1.0, if longest <= 8.0 { 44.0 } else { 28.0 }),
            2 => (380.0 / longest).clamp(1.0, 24.0),
            _ => (260.0 / longest).clamp(1.0, 18.0),
        };
        Matrix {
            rows: Labels::rows(&self.queries, side),
            columns: Labels::columns(&self.keys, side),
            row_axis: "query (destination)",
            column_axis: "key (source)",
            count: (self.queries.len(), self.keys.len()),
            cell: (side, side),
        }
    }

    fn bar(&self) -> ColourBar<'_> {
        let cells = self.heads.iter().flat_map(|head| {
            let rows = head.pattern.iter().enumerate();
            rows.flat_map(|(q, row)| row.iter().enumerate().map(move |(k, value)| (q, k, value)))
        });
        let shown = cells.filter(|(q, k, value)| !self.is_greyed(*q, *k, **value)).map(|(_, _, value)| value);
        ColourBar { scale: self.colour_scale(), units: &self.units, missing: colour_bar::missing(shown) }
    }

    /// The cells of head `index`; those of the first head begin at `(x, y)`.
    fn plot(&self, matrix: &Matrix<'_>, index: usize, (x, y): (f64, f64)) -> Area {
        let one = matrix.plot(x, y);
        let (row, column) = (index / self.columns(), index % self.columns());
        let wide = one.w.max(70.0) + GUTTER;
        Area { x: x + wide * column as f64, y: y + (one.h + HEAD_TITLE) * row as f64, ..one }
    }

    fn draw_head(&self, scene: &mut Scene, matrix: &Matrix<'_>, index: usize, plot: Area) {
        let (head, scale) = (&self.heads[index], self.colour_scale());
        let colour = |q: usize, k: usize| {
            let value = head.pattern[q][k];
            if self.is_greyed(q, k, value) { Colour::MASKED } else { scale.colour(value) }
        };
        matrix.draw_cells(scene, plot, colour);
        let name = text::shorten(&head.name, 12.0, plot.w.max(70.0));
        scene.text(&name, (plot.x + plot.w / 2.0, plot.y - HEAD_TITLE / 2.0), 12.0, Align::Middle, Colour::INK);
        if index.is_multiple_of(self.columns()) {
            matrix.draw_rows(scene, plot);
        }
        if index + self.columns() >= self.heads.len() {
            matrix.draw_columns(scene, plot);
        }
    }
}

impl PlotKind for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn validate(&self) -> Result<()> {
        let cells = self.heads.len() * self.queries.len() * self.keys.len();
        if cells > check::MAX_CELLS {
            let problem = format!("{cells} cells are more than {}: draw fewer heads or positions", check::MAX_CELLS);
            return Err(Error::FigureValue { kind: "attention", problem });
        }
        for head in &self.heads {
            let named = format!("the pattern of `{}`", head.name);
            check::length("attention", format!("{named}, by queries,"), self.queries.len(), head.pattern.len())?;
            for (q, row) in head.pattern.iter().enumerate() {
                check::length("attention", format!("row {q} of {named}"), self.keys.len(), row.len())?;
            }
        }
        check::some_finite("attention", &self.seen().collect::<Vec<_>>())?;
        check::limits("attention", self.limits)?;
        self.heads.iter().try_for_each(|head| self.check_future(head))
    }

    fn size(&self) -> (f64, f64) {
        let matrix = self.matrix();
        let last_row = self.heads.len().div_ceil(self.columns()) - 1;
        let right = self.plot(&matrix, self.columns() - 1, (0.0, 0.0)).right();
        let bottom = self.plot(&matrix, last_row * self.columns(), (0.0, HEAD_TITLE)).bottom();
        let least = HEAD_TITLE + self.bar().least_height().max(matrix.least_height());
        (matrix.left() + right + self.bar().width(), (bottom + matrix.bottom()).max(least))
    }

    fn draw(&self, scene: &mut Scene, area: Area) {
        let matrix = self.matrix();
        let origin = (area.x + matrix.left(), area.y + HEAD_TITLE);
        for index in 0..self.heads.len() {
            self.draw_head(scene, &matrix, index, self.plot(&matrix, index, origin));
        }
        let last = self.plot(&matrix, self.columns() - 1, origin);
        self.bar().draw(scene, last);
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["head", "query", "query_token", "key", "key_token", "value"]);
        for head in &self.heads {
            for (q, row) in head.pattern.iter().enumerate() {
                for (k, value) in row.iter().enumerate() {
                    let (query, key) = (self.queries[q].clone(), self.keys[k].clone());
                    let value = numbers::exact(*value);
                    table.rows.push(vec![head.name.clone(), q.to_string(), query, k.to_string(), key, value]);
                }
            }
        }
        table
    }

    fn to_terminal(&self) -> String {
        let (columns, scale) = (self.keys.len(), self.colour_scale());
        let shades = terminal::Shades { labels: &self.queries, columns, scale, units: &self.units };
        let shown = |head: &Head, q: usize, k: usize| {
            let value = head.pattern[q][k];
            (!self.is_greyed(q, k, value)).then_some(value)
        };
        let heads = self.heads.iter();
        heads.map(|head| head.name.clone() + "\n" + &shades.draw(|q, k| shown(head, q, k))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::kind::Example;

    impl Example for Attention {
        fn examples(values: &[f64]) -> Vec<Self> {
            vec![Self::new([""]).keys(values).bidirectional().head("", [values.to_vec()])]
        }
    }

    #[test]
    fn the_future_is_masked_and_counted_from_the_end() {
        let square = Attention::new(["a", "b"]).head("L0H0", [[1.0, 0.0], [0.25, 0.75]]);
        assert!(square.is_masked(0, 1) && !square.is_masked(1, 1) && !square.is_masked(1, 0));
        let cached = Attention::new(["c"]).keys(["a", "b", "c"]);
        assert!(!cached.is_masked(0, 2));
        assert_eq!(square.seen().collect::<Vec<_>>(), [1.0, 0.25, 0.75]);
    }

    #[test]
    fn weights_share_the_scale_from_zero_to_one() {
        let weights = Attention::new(["a", "b"]).head("L0H0", [[1.0, 0.0], [0.5, 0.5]]);
        assert_eq!((weights.colour_scale().low, weights.colour_scale().high), (0.0, 1.0));
        let scores = Attention::new(["a", "b"]).head("L0H0", [[-2.0, f64::NEG_INFINITY], [1.0, 0.5]]);
        assert_eq!((scores.colour_scale().low, scores.colour_scale().high), (-2.0, 2.0));
        assert!(scores.validate().is_ok());
    }

    #[test]
    fn the_terminal_shows_one_map_a_head() {
        let plot = Attention::new(["a", "b"]).head("L0H0", [[1.0, 0.0], [0.25, 0.75]]);
        assert_eq!(plot.to_terminal(), "L0H0\na │██  │\nb │░░▓▓│\nshade: 0 to 1 attention weight\n");
    }

    #[test]
    fn a_weight_on_the_future_is_an_error_unless_bidirectional() {
        let plot = Attention::new(["a", "b"]).head("L0H0", [[0.5, 0.5], [0.5, 0.5]]);
        assert_eq!(
            plot.validate().unwrap_err().to_string(),
            "attention: `L0H0` gives 0.5 to key 1 from query 0, which a causal model cannot see: \
             call `bidirectional`, or check the axes are [query][key]"
        );
        assert!(plot.bidirectional().validate().is_ok());
        let score = |future: f64| Attention::new(["a", "b"]).head("s", [[1.0, future], [0.5, -2.0]]).validate();
        assert!(score(-3.5).unwrap_err().to_string().contains("gives -3.5 to key 1 from query 0"));
        assert!(score(-1e9).is_ok() && score(f64::NEG_INFINITY).is_ok());
    }

    #[test]
    fn the_future_is_blank_on_every_scale_and_hides_no_nan() {
        let scores = Attention::new(["a", "b"]).head("s", [[-2.0, f64::NEG_INFINITY], [-1.0, -3.0]]).units("nats");
        assert_eq!(scores.to_terminal(), "s\na │▒▒  │\nb │██  │\nshade: -3 to -1 nats\n");
        let broken = Attention::new(["a", "b"]).head("h", [[1.0, f64::NAN], [0.5, 0.5]]);
        assert_eq!(broken.bar().missing, Some("NaN"));
        assert!(broken.to_terminal().starts_with("h\na │██??│\n"), "{}", broken.to_terminal());
    }

    #[test]
    fn a_pattern_of_another_size_is_an_error() {
        let plot = Attention::new(["a", "b"]).head("L0H0", [[1.0]]);
        assert_eq!(
            plot.validate().unwrap_err().to_string(),
            "attention: the pattern of `L0H0`, by queries, should have 2 entries, has 1"
        );
    }
}
