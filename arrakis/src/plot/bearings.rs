//! Left side bearings of the embedded font, because plotters draws every glyph without its own.

/// Font units per em.
const UNITS: f64 = 2048.0;

/// `xMin` of the glyphs of U+0020 to U+00FF in `DejaVuSans.ttf`, in font units.
#[rustfmt::skip]
const LATIN: [i16; 224] = [
    0, 309, 197, 158, 170, 113, 129, 197, 176, 164, 61, 217, 158, 100, 219, 0,
    135, 225, 150, 156, 100, 158, 143, 168, 139, 129, 240, 158, 217, 217, 217, 147,
    135, 16, 201, 115, 201, 201, 201, 115, 201, 201, -106, 201, 201, 201, 201, 115,
    201, 115, 201, 135, -6, 178, 16, 68, 61, -4, 92, 176, 0, 199, 217, -20,
    170, 123, 186, 113, 113, 113, 47, 113, 186, 193, -37, 186, 193, 186, 186, 113,
    186, 113, 186, 111, 55, 174, 61, 86, 59, 61, 88, 256, 260, 256, 217, 102,
    102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102,
    102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102, 102,
    0, 309, 172, 129, 94, 82, 260, 92, 215, 283, 115, 158, 217, 100, 283, 213,
    195, 217, 94, 98, 371, 174, 158, 219, 291, 137, 96, 193, 137, 137, 98, 143,
    16, 16, 16, 16, 16, 16, 8, 115, 201, 201, 201, 201, 59, 162, -2, 6,
    10, 201, 115, 115, 115, 115, 115, 281, 102, 178, 178, 178, 178, -4, 201, 186,
    123, 123, 123, 123, 123, 123, 123, 113, 113, 113, 113, 113, -57, 144, -34, -12,
    113, 186, 113, 113, 113, 113, 113, 217, 72, 174, 174, 174, 174, 61, 186, 61,
];

/// `xMin` of the other signs that this module writes: `…`, `↵`, `⇥`, `∅`, `−`.
const SIGNS: [(char, i16); 5] = [('…', 236), ('↵', 100), ('⇥', 117), ('∅', 155), ('−', 217)];

/// The bearing of most glyphs.
const USUAL: i16 = 150;

/// The white space to the left of a glyph, in ems.
pub(super) fn left(glyph: char) -> f64 {
    let latin = (glyph as usize).checked_sub(0x20).and_then(|index| LATIN.get(index));
    let sign = || SIGNS.iter().find(|(sign, _)| *sign == glyph).map(|(_, units)| units);
    f64::from(*latin.or_else(sign).unwrap_or(&USUAL)) / UNITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_have_room_on_their_left_and_diagonals_do_not() {
        assert!(left('l') > 0.08 && left('A') < 0.01 && left('j') < 0.0);
    }
}
