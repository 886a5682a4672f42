//! Text for drawing: one embedded font, measured, shortened and wrapped, with special characters made visible.

use std::sync::{Once, OnceLock};

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

use super::glyphs::{self, Glyph};

/// The fonts that the SVG asks for: the one we measure with, then one of the same widths, then any.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// The font is measured at this size, because plotters rounds widths to whole pixels.
const MEASURED_AT: f64 = 1000.0;

/// plotters scales by the line height, which is this many ems in `DejaVu Sans`.
pub(super) const LINE_EMS: f64 = 1.164;

/// The height of capitals, in ems.
pub(super) const CAPITAL_EMS: f64 = 0.73;

/// Registers the embedded font with plotters, once.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let registered = register_font(FAMILY, FontStyle::Normal, glyphs::FONT).is_ok();
        assert!(registered, "BUG: the embedded font does not parse");
    });
}

/// The width of `text` in pixels, at `size` pixels per em.
pub(super) fn width(text: &str, size: f64) -> f64 {
    set_width(&glyphs::visual(text), size)
}

/// The width of a text that is already in the order in which it is written.
pub(super) fn set_width(visual: &str, size: f64) -> f64 {
    if visual.is_ascii() {
        return font_width(visual, size);
    }
    let chars: Vec<char> = visual.chars().collect();
    let runs = chars.chunk_by(|a, b| (glyphs::of(*a) == Glyph::Font) == (glyphs::of(*b) == Glyph::Font));
    let of_run = |run: &[char]| match glyphs::of(run[0]) {
        Glyph::Font => font_width(&run.iter().collect::<String>(), size),
        _ => run.iter().map(|c| glyphs::advance(*c) * size).sum(),
    };
    runs.map(of_run).sum()
}

/// The width of a text that the embedded font has.
fn font_width(text: &str, size: f64) -> f64 {
    static FONT: OnceLock<FontDesc<'static>> = OnceLock::new();
    let font = FONT.get_or_init(|| {
        register();
        FontDesc::new(FontFamily::Name(FAMILY), MEASURED_AT * LINE_EMS, FontStyle::Normal)
    });
    let (wide, _) = font.box_size(text).expect("BUG: the embedded font is registered");
    f64::from(wide) / MEASURED_AT * size
}

/// The widest of several texts, in pixels.
pub(super) fn widest<'a>(texts: impl IntoIterator<Item = &'a String>, size: f64) -> f64 {
    texts.into_iter().map(|text| width(text, size)).fold(0.0, f64::max)
}

/// `text`, with its end replaced by `…` if it is wider than `room` pixels.
pub(super) fn shorten(text: &str, size: f64, room: f64) -> String {
    if text.is_empty() || width(text, size) <= room {
        return text.to_owned();
    }
    let ends: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
    // A binary search, because measuring is slow and a longer prefix is never narrower.
    let fitting = ends.partition_point(|end| width(&text[..*end], size) + width("…", size) <= room);
    format!("{}…", &text[..ends[fitting.saturating_sub(1)]])
}

/// `text` in lines at most `room` pixels wide, broken at spaces.
pub(super) fn wrap(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // Not `split_whitespace`: a no-break space keeps a name and its number on one line.
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let joined = lines.last().map(|line| format!("{line} {word}"));
        match (lines.last_mut(), joined) {
            (Some(line), Some(joined)) if width(&joined, size) <= room => *line = joined,
            _ => lines.push(shorten(word, size, room)),
        }
    }
    lines
}

/// A token or label with leading and trailing spaces (`·`), line ends (`↵`) and tabs (`⇥`) made visible.
pub(super) fn visible(token: &str) -> String {
    if token.is_empty() {
        return "∅".to_owned();
    }
    let inner = token.trim_matches(' ');
    let lead = if inner.is_empty() { token.len() } else { token.len() - token.trim_start_matches(' ').len() };
    let tail = token.len() - lead - inner.len();
    let inner = inner.replace("\r\n", "↵").replace(['\n', '\r'], "↵").replace('\t', "⇥");
    printable(&("·".repeat(lead) + &inner + &"·".repeat(tail)))
}

/// `text` without the control characters that XML forbids.
pub(super) fn printable(text: &str) -> String {
    let allowed = |c: char| !c.is_control() && c != '\u{fffe}' && c != '\u{ffff}';
    text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}

/// A value to three significant digits, for reading: `0.0213`, `12.3`, `1.2e-7`, `NaN`.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return format!("{}", value + 0.0);
    }
    if !(1e-3..1e5).contains(&size) {
        return trim(&format!("{value:.2e}"));
    }
    let decimals = (2 - size.log10().floor() as i32).clamp(0, 5) as usize;
    trim(&format!("{value:.decimals$}"))
}

/// Drops the zeros at the end of a decimal fraction, also before an exponent.
fn trim(text: &str) -> String {
    let (number, exponent) = text.find('e').map_or((text, ""), |at| text.split_at(at));
    if !number.contains('.') {
        return text.to_owned();
    }
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number}{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_width_character_is_an_em_wide() {
        assert_eq!(width("中文", 20.0), 40.0);
        let mixed = width("a中b", 20.0);
        assert!((mixed - width("a", 20.0) - width("b", 20.0) - 20.0).abs() < 0.1, "{mixed}");
    }

    #[test]
    fn tokens_become_visible() {
        let seen: Vec<String> = [" John", "\n", "", "  ", "a b ", "\u{0}\t"].map(visible).to_vec();
        assert_eq!(seen, ["·John", "↵", "∅", "··", "a b·", "\u{fffd}⇥"]);
    }

    #[test]
    fn three_significant_digits() {
        let read: Vec<String> = [0.0213, 12.345, -1.0, 0.0, 1.2e-7, 123_456.0, 1234.5, f64::NAN].map(short).to_vec();
        assert_eq!(read, ["0.0213", "12.3", "-1", "0", "1.2e-7", "1.23e5", "1234", "NaN"]);
    }

    #[test]
    fn shortened_text_fits() {
        let long = "blocks.11.attn.hook_pattern of the last token";
        let short = shorten(long, 11.0, 120.0);
        assert!(short.ends_with('…') && width(&short, 11.0) <= 120.0, "{short}");
        assert!(wrap(long, 11.0, 120.0).iter().all(|line| width(line, 11.0) <= 120.0));
        assert_eq!(wrap(long, 11.0, 1e6), [long]);
    }
}
