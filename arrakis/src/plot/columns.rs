//! Lines with more points than pixels, drawn by what each column of pixels shows of them.

/// The width of a column: a pixel of the saved picture, in pixels of the scene.
const WIDTH: f64 = 0.5;

/// The points of a rising line that can be seen: in each column the first, the lowest, the highest and the last, in their
/// order (Jugel et al., "M4", VLDB 2014). The picture of the line is the same.
pub(super) fn seen(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let column = |point: &(f64, f64)| (point.0 / WIDTH).floor();
    points.chunk_by(|a, b| column(a) == column(b)).flat_map(extremes).collect()
}

fn extremes(column: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let by_height = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
    let all = || 0..column.len();
    let ends = [Some(0), all().min_by(by_height), all().max_by(by_height), column.len().checked_sub(1)];
    let mut kept: Vec<usize> = ends.into_iter().flatten().collect();
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().map(|index| column[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_keeps_its_ends_and_extremes_in_order() {
        let column = [(1.0, 3.0), (1.1, 9.0), (1.2, 5.0), (1.3, -1.0), (1.4, 4.0), (1.6, 7.0)];
        assert_eq!(seen(&column), [(1.0, 3.0), (1.1, 9.0), (1.3, -1.0), (1.4, 4.0), (1.6, 7.0)]);
    }

    #[test]
    fn a_line_with_fewer_points_than_pixels_stays_as_it_is() {
        let line: Vec<(f64, f64)> = (0..100).map(|x| (f64::from(x), f64::from(x * x % 7))).collect();
        assert_eq!(seen(&line), line);
        assert!(seen(&[]).is_empty());
    }

    #[test]
    fn every_column_of_a_noisy_line_spans_what_its_points_span() {
        let noise = |index: u32| f64::from(index.wrapping_mul(2_654_435_761) >> 16);
        let line: Vec<(f64, f64)> = (0..100_000).map(|index| (f64::from(index) * 560.0 / 1e5, noise(index))).collect();
        let drawn = seen(&line);
        assert!(drawn.len() <= 4 * 1121, "{} points", drawn.len());
        let span = |points: &[(f64, f64)], column: f64| {
            let own = points.iter().filter(|(x, _)| (x / WIDTH).floor() == column).map(|(_, y)| *y);
            own.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)))
        };
        for column in [0.0, 1.0, 500.0, 1119.0] {
            assert_eq!(span(&drawn, column), span(&line, column));
        }
    }
}
