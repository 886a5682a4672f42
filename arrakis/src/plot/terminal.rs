//! Figures as a few lines of text: shades for matrices, blocks for bars, sparklines for lines.

use super::{colour::ColourScale, table::Table, text};

const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const BAR: f64 = 32.0;
/// Most rows, columns or lines shown; the files have the rest.
const MOST: usize = 64;

/// The first rows of a table in columns.
pub(super) fn table(table: &Table) -> String {
    let lines: Vec<&Vec<String>> = std::iter::once(&table.header).chain(table.rows.iter().take(10)).collect();
    let widths = (0..table.header.len()).map(|c| lines.iter().map(|line| line[c].chars().count()).max().unwrap_or(0));
    let widths: Vec<usize> = widths.map(|width| width.min(24)).collect();
    let mut out = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| pad(&text::visible(cell), *width));
        out += cells.collect::<Vec<_>>().join("  ").trim_end();
        out.push('\n');
    }
    if table.rows.len() > 10 {
        out += format!("... and {} more rows\n", table.rows.len() - 10).as_str();
    }
    out
}

/// A matrix of shades: one line per row, two characters per cell.
pub(super) struct Shades<'a> {
    /// `[row]`
    pub(super) labels: &'a [String],
    /// The number of columns.
    pub(super) columns: usize,
    pub(super) scale: ColourScale,
    pub(super) units: &'a str,
}

impl Shades<'_> {
    /// The sign of signed data, then a shade; `??` is not finite, a blank has no value (`None`).
    pub(super) fn draw(&self, value: impl Fn(usize, usize) -> Option<f64>) -> String {
        let Self { labels, columns, scale, units } = self;
        let names = name_width(labels.iter());
        let cells = |row: usize| (0..*columns).map(|column| value(row, column)).collect::<Vec<_>>();
        let mut out = String::new();
        for (row, label) in labels.iter().enumerate().take(MOST) {
            let shades: String = cells(row).into_iter().take(MOST).map(|value| shade(value, *scale)).collect();
            out += format!("{} │{shades}│\n", pad(&text::visible(label), names)).as_str();
        }
        let hidden = (0..labels.len()).flat_map(cells).flatten().any(|value| !value.is_finite());
        let missing = if hidden { "; ??: not finite" } else { "" };
        let marks = if scale.diverging { "sign and shade" } else { "shade" };
        let (low, high) = (text::short(scale.low), text::short(scale.high));
        out + &rest(labels.len(), "rows")
            + &rest(*columns, "columns")
            + &format!("{marks}: {low} to {high} {units}{missing}\n")
    }
}

/// A line that says how many of `count` are not shown.
fn rest(count: usize, what: &str) -> String {
    let more = count.saturating_sub(MOST);
    if more == 0 { String::new() } else { format!("... and {more} more {what}\n") }
}

fn shade(value: Option<f64>, ColourScale { diverging, low, high, .. }: ColourScale) -> String {
    let Some(value) = value else { return "  ".to_owned() };
    if !value.is_finite() {
        return "??".to_owned();
    }
    let part = if diverging { value.abs() / high } else { (value - low) / (high - low) };
    let mark = SHADES[(part.clamp(0.0, 1.0) * 4.0).round() as usize];
    let sign = match (diverging, mark) {
        (false, _) => mark,
        (true, ' ') => ' ',
        (true, _) if value < 0.0 => '-',
        (true, _) => '+',
    };
    [sign, mark].iter().collect()
}

/// One line per named value: the bar's length is its magnitude, the number has the sign.
pub(super) fn bars(bars: &[(String, f64)]) -> String {
    let greatest = bars.iter().map(|(_, value)| value.abs()).filter(|v| v.is_finite()).fold(0.0, f64::max);
    let names = name_width(bars.iter().map(|(name, _)| name));
    let line = |(name, value): &(String, f64)| {
        let length = if greatest > 0.0 && value.is_finite() { value.abs() / greatest * BAR } else { 0.0 };
        let name = pad(&text::visible(name), names);
        format!("{name} {:>9} {}\n", text::short(*value), blocks(length)).trim_end().to_owned() + "\n"
    };
    bars.iter().take(MOST).map(line).collect::<String>() + &rest(bars.len(), "bars")
}

