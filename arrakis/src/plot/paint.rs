//! Paints a scene with plotters, onto a supersampled bitmap or as SVG text.

use std::{io, path::Path};

use plotters::{
    coord::Shift,
    prelude::{
        BitMapBackend, Circle, DrawingArea, DrawingBackend, IntoDrawingArea, PathElement, Polygon, Rectangle,
        SVGBackend, Text,
    },
    style::{
        Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    colour::Colour,
    glyphs::{self, Glyph},
    scene::{Align, Area, Label, Mark, Scene},
    text,
};

/// Pixels of a saved image per pixel of the scene.
const OUTPUT_SCALE: u32 = 2;

/// A bitmap is painted at this multiple of its saved size, then averaged, because plotters draws hard
/// edges and puts glyphs at whole pixels.
const SUPERSAMPLE: u32 = 2;

/// The height and width of a digit in a box with a code point, and the inner margin of the box, in ems.
const DIGIT: (f64, f64) = (0.34, 0.3);
const INSET: f64 = 0.1;

/// How scene pixels map to a backend's pixels, and how that backend places text.
struct Brush {
    scale: f64,
    /// The plotters font size at which an em is one pixel.
    em: f64,
    /// The distance from the anchor (`VPos::Top`) to the baseline, in ems.
    baseline: f64,
    /// Whether to place each glyph, because the backend sets them badly.
    by_glyph: bool,
}

/// Writes the scene as a PNG file; `size` is the scene's, in scene pixels.
pub(super) fn png(scene: &Scene, size: (f64, f64), path: &Path) -> io::Result<()> {
    let (wide, high) = scaled(size, OUTPUT_SCALE);
    let fine = bitmap(scene, (wide * SUPERSAMPLE, high * SUPERSAMPLE));
    let pixels = average(&fine, (wide as usize, high as usize));
    let mut file = BitMapBackend::new(path, (wide, high));
    file.blit_bitmap((0, 0), (wide, high), &pixels).map_err(io::Error::other)?;
    file.present().map_err(io::Error::other)
}

/// The scene as an SVG document, displayed at the scene's own size.
pub(super) fn svg(scene: &Scene, size: (f64, f64)) -> String {
    let (wide, high) = scaled(size, OUTPUT_SCALE);
    let mut document = String::new();
    // The y of `VPos::Top` is 0.76 em above the baseline, and the font size is divided by 1.24.
    let brush = Brush { scale: f64::from(OUTPUT_SCALE), em: 1.24, baseline: 0.76, by_glyph: false };
    paint(scene, &brush, &SVGBackend::with_string(&mut document, (wide, high)).into_drawing_area());
    let [fine, shown] = [(wide, high), scaled(size, 1)].map(|(w, h)| format!("<svg width=\"{w}\" height=\"{h}\""));
    document.replacen(&fine, &shown, 1)
}

fn scaled((wide, high): (f64, f64), scale: u32) -> (u32, u32) {
    (wide.ceil() as u32 * scale, high.ceil() as u32 * scale)
}

/// RGB bytes, rows from the top.
fn bitmap(scene: &Scene, (wide, high): (u32, u32)) -> Vec<u8> {
    let mut pixels = vec![255; wide as usize * high as usize * 3];
    // plotters draws the baseline half a line below the anchor.
    let scale = f64::from(OUTPUT_SCALE * SUPERSAMPLE);
    let brush = Brush { scale, em: text::LINE_EMS, baseline: text::LINE_EMS / 2.0, by_glyph: true };
    paint(scene, &brush, &BitMapBackend::with_buffer(&mut pixels, (wide, high)).into_drawing_area());
    pixels
}

/// Each saved pixel is the mean of the painted pixels it covers.
fn average(fine: &[u8], (wide, high): (usize, usize)) -> Vec<u8> {
    let n = SUPERSAMPLE as usize;
    let mut pixels = Vec::with_capacity(wide * high * 3);
    for (y, x, channel) in (0..high).flat_map(|y| (0..wide).flat_map(move |x| (0..3).map(move |c| (y, x, c)))) {
        let under = (0..n * n).map(|i| ((y * n + i / n) * wide * n + x * n + i % n) * 3 + channel);
        let sum: usize = under.map(|at| usize::from(fine[at])).sum();
        pixels.push(((sum + n * n / 2) / (n * n)) as u8);
    }
    pixels
}

fn paint<DB: DrawingBackend>(scene: &Scene, brush: &Brush, canvas: &DrawingArea<DB, Shift>) {
    text::register();
    let (wide, high) = canvas.dim_in_pixel();
    let paper = Area { x: 0.0, y: 0.0, w: f64::from(wide) / brush.scale, h: f64::from(high) / brush.scale };
    brush.mark(&Mark::Fill(paper, Colour::PAPER), canvas);
    for mark in &scene.marks {
        brush.mark(mark, canvas);
    }
    // Both backends write to memory here.
    canvas.present().expect("BUG: drawing into memory failed");
}

impl Brush {
    fn mark<DB: DrawingBackend>(&self, mark: &Mark, canvas: &DrawingArea<DB, Shift>) {
        let drawn = match mark {
            Mark::Fill(area, colour) => {
                let corners = [self.at((area.x, area.y)), self.at((area.right(), area.bottom()))];
                canvas.draw(&Rectangle::new(corners, filled(*colour)))
            }
            Mark::Path(points, colour, width) if self.by_glyph => {
                return segments(&self.all(points), self.stroke(*colour, *width), canvas);
            }
            Mark::Path(points, colour, width) => {
                canvas.draw(&PathElement::new(self.all(points), self.stroke(*colour, *width)))
            }
            Mark::Polygon(points, colour) => canvas.draw(&Polygon::new(self.all(points), filled(*colour))),
            Mark::Circle(centre, radius, colour) => {
                let radius = (radius * self.scale).round() as i32;
                canvas.draw(&Circle::new(self.at(*centre), radius, filled(*colour)))
            }
            Mark::Text(label) if self.by_glyph => return self.text(label, canvas),
            Mark::Text(label) => canvas.draw(&Text::new(label.text.as_str(), self.anchor(label), self.font(label))),
        };
        drawn.expect("BUG: drawing into memory failed");
    }

    /// A text, character by character.
    fn text<DB: DrawingBackend>(&self, label: &Label, canvas: &DrawingArea<DB, Shift>) {
        for (c, label) in placed(label) {
            match glyphs::of(c) {
                Glyph::Font => canvas
                    .draw(&Text::new(label.text.as_str(), self.anchor(&label), self.font(&label)))
                    .expect("BUG: drawing into memory failed"),
                Glyph::Bitmap(bitmap) => pixels(bitmap, &label).iter().for_each(|mark| self.mark(mark, canvas)),
                Glyph::Code => code(c, &label).iter().for_each(|mark| self.mark(mark, canvas)),
                Glyph::Nothing => {}
            }
        }
    }

    fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn all(&self, points: &[(f64, f64)]) -> Vec<(i32, i32)> {
        let mut points: Vec<_> = points.iter().map(|point| self.at(*point)).collect();
        points.dedup(); // plotters cannot give a zero-length segment a width
        points
    }

    fn stroke(&self, colour: Colour, width: f64) -> ShapeStyle {
        let stroke_width = ((width * self.scale).round() as u32).max(1);
        ShapeStyle { color: rgba(colour), filled: false, stroke_width }
    }

    /// Converts the middle of the capitals to plotters' anchor.
    fn anchor(&self, label: &Label) -> (i32, i32) {
        let up = label.size * (self.baseline - text::CAPITAL_EMS / 2.0);
        let (x, y) = label.at;
        self.at(if label.turned { (x - up, y) } else { (x, y - up) })
    }

    fn font(&self, label: &Label) -> TextStyle<'static> {
        let size = label.size * self.em * self.scale;
        let transform = if label.turned { FontTransform::Rotate270 } else { FontTransform::None };
        let font = FontDesc::new(FontFamily::Name(text::FAMILY), size, FontStyle::Normal).transform(transform);
        let along = match label.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        TextStyle { font, color: rgba(label.colour).to_backend_color(), pos: Pos::new(along, VPos::Top) }
    }
}

