//! The best one-to-one assignment.

/// For each row of a matrix of gains the column it is given, so that the sum of gains is the largest; `None` for rows that
/// are left over where there are more rows than columns.
///
/// The Hungarian method with potentials, `O(rows² · columns)`: Kuhn 1955; Jonker and Volgenant 1987, "A shortest augmenting
/// path algorithm for dense and sparse linear assignment problems".
pub(super) fn assign(gains: &[Vec<f64>]) -> Vec<Option<usize>> {
    let (rows, columns) = (gains.len(), gains.first().map_or(0, Vec::len));
    if rows > columns {
        let turned: Vec<Vec<f64>> = (0..columns).map(|column| gains.iter().map(|row| row[column]).collect()).collect();
        let mut found = vec![None; rows];
        for (column, row) in assign(&turned).into_iter().enumerate() {
            if let Some(row) = row {
                found[row] = Some(column);
            }
        }
        return found;
    }
    let mut paths = Paths::new(rows, columns);
    for row in 0..rows {
        paths.add(row, |row, column| -gains[row][column]);
    }
    let mut found = vec![None; rows];
    for (column, owner) in paths.owner.iter().take(columns).enumerate() {
        if let Some(row) = owner {
            found[*row] = Some(column);
        }
    }
    found
}

/// An assignment that grows by one row at a time.
struct Paths {
    /// The row that each column is given to; the last entry is a column that does not exist, where a new row starts.
    owner: Vec<Option<usize>>,
    of_rows: Vec<f64>,
    of_columns: Vec<f64>,
}

impl Paths {
    fn new(rows: usize, columns: usize) -> Self {
        Self { owner: vec![None; columns + 1], of_rows: vec![0.0; rows], of_columns: vec![0.0; columns + 1] }
    }

    /// Assigns one more row along the shortest augmenting path.
    fn add(&mut self, row: usize, cost: impl Fn(usize, usize) -> f64) {
        let columns = self.owner.len() - 1;
        let (mut least, mut from) = (vec![f64::INFINITY; columns], vec![columns; columns]);
        let mut visited = vec![false; columns + 1];
        let mut at = columns;
        self.owner[columns] = Some(row);
        while let Some(own) = self.owner[at] {
            visited[at] = true;
            let (mut step, mut next) = (f64::INFINITY, columns);
            for column in (0..columns).filter(|column| !visited[*column]) {
                let reduced = cost(own, column) - self.of_rows[own] - self.of_columns[column];
                if reduced < least[column] {
                    (least[column], from[column]) = (reduced, at);
                }
                if least[column] < step {
                    (step, next) = (least[column], column);
                }
            }
            self.shift(step, &visited, &mut least);
            at = next;
        }
        while at != columns {
            self.owner[at] = self.owner[from[at]];
            at = from[at];
        }
        self.owner[columns] = None;
    }

    /// Moves the potentials so that the nearest column costs nothing.
    fn shift(&mut self, step: f64, visited: &[bool], least: &mut [f64]) {
        for (column, visited) in visited.iter().enumerate() {
            match self.owner[column].filter(|_| *visited) {
                Some(row) => {
                    self.of_rows[row] += step;
                    self.of_columns[column] -= step;
                }
                None => least.get_mut(column).into_iter().for_each(|least| *least -= step),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// The largest sum over all injections of rows into columns.
    fn by_trying(gains: &[Vec<f64>], row: usize, used: &mut Vec<bool>) -> f64 {
        if row == gains.len() {
            return 0.0;
        }
        let mut best = f64::NEG_INFINITY;
        for column in 0..used.len() {
            if !used[column] {
                used[column] = true;
                best = best.max(gains[row][column] + by_trying(gains, row + 1, used));
                used[column] = false;
            }
        }
        best
    }

    #[test]
    fn the_greedy_choice_is_not_the_best() {
        // Greedy takes 10 and is left with 1: 11. The best is 9 + 8.
        assert_eq!(assign(&[vec![10.0, 9.0], vec![8.0, 1.0]]), [Some(1), Some(0)]);
        assert_eq!(assign(&[]), []);
    }

    #[test]
    fn it_is_the_best_of_all() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (rows, columns) in [(1, 1), (2, 5), (4, 4), (5, 6), (6, 6)] {
            for _ in 0..20 {
                let gains: Vec<Vec<f64>> =
                    (0..rows).map(|_| (0..columns).map(|_| f64::from(rng.random_range(-9..9_i32))).collect()).collect();
                let best = by_trying(&gains, 0, &mut vec![false; columns]);
                let found = assign(&gains);
                let sum: f64 = found.iter().enumerate().map(|(row, column)| gains[row][column.unwrap()]).sum();
                assert!((sum - best).abs() < 1e-9, "{sum} {best} {gains:?}");
                let turned: Vec<Vec<f64>> =
                    (0..columns).map(|column| gains.iter().map(|row| row[column]).collect()).collect();
                let of_turned = assign(&turned);
                assert_eq!(of_turned.iter().flatten().count(), rows);
                let sum: f64 =
                    of_turned.iter().enumerate().filter_map(|(row, column)| Some(turned[row][(*column)?])).sum();
                assert!((sum - best).abs() < 1e-9, "{sum} {best}");
            }
        }
    }
}