fn blocks(length: f64) -> String {
    let eighths = (length * 8.0).round() as usize;
    let full = "█".repeat(eighths / 8);
    if eighths.is_multiple_of(8) { full } else { format!("{full}{}", EIGHTHS[eighths % 8 - 1]) }
}

/// One sparkline per named series, all on one scale; a blank is not finite.
pub(super) fn lines(series: &[(&String, &[f64])]) -> String {
    let values = || series.iter().flat_map(|(_, values)| *values).copied();
    let all = || values().filter(|v| v.is_finite());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let names = name_width(series.iter().map(|(name, _)| *name));
    let spark = |value: &f64| match value {
        v if !v.is_finite() => ' ',
        v if high > low => SPARKS[((v / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) * 7.0).round() as usize],
        _ => SPARKS[3],
    };
    let mut out = String::new();
    for (name, values) in series.iter().take(MOST) {
        // Takes every `step`-th point, so that the line is never wider than the screen.
        let step = values.len().div_ceil(MOST).max(1);
        let sparks: String = values.iter().step_by(step).map(spark).collect();
        out += format!("{} {sparks}\n", pad(&text::visible(name), names)).as_str();
    }
    let missing = values().count() - all().count();
    let gaps = if missing == 0 { String::new() } else { format!("; blank: {missing} not finite") };
    out + &rest(series.len(), "lines") + &format!("from {} to {}{gaps}\n", text::short(low), text::short(high))
}

fn name_width<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    names.map(|name| text::visible(name).chars().count()).max().unwrap_or(0).min(24)
}

/// The name padded or cut to exactly `width` characters.
fn pad(name: &str, width: usize) -> String {
    if name.chars().count() > width {
        return name.chars().take(width.saturating_sub(1)).chain(['…']).collect();
    }
    format!("{name:<width$}")
}

#[cfg(test)]
mod tests {
    use super::super::{Bars, Figure, Heatmap, Line, Series};

    #[test]
    fn a_signed_heatmap_shows_signs_and_gaps() {
        let figure = Figure::new("effect").heatmap(Heatmap::heads([[2.0, -2.0], [0.0, f64::NAN]]).units("nats"));
        assert_eq!(
            figure.to_terminal(),
            "effect\nL0 │+█-█│\nL1 │  ??│\nsign and shade: -2 to 2 nats; ??: not finite\n"
        );
    }

    #[test]
    fn bars_and_sparks_are_to_scale() {
        let figure = Figure::new("t").bar(Bars::new([("a", 1.0), ("b", -0.5)]));
        let (long, half) = ("█".repeat(32), "█".repeat(16));
        assert_eq!(figure.to_terminal(), format!("t\na         1 {long}\nb      -0.5 {half}\n"));
        let figure =
            Figure::new("t").line(Line::new("x", "y").series(Series::by_index("a", [0.0, 7.0, f64::NAN, 3.0])));
        assert_eq!(figure.to_terminal(), "t\na ▁█ ▄\nfrom 0 to 7; blank: 1 not finite\n");
    }

    #[test]
    fn what_does_not_fit_on_a_screen_is_counted() {
        let shown = Figure::new("t").heatmap(Heatmap::new(vec![vec![1.0; 70]; 66])).to_terminal();
        assert!(shown.contains("... and 2 more rows\n... and 6 more columns\n"), "{shown}");
        let shown = Figure::new("t").bar(Bars::new((0..65).map(|index| (index, 1.0)))).to_terminal();
        assert!(shown.ends_with("... and 1 more bars\n"), "{shown}");
    }

    #[test]
    fn an_invalid_figure_says_why() {
        let shown = Figure::new("t").heatmap(Heatmap::new([[f64::NAN]])).to_terminal();
        assert!(shown.contains("all its values are NaN or infinite"), "{shown}");
    }
}