/// Each character at its typeset position, as a label of its own. A glyph of the font is kerned, and moved by its left bearing.
fn placed(label: &Label) -> Vec<(char, Label)> {
    let visual = glyphs::visual(&label.text);
    let wide = |text: &str| text::set_width(text, label.size);
    let start = match label.align {
        Align::Start => 0.0,
        Align::Middle => -wide(&visual) / 2.0,
        Align::End => -wide(&visual),
    };
    let shown = visual.char_indices().filter(|(_, c)| !c.is_whitespace());
    let placed = shown.map(|(index, c)| {
        let end = index + c.len_utf8();
        let bearing = if glyphs::of(c) == Glyph::Font { glyphs::bearing(c) } else { 0.0 };
        let along = start + wide(&visual[..end]) - wide(&visual[index..end]) + bearing * label.size;
        (c, Label { text: c.to_string(), at: within(label, (along, 0.0)), align: Align::Start, ..label.clone() })
    });
    placed.collect()
}

/// A point of a label: so far along its line and below its anchor.
fn within(label: &Label, (along, down): (f64, f64)) -> (f64, f64) {
    let (x, y) = label.at;
    if label.turned { (x + down, y - along) } else { (x + along, y + down) }
}

/// A rectangle of a label: from so far along its line and below its anchor, with its extent in both directions.
fn piece(label: &Label, (along, down): (f64, f64), (long, high): (f64, f64)) -> Mark {
    let (one, two) = (within(label, (along, down)), within(label, (along + long, down + high)));
    let (x, y) = (one.0.min(two.0), one.1.min(two.1));
    Mark::Fill(Area { x, y, w: (one.0 - two.0).abs(), h: (one.1 - two.1).abs() }, label.colour)
}

