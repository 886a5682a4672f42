use super::*;

fn number(at: usize) -> f32 {
    ((at * 7919) % 1009) as f32 / 1009.0 - 0.5
}

fn numbers(seed: usize, count: usize) -> Vec<f32> {
    (0..count).map(|at| number(at + seed)).collect()
}

/// Sizes with every kind of end: tiles, panels and runs that are whole or not, heads in groups or alone.
const SIZES: [Heads; 6] = [
    Heads { batch: 1, queries: 1, keys: 1, heads: 1, kv_heads: 1, d_head: 1 },
    Heads { batch: 2, queries: 5, keys: 9, heads: 4, kv_heads: 2, d_head: 20 },
    Heads { batch: 1, queries: 131, keys: 131, heads: 2, kv_heads: 2, d_head: 64 },
    Heads { batch: 3, queries: 49, keys: 300, heads: 3, kv_heads: 1, d_head: 80 },
    Heads { batch: 1, queries: 1, keys: 257, heads: 6, kv_heads: 2, d_head: 128 },
    Heads { batch: 1, queries: 24, keys: 48, heads: 2, kv_heads: 1, d_head: 48 },
];

/// Queries, keys and values; keys and values have room between rows and between batches.
struct Case {
    heads: Heads,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Case {
    fn new(heads: Heads) -> Self {
        let Heads { batch, queries, keys, heads: query_heads, kv_heads, d_head } = heads;
        let room = batch * (keys + 3) * (kv_heads * d_head + 16);
        Self { heads, q: numbers(1, batch * queries * query_heads * d_head), k: numbers(5, room), v: numbers(9, room) }
    }

    fn rows(&self) -> [Rows<'_>; 3] {
        let Heads { queries, keys, heads, kv_heads, d_head, .. } = self.heads;
        let per_pos = kv_heads * d_head + 16;
        let roomy = [(keys + 3) * per_pos, per_pos, d_head];
        let tight = [queries * heads * d_head, heads * d_head, d_head];
        [
            Rows { numbers: &self.q, strides: tight },
            Rows { numbers: &self.k, strides: roomy },
            Rows { numbers: &self.v, strides: roomy },
        ]
    }

    /// Causal from the end; in a second batch, the first two keys are hidden too.
    fn spans(&self) -> Vec<Range<usize>> {
        let Heads { batch, queries, keys, .. } = self.heads;
        let span = |batch: usize, query: usize| (2 * batch).min(keys - 1)..(keys + query + 1 - queries).max(1);
        (0..batch).flat_map(|batch| (0..queries).map(move |query| span(batch, query))).collect()
    }

    fn products(&self, spans: &[Range<usize>]) -> Vec<f32> {
        let [q, k, _] = self.rows();
        let mut out = vec![0.0; self.heads.batch * self.heads.heads * self.heads.queries * self.heads.keys];
        products(&self.heads, q, k, spans, &mut out);
        out
    }

    fn mixed(&self, pattern: &[f32], spans: &[Range<usize>]) -> Vec<f32> {
        let mut out = vec![f32::NAN; self.q.len()];
        mixed(&self.heads, pattern, self.rows()[2], spans, &mut out);
        out
    }

    /// Calls with batch, head and query, and the index of a row.
    fn each_row(&self, mut each: impl FnMut([usize; 3], usize)) {
        let Heads { batch, queries, heads, .. } = self.heads;
        for row in 0..batch * heads * queries {
            each([row / queries / heads, row / queries % heads, row % queries], row);
        }
    }
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// A pattern that is not zero where a query sees a key.
fn halved(case: &Case, spans: &[Range<usize>], row: usize, from: usize, numbers: &mut [f32]) {
    let Heads { queries, heads, .. } = case.heads;
    let span = &spans[row / queries / heads * queries + row % queries];
    for (key, x) in (from..).zip(numbers) {
        *x = if span.contains(&key) { *x * 0.5 } else { 0.0 };
    }
}

#[test]
fn products_are_those_of_double_precision_where_queries_see() {
    for heads in SIZES {
        let case = Case::new(heads);
        let [q, k, _] = case.rows();
        let (spans, keys) = (case.spans(), heads.keys);
        let found = case.products(&spans);
        case.each_row(|[batch, head, query], row| {
            let x = &q.from([batch, query, head])[..heads.d_head];
            for key in spans[batch * heads.queries + query].clone() {
                let y = k.from([batch, key, heads.served_by(head)]);
                let exact: f64 = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                let found = f64::from(found[row * keys + key]);
                assert!(
                    (found - exact).abs() < 1e-6 * (1.0 + exact.abs()),
                    "{heads:?} {row} {key}: {found} is not {exact}"
                );
            }
        });
    }
}

#[test]
fn means_are_those_of_double_precision() {
    for heads in SIZES {
        let case = Case::new(heads);
        let (spans, v) = (case.spans(), case.rows()[2]);
        let mut pattern = numbers(3, heads.batch * heads.heads * heads.queries * heads.keys);
        pattern.chunks_mut(heads.keys).enumerate().for_each(|(row, x)| halved(&case, &spans, row, 0, x));
        let found = case.mixed(&pattern, &spans);
        case.each_row(|[batch, head, query], row| {
            for d in 0..heads.d_head {
                let value = |key: usize| f64::from(v.from([batch, key, heads.served_by(head)])[d]);
                let weights = pattern[row * heads.keys..][..heads.keys].iter().map(|x| f64::from(*x));
                let exact: f64 = weights.enumerate().map(|(key, x)| x * value(key)).sum();
                let at = ((batch * heads.queries + query) * heads.heads + head) * heads.d_head + d;
                assert!(
                    (f64::from(found[at]) - exact).abs() < 1e-6 * (1.0 + exact.abs()),
                    "{heads:?} {row} {d}: {} {exact}",
                    found[at]
                );
            }
        });
    }
}

#[test]
fn all_in_one_is_its_parts_to_the_bit() {
    for heads in SIZES {
        let case = Case::new(heads);
        let spans = case.spans();
        let mut pattern = case.products(&spans);
        pattern.chunks_mut(heads.keys).enumerate().for_each(|(row, x)| halved(&case, &spans, row, 0, x));
        let mut found = vec![f32::NAN; case.q.len()];
        let to_pattern = |row: usize, from: usize, x: &mut [f32]| halved(&case, &spans, row, from, x);
        attend(&heads, case.rows(), &spans, &to_pattern, &mut found);
        assert_eq!(bits(&found), bits(&case.mixed(&pattern, &spans)), "{heads:?}");
    }
}

/// The rows from one position of one batch on.
fn alone(rows: Rows<'_>, [batch, pos]: [usize; 2]) -> Rows<'_> {
    Rows { numbers: rows.from([batch, pos, 0]), ..rows }
}

/// Each query by itself, and all keys instead of those that are seen.
#[test]
fn neighbours_and_terms_of_zero_change_no_bit() {
    for heads in SIZES {
        let case = Case::new(heads);
        let spans = case.spans();
        let whole = vec![0..heads.keys; heads.queries];
        let mut pattern = case.products(&spans);
        pattern.chunks_mut(heads.keys).enumerate().for_each(|(row, x)| halved(&case, &spans, row, 0, x));
        let (products, means) = (case.products(&whole), case.mixed(&pattern, &spans));
        assert_eq!(bits(&case.mixed(&pattern, &whole)), bits(&means), "{heads:?}");
        let one = Heads { batch: 1, queries: 1, ..heads };
        let row = |batch: usize, head: usize, query: usize| (batch * heads.heads + head) * heads.queries + query;
        for (batch, query) in [(0, 0), (heads.batch - 1, heads.queries - 1)] {
            let ([q, k, v], all) = (case.rows(), 0..heads.keys);
            let (q, k, v) = (alone(q, [batch, query]), alone(k, [batch, 0]), alone(v, [batch, 0]));
            let mut found = vec![0.0; heads.heads * heads.keys];
            super::products(&one, q, k, std::slice::from_ref(&all), &mut found);
            for (head, found) in found.chunks(heads.keys).enumerate() {
                let expected = &products[row(batch, head, query) * heads.keys..][..heads.keys];
                assert_eq!(bits(found), bits(expected), "{heads:?}");
            }
            let mut found = vec![0.0; heads.heads * heads.d_head];
            let to_pattern = |head: usize, from: usize, x: &mut [f32]| {
                halved(&case, &spans, row(batch, head, query), from, x);
            };
            attend(&one, [q, k, v], std::slice::from_ref(&all), &to_pattern, &mut found);
            let at = (batch * heads.queries + query) * found.len();
            assert_eq!(bits(&found), bits(&means[at..at + found.len()]), "{heads:?}");
        }
    }
}
