//! A matrix of coloured cells with labelled rows and columns, used by heatmaps and attention patterns.

use super::{
    axis::NAME_SIZE,
    colour::Colour,
    labels::Labels,
    scene::{Align, Area, Scene},
    text,
};

const GAP: f64 = 7.0;
const NAME_ROOM: f64 = 22.0;
/// Longer axis names are shortened, unless the axis itself is longer.
const LONGEST_NAME: f64 = 160.0;

/// Labels, names and cell size of a matrix.
pub(super) struct Matrix<'a> {
    pub(super) rows: Labels,
    pub(super) columns: Labels,
    pub(super) row_axis: &'a str,
    pub(super) column_axis: &'a str,
    /// Numbers of rows and columns.
    pub(super) count: (usize, usize),
    /// Width and height of a cell in pixels.
    pub(super) cell: (f64, f64),
}

impl Matrix<'_> {
    /// The width to the left of the cells, in pixels.
    pub(super) fn left(&self) -> f64 {
        self.rows.extent + GAP + name_room(self.row_axis)
    }

    /// The height below the cells, in pixels.
    pub(super) fn bottom(&self) -> f64 {
        self.columns.extent + GAP + name_room(self.column_axis)
    }

    /// The height that the name of the row axis needs, in pixels.
    pub(super) fn least_height(&self) -> f64 {
        text::width(self.row_axis, NAME_SIZE).min(LONGEST_NAME)
    }

    /// The area of the cells, with their top left corner at `(x, y)`.
    pub(super) fn plot(&self, x: f64, y: f64) -> Area {
        Area { x, y, w: self.cell.0 * self.count.1 as f64, h: self.cell.1 * self.count.0 as f64 }
    }

    /// The area of one cell of `plot`.
    pub(super) fn cell(&self, plot: Area, row: usize, column: usize) -> Area {
        let (w, h) = self.cell;
        Area { x: plot.x + column as f64 * w, y: plot.y + row as f64 * h, w, h }
    }

    /// Draws the cells. Neighbours of one colour in a row become one rectangle, which keeps the SVG small.
    pub(super) fn draw_cells(&self, scene: &mut Scene, plot: Area, colour: impl Fn(usize, usize) -> Colour) {
        for row in 0..self.count.0 {
            let mut start = 0;
            for column in 1..=self.count.1 {
                if column < self.count.1 && colour(row, column) == colour(row, start) {
                    continue;
                }
                let first = self.cell(plot, row, start);
                scene.fill(Area { w: first.w * (column - start) as f64, ..first }, colour(row, start));
                start = column;
            }
        }
        if self.cell.0.min(self.cell.1) >= 12.0 {
            self.draw_seams(scene, plot);
        }
    }

    fn draw_seams(&self, scene: &mut Scene, plot: Area) {
        for row in 1..self.count.0 {
            let y = plot.y + row as f64 * self.cell.1;
            scene.fill(Area { y: y - 0.25, h: 0.5, ..plot }, Colour::PAPER);
        }
        for column in 1..self.count.1 {
            let x = plot.x + column as f64 * self.cell.0;
            scene.fill(Area { x: x - 0.25, w: 0.5, ..plot }, Colour::PAPER);
        }
    }

    /// Draws the row labels and the name of their axis.
    pub(super) fn draw_rows(&self, scene: &mut Scene, plot: Area) {
        self.rows.draw_rows(scene, plot.x - GAP, plot.y);
        let name = text::shorten(self.row_axis, NAME_SIZE, plot.h.max(LONGEST_NAME));
        let half = text::width(&name, NAME_SIZE) / 2.0;
        let middle = plot.y + (plot.h / 2.0).max(half);
        scene.turned(&name, (plot.x - self.left() + 8.0, middle), NAME_SIZE, Align::Middle, Colour::INK);
    }

    /// Draws the column labels and the name of their axis.
    pub(super) fn draw_columns(&self, scene: &mut Scene, plot: Area) {
        self.columns.draw_columns(scene, plot.x, plot.bottom() + GAP);
        let name = text::shorten(self.column_axis, NAME_SIZE, plot.w.max(120.0));
        let y = plot.bottom() + self.bottom() - NAME_SIZE / 2.0;
        scene.text(&name, (plot.x + plot.w / 2.0, y), NAME_SIZE, Align::Middle, Colour::INK);
    }
}

fn name_room(name: &str) -> f64 {
    if name.is_empty() { 0.0 } else { NAME_ROOM }
}