/// The dark pixels of a bitmap, a rectangle for each run in a row. The font stands on the fourteenth of sixteen rows.
fn pixels(bitmap: &unifont::Glyph, label: &Label) -> Vec<Mark> {
    let (pixel, wide) = (label.size / 16.0, bitmap.get_width());
    let top = label.size * text::CAPITAL_EMS / 2.0 - 14.0 * pixel;
    let row = |y: usize| {
        let columns: Vec<usize> = (0..wide).collect();
        let dark = |x: &usize| bitmap.get_pixel(*x, y);
        let runs = columns.chunk_by(|a, b| dark(a) == dark(b)).filter(|run| dark(&run[0]));
        let piece = |run: &[usize]| {
            let from = (run[0] as f64 * pixel, top + y as f64 * pixel);
            piece(label, from, (run.len() as f64 * pixel, pixel))
        };
        runs.map(piece).collect::<Vec<_>>()
    };
    (0..16).flat_map(row).collect()
}

/// A box with the code point of a character in two rows of hexadecimal digits.
fn code(c: char, label: &Label) -> Vec<Mark> {
    let em = label.size;
    let digits = if c as u32 > 0xffff { format!("{:06X}", c as u32) } else { format!("{:04X}", c as u32) };
    let (long, high) = ((digits.len() / 2) as f64 * DIGIT.1 + INSET, 2.0 * DIGIT.0 + 2.0 * INSET);
    let (line, top) = (0.06 * em, -high / 2.0 * em);
    let (long, high) = (long * em, high * em);
    let sides = [((0.0, top), (long, line)), ((0.0, top + high - line), (long, line))];
    let ends = [((0.0, top), (line, high)), ((long - line, top), (line, high))];
    let frame = sides.into_iter().chain(ends).map(|(from, size)| piece(label, from, size));
    let digit = |(index, digit): (usize, char)| {
        let (row, column) = (index / (digits.len() / 2), index % (digits.len() / 2));
        let along = (column as f64 + 0.5) * DIGIT.1 + INSET / 2.0;
        let at = within(label, (along * em, (row as f64 - 0.5) * (DIGIT.0 + INSET / 2.0) * em));
        Mark::Text(Label { text: digit.to_string(), at, size: 0.44 * em, align: Align::Middle, ..label.clone() })
    };
    frame.chain(digits.chars().enumerate().map(digit)).collect()
}

fn rgba(Colour(r, g, b, alpha): Colour) -> RGBAColor {
    RGBAColor(r, g, b, alpha)
}

fn filled(colour: Colour) -> ShapeStyle {
    ShapeStyle { color: rgba(colour), filled: true, stroke_width: 0 }
}

