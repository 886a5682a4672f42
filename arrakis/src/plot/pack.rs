//! Places panels of unequal sizes in rows, in reading order, with little empty space.

use super::scene::Area;

/// The space between panels.
const GUTTER: f64 = 28.0;
/// The width of a good figure divided by its height.
const ASPECT: f64 = 1.5;

/// What places that are not in rows cost, as a share of the figure that is empty.
const UNTIDY: f64 = 0.04;
/// The most panels that are placed outside of rows.
const MOST_STAGGERED: usize = 40;

/// Where each panel goes, relative to the first, and the size of all together.
#[derive(Debug, Clone, Default)]
pub(super) struct Packing {
    /// Each with the size of its panel.
    pub(super) places: Vec<Area>,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Packing {
    /// Packs panels of these sizes, `columns` to a row; `None` chooses the width of the rows.
    pub(super) fn of(sizes: &[(f64, f64)], columns: Option<usize>) -> Self {
        if let Some(columns) = columns {
            return Rows::default().packed(sizes, |count, _| count < columns.max(1), false);
        }
        let widest = sizes.iter().map(|(wide, _)| *wide).fold(0.0, f64::max);
        let mut before = 0.0;
        let rooms = sizes.iter().flat_map(|(wide, _)| {
            let ends = [before + wide, before + widest];
            before += wide + GUTTER;
            ends.map(|room| f64::max(room, widest))
        });
        let (mut best, mut least) = (Self::default(), f64::INFINITY);
        for room in rooms {
            let in_rows = Rows::default().packed(sizes, |_, right| right <= room, true);
            let staggered = (sizes.len() <= MOST_STAGGERED).then(|| Self::staggered(sizes, room));
            // Rows read more easily, so other places must leave clearly less space empty.
            for (packing, extra) in [(Some(in_rows), 0.0), (staggered, UNTIDY)] {
                let Some(packing) = packing else { continue };
                let cost = packing.cost() + extra;
                if cost < least {
                    (best, least) = (packing, cost);
                }
            }
        }
        best
    }

    /// Every panel as high up as it fits below the panels before it, then as far left, and never above the panel before it.
    fn staggered(sizes: &[(f64, f64)], room: f64) -> Self {
        let mut packing = Self::default();
        for &(w, h) in sizes {
            let above = packing.places.last().map_or(0.0, |place| place.y);
            let edges = std::iter::once(0.0).chain(packing.places.iter().map(|place| place.right() + GUTTER));
            let spots = edges.filter(|x| *x == 0.0 || x + w <= room).map(|x| (packing.lowest(x, w).max(above), x));
            let (y, x) = spots.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))).unwrap_or_default();
            packing.add(Area { x, y, w, h });
        }
        packing
    }

    /// The height below everything that stands above `x..x + w`.
    fn lowest(&self, x: f64, w: f64) -> f64 {
        let over = self.places.iter().filter(|place| place.x < x + w + GUTTER && x < place.right() + GUTTER);
        over.map(|place| place.bottom() + GUTTER).fold(0.0, f64::max)
    }

    fn add(&mut self, place: Area) {
        self.width = self.width.max(place.right());
        self.height = self.height.max(place.bottom());
        self.places.push(place);
    }

    /// The part of the figure that is empty, and how far its shape is from a good one.
    fn cost(&self) -> f64 {
        let covered: f64 = self.places.iter().map(|place| place.w * place.h).sum();
        let shape = (self.width / self.height / ASPECT).ln().abs();
        1.0 - covered / (self.width * self.height) + 0.35 * shape
    }
}

/// Rows that are being filled. In a row, a panel can stand below the one before it if both fit into its height.
#[derive(Default)]
struct Rows {
    packing: Packing,
    /// The number of panels in the row.
    count: usize,
    /// The top of the row.
    top: f64,
    /// The height of the row.
    high: f64,
    /// The last column of the row.
    column: Area,
}

