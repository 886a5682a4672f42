//! What draws each character of a PNG: the embedded font, a bitmap of GNU Unifont, or a box with the code point.

use std::borrow::Cow;
use std::sync::OnceLock;

use ttf_parser::{Face, GlyphId};
use unicode_bidi::{BidiInfo, Level};
use unifont::i18n::preprocess_text;

/// The embedded font.
pub(super) static FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

/// The width of a box with a code point, in ems.
const BOX: f64 = 1.1;

/// What draws a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glyph {
    /// The embedded font.
    Font,
    /// A bitmap of 16 rows to an em: scripts that the font lacks.
    Bitmap(&'static unifont::Glyph),
    /// A box with the code point, because no font here has the character.
    Code,
    /// Nothing: joiners, marks of direction, selectors of a variant.
    Nothing,
}

/// What draws `c`.
pub(super) fn of(c: char) -> Glyph {
    if is_invisible(c) {
        return Glyph::Nothing;
    }
    if in_font(c).is_some() {
        return Glyph::Font;
    }
    unifont::get_glyph(c).map_or(Glyph::Code, Glyph::Bitmap)
}

/// The width of a character that the embedded font lacks, in ems.
pub(super) fn advance(c: char) -> f64 {
    match of(c) {
        Glyph::Bitmap(bitmap) => bitmap.get_width() as f64 / 16.0,
        Glyph::Code => BOX,
        Glyph::Font | Glyph::Nothing => 0.0,
    }
}

/// The white space to the left of a glyph of the embedded font, in ems. plotters draws every glyph without its own.
pub(super) fn bearing(c: char) -> f64 {
    let units = in_font(c).and_then(|glyph| face().glyph_hor_side_bearing(glyph)).unwrap_or(0);
    f64::from(units) / f64::from(face().units_per_em())
}

/// Whether the PNG has a box with a code point instead of a character of `text`.
pub(super) fn has_code(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(|c| of(c) == Glyph::Code)
}

/// `text` from left to right as it is written: Arabic letters in the form of their place in the word, words of scripts that
/// are read from the right turned round.
pub(super) fn visual(text: &str) -> Cow<'_, str> {
    if !text.chars().any(reads_from_the_right) {
        return Cow::Borrowed(text);
    }
    let shaped = preprocess_text(text);
    let order = BidiInfo::new(&shaped, Some(Level::ltr()));
    let lines = order.paragraphs.iter().map(|line| order.reorder_line(line, line.range.clone()).into_owned());
    Cow::Owned(lines.collect())
}

fn face() -> &'static Face<'static> {
    static FACE: OnceLock<Face<'static>> = OnceLock::new();
    FACE.get_or_init(|| Face::parse(FONT, 0).expect("BUG: the embedded font does not parse"))
}

fn in_font(c: char) -> Option<GlyphId> {
    face().glyph_index(c)
}

/// Hebrew, Arabic, Syriac, Thaana, `NKo` and their presentation forms.
fn reads_from_the_right(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

/// Format characters and variation selectors, which have no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_has_what_draws_it() {
        for c in ['a', 'é', 'ж', '中', 'の', '한', 'ह', 'ا', 'א', '…'] {
            assert!(matches!(of(c), Glyph::Font | Glyph::Bitmap(_)), "{c}");
        }
        assert!(matches!((of('a'), of('中'), of('\u{1f9e0}')), (Glyph::Font, Glyph::Bitmap(_), Glyph::Code)));
        assert_eq!(of('\u{200d}'), Glyph::Nothing);
    }

    #[test]
    fn characters_advance_by_their_width() {
        assert_eq!((advance('中'), advance('\u{1f9e0}'), advance('\u{fe0f}')), (1.0, BOX, 0.0));
    }

    #[test]
    fn stems_have_room_on_their_left_and_diagonals_do_not() {
        assert!(bearing('l') > 0.08 && bearing('A') < 0.01 && bearing('j') < 0.0);
    }

    #[test]
    fn arabic_is_joined_and_turned_round() {
        // Alef, beh, jeem: an isolated alef, then beh at the start and jeem at the end of what is joined; the last comes first.
        assert_eq!(visual("ابج"), "\u{fe9e}\u{fe91}\u{fe8d}");
        assert_eq!(visual("·שלום 12"), "·12 םולש");
        assert_eq!(visual("plain 中文"), "plain 中文");
    }

    #[test]
    fn only_what_no_font_has_is_a_code() {
        assert!(has_code("a \u{1f9e0}") && !has_code("中文 abc العربية"));
    }
}