/// A line, segment by segment with round joints. plotters fills a whole line as one polygon, which takes a time that grows with
/// the square of its points, and has spikes where the line turns back.
fn segments<DB: DrawingBackend>(points: &[(i32, i32)], stroke: ShapeStyle, canvas: &DrawingArea<DB, Shift>) {
    for segment in points.windows(2) {
        let segment = PathElement::new(segment.to_vec(), stroke);
        canvas.draw(&segment).expect("BUG: drawing into memory failed");
    }
    let (joints, radius) = (points.get(1..points.len().saturating_sub(1)), (stroke.stroke_width / 2) as i32);
    for joint in joints.unwrap_or_default().iter().filter(|_| radius > 0) {
        let joint = Circle::new(*joint, radius, ShapeStyle { filled: true, stroke_width: 0, ..stroke });
        canvas.draw(&joint).expect("BUG: drawing into memory failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: u32 = 100;
    const SCALE: u32 = OUTPUT_SCALE * SUPERSAMPLE;

    /// The box around everything painted on a square scene, in its pixels: left, top, right, bottom.
    fn painted(scene: &Scene) -> Option<[f64; 4]> {
        let wide = SIDE * SCALE;
        let pixels = bitmap(scene, (wide, wide));
        let dark = pixels.chunks(3).enumerate().filter(|(_, pixel)| pixel.iter().any(|channel| *channel < 128));
        let at = |index: usize| (index as f64 % f64::from(wide), (index as f64 / f64::from(wide)).floor());
        let around = |found: Option<[f64; 4]>, (x, y): (f64, f64)| {
            let [left, top, right, bottom] = found.unwrap_or([x, y, x, y]);
            Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
        };
        let found = dark.map(|(index, _)| at(index)).fold(None, around);
        found.map(|edges| edges.map(|edge| edge / f64::from(SCALE)))
    }

    fn text_of(text: &str, turned: bool) -> Option<[f64; 4]> {
        let mut scene = Scene::default();
        let draw = if turned { Scene::turned } else { Scene::text };
        draw(&mut scene, text, (40.0, 60.0), 16.0, Align::Start, Colour::INK);
        painted(&scene)
    }

    #[test]
    fn a_line_that_turns_back_stays_where_its_points_are() {
        let mut scene = Scene::default();
        let height = |step: u32| if step.is_multiple_of(2) { 30.0 } else { 70.0 };
        scene.path((0..400).map(|step| (20.0 + f64::from(step) * 0.15, height(step))).collect(), Colour::INK, 1.6);
        let [left, top, right, bottom] = painted(&scene).unwrap();
        assert!((left - 20.0).abs() < 1.5 && (right - 79.85).abs() < 1.5, "from {left} to {right}");
        assert!((top - 30.0).abs() < 1.5 && (bottom - 70.0).abs() < 1.5, "from {top} to {bottom}");
    }

    #[test]
    fn every_script_is_painted_within_its_width() {
        for text in ["ag", "中文", "한국", "हि", "سلام", "שלום", "\u{1f9e0}", "a中\u{1f9e0}"] {
            let wide = text::width(text, 16.0);
            let [left, top, right, bottom] = text_of(text, false).unwrap();
            assert!(
                left >= 39.0 && right <= 41.0 + wide && right > 40.0 + wide * 0.4,
                "{text}: {left} to {right} of {wide}"
            );
            assert!(top > 60.0 - 16.0 && bottom < 60.0 + 16.0, "{text}: {top} to {bottom}");
            // A text that is turned runs upwards from the same point.
            let [left, top, right, bottom] = text_of(text, true).unwrap();
            assert!(bottom <= 61.0 && top >= 59.0 - wide && top < 60.0 - wide * 0.4, "{text}: {top} to {bottom}");
            assert!(left > 40.0 - 16.0 && right < 40.0 + 16.0, "{text}: {left} to {right}");
        }
        assert_eq!(text_of("\u{200d}\u{fe0f}", false), None);
    }

    #[test]
    fn a_code_point_is_a_box_of_its_digits() {
        let label = Label {
            text: "\u{1f9e0}".into(),
            at: (0.0, 0.0),
            size: 16.0,
            align: Align::Start,
            turned: false,
            colour: Colour::INK,
        };
        let marks = code('\u{1f9e0}', &label);
        let digits =
            marks.iter().filter_map(|mark| if let Mark::Text(digit) = mark { Some(digit.text.as_str()) } else { None });
        assert_eq!(digits.collect::<String>(), "01F9E0");
        assert_eq!(marks.iter().filter(|mark| matches!(mark, Mark::Fill(..))).count(), 4);
    }
}