impl Rows {
    /// Places every panel. `fits` says whether one more fits into a row, from the number of panels in it and the right
    /// edge with the new one.
    fn packed(mut self, sizes: &[(f64, f64)], fits: impl Fn(usize, f64) -> bool, stacks: bool) -> Packing {
        for &(w, h) in sizes {
            let below = self.column.bottom() + GUTTER;
            let place = if stacks && self.count > 0 && w <= self.column.w && below + h <= self.top + self.high {
                self.column.h = below + h - self.column.y;
                Area { x: self.column.x, y: below, w, h }
            } else {
                let right = if self.count > 0 { self.column.right() + GUTTER } else { 0.0 };
                if self.count > 0 && !fits(self.count, right + w) {
                    (self.top, self.count, self.high) = (self.top + self.high + GUTTER, 0, 0.0);
                }
                let x = if self.count > 0 { right } else { 0.0 };
                self.column = Area { x, y: self.top, w, h };
                self.column
            };
            self.count += 1;
            self.high = self.high.max(place.bottom() - self.top);
            self.packing.add(place);
        }
        self.packing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corners(packing: &Packing) -> Vec<(f64, f64)> {
        packing.places.iter().map(|place| (place.x, place.y)).collect()
    }

    #[test]
    fn equal_panels_make_a_grid() {
        let packing = Packing::of(&[(100.0, 100.0); 4], None);
        assert_eq!(corners(&packing), [(0.0, 0.0), (128.0, 0.0), (0.0, 128.0), (128.0, 128.0)]);
        assert_eq!((packing.width, packing.height), (228.0, 228.0));
    }

    #[test]
    fn a_wide_panel_leaves_no_hole_beside_narrow_ones() {
        let sizes = [(400.0, 200.0), (186.0, 200.0), (186.0, 200.0)];
        let packing = Packing::of(&sizes, None);
        assert_eq!(corners(&packing), [(0.0, 0.0), (0.0, 228.0), (214.0, 228.0)]);
        assert_eq!(packing.width, 400.0);
    }

    #[test]
    fn short_panels_stand_on_each_other_beside_a_high_one() {
        let sizes = [(300.0, 428.0), (200.0, 200.0), (200.0, 200.0)];
        let packing = Packing::of(&sizes, None);
        assert_eq!(corners(&packing), [(0.0, 0.0), (328.0, 0.0), (328.0, 228.0)]);
        assert_eq!((packing.width, packing.height), (528.0, 428.0));
    }

    /// The panels beside the high one differ in width, so none stands on the one before it in a column.
    #[test]
    fn panels_of_other_widths_fill_the_space_beside_a_high_one() {
        let sizes = [(300.0, 656.0), (420.0, 200.0), (460.0, 200.0), (440.0, 200.0)];
        let packing = Packing::of(&sizes, None);
        assert_eq!(corners(&packing), [(0.0, 0.0), (328.0, 0.0), (328.0, 228.0), (328.0, 456.0)]);
        assert_eq!((packing.width, packing.height), (788.0, 656.0));
    }

    #[test]
    fn a_panel_is_never_above_the_one_before_it() {
        let size = |index: usize| (60.0 + (index * 7919 % 400) as f64, 40.0 + (index * 104_729 % 500) as f64);
        let sizes: Vec<(f64, f64)> = (0..20).map(size).collect();
        for room in [500.0, 900.0, 1500.0] {
            let packing = Packing::staggered(&sizes, room);
            assert!(packing.places.windows(2).all(|pair| pair[0].y <= pair[1].y), "{:?}", packing.places);
            assert!(packing.width <= room);
        }
    }

    #[test]
    fn a_number_of_columns_is_kept() {
        let packing = Packing::of(&[(100.0, 50.0), (10.0, 50.0), (10.0, 60.0)], Some(2));
        assert_eq!(corners(&packing), [(0.0, 0.0), (128.0, 0.0), (0.0, 78.0)]);
        assert_eq!(corners(&Packing::of(&[(10.0, 10.0); 2], Some(0))), [(0.0, 0.0), (0.0, 38.0)]);
    }

    #[test]
    fn no_two_panels_overlap_and_none_is_lost() {
        let size = |index: usize| (40.0 + (index * 7919 % 500) as f64, 30.0 + (index * 104_729 % 300) as f64);
        for count in [1, 2, 5, 12, 40, 80] {
            let sizes: Vec<(f64, f64)> = (0..count).map(size).collect();
            let packing = Packing::of(&sizes, None);
            for (index, place) in packing.places.iter().enumerate() {
                assert_eq!((place.w, place.h), sizes[index]);
                assert!(place.right() <= packing.width && place.bottom() <= packing.height);
                let apart = |other: &Area| {
                    place.right() < other.x
                        || other.right() < place.x
                        || place.bottom() < other.y
                        || other.bottom() < place.y
                };
                assert!(packing.places[..index].iter().all(apart), "{count} panels: {index}");
            }
        }
    }
}
