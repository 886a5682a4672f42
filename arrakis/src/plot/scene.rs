//! What to draw, in pixels, independent of any backend: rectangles, paths, circles, text.

use super::{colour::Colour, text};

/// A rectangle in pixels; `y` grows downwards.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl Area {
    /// The right edge.
    pub fn right(&self) -> f64 {
        self.x + self.w
    }

    /// The bottom edge.
    pub fn bottom(&self) -> f64 {
        self.y + self.h
    }
}

/// Which point of a text is its anchor, along its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// The text begins at the point.
    Start,
    /// The text is centred on the point.
    Middle,
    /// The text ends at the point.
    End,
}

/// One line of text. Its anchor is at half the height of its capitals.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The text.
    pub text: String,
    /// The position of the anchor.
    pub at: (f64, f64),
    /// Pixels per em.
    pub size: f64,
    /// Which point of the text is the anchor.
    pub align: Align,
    /// Whether it reads from bottom to top instead of from left to right.
    pub turned: bool,
    /// Its colour.
    pub colour: Colour,
}

/// One thing to draw.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A filled rectangle.
    Fill(Area, Colour),
    /// An open line through points, with its width in pixels.
    Path(Vec<(f64, f64)>, Colour, f64),
    /// A filled polygon.
    Polygon(Vec<(f64, f64)>, Colour),
    /// A filled circle: centre and radius.
    Circle((f64, f64), f64, Colour),
    /// A line of text.
    Text(Label),
}

#[cfg(test)]
impl Mark {
    /// The points that bound it; for a text, its anchor.
    pub(super) fn corners(&self) -> Vec<(f64, f64)> {
        match self {
            Self::Fill(area, _) => vec![(area.x, area.y), (area.right(), area.bottom())],
            Self::Path(points, ..) | Self::Polygon(points, _) => points.clone(),
            Self::Circle(centre, ..) => vec![*centre],
            Self::Text(label) => vec![label.at],
        }
    }
}

/// A list of marks, drawn in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scene {
    /// In drawing order.
    pub marks: Vec<Mark>,
}

impl Scene {
    /// A filled rectangle.
    pub fn fill(&mut self, area: Area, colour: Colour) {
        self.marks.push(Mark::Fill(area, colour));
    }

    /// A line through points.
    pub fn path(&mut self, points: Vec<(f64, f64)>, colour: Colour, width: f64) {
        self.marks.push(Mark::Path(points, colour, width));
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: Vec<(f64, f64)>, colour: Colour) {
        self.marks.push(Mark::Polygon(points, colour));
    }

    /// A dashed straight line.
    pub fn dashed(&mut self, from: (f64, f64), to: (f64, f64), colour: Colour, width: f64) {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |d: f64| (from.0 + (to.0 - from.0) * d / length, from.1 + (to.1 - from.1) * d / length);
        for dash in 0..(length / 8.0).ceil() as usize {
            let start = dash as f64 * 8.0;
            self.path(vec![at(start), at((start + 5.0).min(length))], colour, width);
        }
    }

    /// The outline of a rectangle, drawn inside its edge.
    pub fn outline(&mut self, area: Area, colour: Colour, width: f64) {
        let Area { x, y, w, h } = area;
        self.fill(Area { x, y, w, h: width }, colour);
        self.fill(Area { x, y: y + h - width, w, h: width }, colour);
        self.fill(Area { x, y, w: width, h }, colour);
        self.fill(Area { x: x + w - width, y, w: width, h }, colour);
    }

    /// A filled circle.
    pub fn circle(&mut self, centre: (f64, f64), radius: f64, colour: Colour) {
        self.marks.push(Mark::Circle(centre, radius, colour));
    }

    /// A line of text, read from left to right.
    pub fn text(&mut self, text: &str, at: (f64, f64), size: f64, align: Align, colour: Colour) {
        let text = text::printable(text);
        self.marks.push(Mark::Text(Label { text, at, size, align, turned: false, colour }));
    }

    /// A line of text, read from bottom to top.
    pub fn turned(&mut self, text: &str, at: (f64, f64), size: f64, align: Align, colour: Colour) {
        let text = text::printable(text);
        self.marks.push(Mark::Text(Label { text, at, size, align, turned: true, colour }));
    }

    /// Lines of text below each other, the middle of the first at `at`; returns the `y` after the last.
    pub fn lines(&mut self, lines: &[String], at: (f64, f64), size: f64, colour: Colour) -> f64 {
        let pitch = size * LINE_PITCH;
        for (index, line) in lines.iter().enumerate() {
            self.text(line, (at.0, at.1 + pitch * index as f64), size, Align::Start, colour);
        }
        at.1 + pitch * lines.len() as f64
    }
}

/// The distance between lines, in ems.
pub(super) const LINE_PITCH: f64 = 1.4;
