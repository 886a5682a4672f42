//! Compares numbers with the reference's, and keeps track of what has been compared.

use std::collections::BTreeSet;

use arrakis_models::hooks::Activation;
use arrakis_models::model::HookedTransformer;

use super::report::order;
use super::{Numbers, ParityOptions, Reference, Report, Row, Scale, Skipped, Tolerance};
use crate::error::Result;

/// A reference during a comparison.
pub(super) struct Comparer<'a> {
    pub(super) reference: &'a Reference,
    options: ParityOptions,
    rows: Vec<Row>,
    skipped: Vec<Skipped>,
    missing: Vec<String>,
    seen: BTreeSet<String>,
}

/// Our side of a comparison, and which of its numbers count.
pub(super) struct Ours<'a> {
    pub(super) values: Vec<f32>,
    pub(super) shape: Vec<usize>,
    /// As long as `values`; `None` if all count.
    pub(super) counts: Option<Vec<bool>>,
    pub(super) note: &'a str,
}

impl Ours<'_> {
    pub(super) fn new(values: Vec<f32>, shape: &[usize]) -> Self {
        Self { values, shape: shape.to_vec(), counts: None, note: "" }
    }

    pub(super) fn read(activation: &Activation) -> Result<Self> {
        Ok(Self::new(activation.to_vec()?, activation.dims()))
    }
}

impl<'a> Comparer<'a> {
    pub(super) fn new(reference: &'a Reference, options: ParityOptions) -> Self {
        Self { reference, options, rows: Vec::new(), skipped: Vec::new(), missing: Vec::new(), seen: BTreeSet::new() }
    }

    /// Compares ours with the reference's tensor of that name, which must exist.
    pub(super) fn check(&mut self, name: &str, ours: &Ours<'_>) {
        match self.reference.numbers(name) {
            Some(theirs) => {
                self.uses(name);
                self.check_against(name, ours, theirs);
            }
            None => self.missing.push(name.to_owned()),
        }
    }

    /// Compares ours with numbers derived from the reference.
    pub(super) fn check_against(&mut self, quantity: &str, ours: &Ours<'_>, theirs: &Numbers) {
        let tolerance = Tolerance::of(quantity, self.reference.info(), self.options.tolerance);
        self.rows.push(row(quantity, ours, theirs, tolerance));
    }

    /// Compares ids, which must be equal.
    pub(super) fn check_ids(&mut self, quantity: &str, ours: &[u32], theirs: &[u32]) {
        let differs = (0..ours.len().max(theirs.len())).find(|index| ours.get(*index) != theirs.get(*index));
        let (ours_at, theirs_at) =
            (differs.and_then(|index| ours.get(index)), differs.and_then(|index| theirs.get(index)));
        self.rows.push(Row {
            quantity: quantity.to_owned(),
            max_abs: 0.0,
            max_rel: 0.0,
            largest: 0.0,
            tolerance: None,
            compared: theirs.len(),
            pass: differs.is_none(),
            worst_at: differs.into_iter().collect(),
            note: differs
                .map(|index| format!("ours at {index} is {}, the reference's {}", or_end(ours_at), or_end(theirs_at)))
                .unwrap_or_default(),
        });
    }

    /// Reports a quantity that differs for a reason other than a number.
    pub(super) fn fail(&mut self, quantity: &str, note: String) {
        self.uses(quantity);
        let tolerance = Some(Tolerance::of(quantity, self.reference.info(), self.options.tolerance));
        self.rows.push(Row {
            quantity: quantity.to_owned(),
            max_abs: f64::INFINITY,
            max_rel: f64::INFINITY,
            largest: 0.0,
            tolerance,
            compared: 0,
            pass: false,
            worst_at: Vec::new(),
            note,
        });
    }

    /// Notes that a tensor of the reference is not compared, and why.
    pub(super) fn skip(&mut self, name: &str, why: impl Into<String>) {
        self.uses(name);
        self.skipped.push(Skipped { quantity: name.to_owned(), why: why.into() });
    }

    /// Notes that a tensor of the reference is an input, or part of a comparison.
    pub(super) fn uses(&mut self, name: &str) {
        self.seen.insert(name.to_owned());
    }

    pub(super) fn lacks(&mut self, name: impl Into<String>) {
        self.missing.push(name.into());
    }

    /// Whether a tensor of the reference has been used.
    pub(super) fn has_seen(&self, name: &str) -> bool {
        self.seen.contains(name)
    }

    /// The names of unused tensors of numbers with this prefix.
    pub(super) fn unseen(&self, prefix: &str) -> Vec<&'a str> {
        self.reference.number_names().filter(|name| name.starts_with(prefix) && !self.has_seen(name)).collect()
    }

    /// The report; tensors that no part has used are listed as skipped.
    pub(super) fn finish(mut self, model: &HookedTransformer) -> Report {
        let left: Vec<&str> = self.reference.names().filter(|name| !self.seen.contains(*name)).collect();
        for name in left {
            let why = self.reference.other(name).unwrap_or("no site or output has this name");
            self.skipped.push(Skipped { quantity: name.to_owned(), why: why.to_owned() });
        }
        self.rows.sort_by_cached_key(|row| order(&row.quantity));
        self.skipped.sort_by_cached_key(|skipped| order(&skipped.quantity));
        Report {
            model: model.name().to_owned(),
            device: model.device_name().to_owned(),
            reference: self.reference.path().to_owned(),
            rows: self.rows,
            skipped: self.skipped,
            missing: self.missing,
        }
    }
}

fn or_end(id: Option<&u32>) -> String {
    id.map_or_else(|| "the end".to_owned(), u32::to_string)
}

/// The worst of all entries that count.
#[derive(Default)]
struct Worst {
    abs: f64,
    rel: f64,
    /// The difference divided by the allowance: above one it fails.
    excess: f64,
    at: usize,
    compared: usize,
}

fn row(quantity: &str, ours: &Ours<'_>, theirs: &Numbers, tolerance: Tolerance) -> Row {
    if !same_shape(&ours.shape, &theirs.shape) || ours.values.len() != theirs.values.len() {
        let note = format!("ours has shape {:?}, the reference {:?}", ours.shape, theirs.shape);
        return Row {
            quantity: quantity.to_owned(),
            max_abs: f64::INFINITY,
            max_rel: f64::INFINITY,
            largest: 0.0,
            tolerance: Some(tolerance),
            compared: 0,
            pass: false,
            worst_at: Vec::new(),
            note,
        };
    }
    let counts = |index: usize| ours.counts.as_ref().is_none_or(|counts| counts[index]);
    let counted = theirs.values.iter().enumerate().filter(|(index, _)| counts(*index));
    let largest = largest(counted.map(|(_, value)| *value));
    let worst = worst(ours, theirs, tolerance, largest, &counts);
    Row {
        quantity: quantity.to_owned(),
        max_abs: worst.abs,
        max_rel: worst.rel,
        largest,
        tolerance: Some(tolerance),
        compared: worst.compared,
        pass: worst.excess <= 1.0 && worst.compared > 0,
        worst_at: index_of(worst.at, &theirs.shape),
        note: ours.note.to_owned(),
    }
}

fn worst(
    ours: &Ours<'_>,
    theirs: &Numbers,
    tolerance: Tolerance,
    largest: f64,
    counts: &impl Fn(usize) -> bool,
) -> Worst {
    let width = theirs.shape.last().copied().unwrap_or(1).max(1);
    let mut worst = Worst::default();
    for (start, vector) in theirs.values.chunks(width).enumerate().map(|(row, vector)| (row * width, vector)) {
        let in_vector = self::largest(vector.iter().copied());
        for (index, their) in vector
            .iter()
            .enumerate()
            .map(|(offset, value)| (start + offset, f64::from(*value)))
            .filter(|(index, _)| counts(*index))
        {
            let scale = match tolerance.scale {
                Scale::Entry => their.abs(),
                Scale::Vector => in_vector,
                Scale::Tensor => largest,
            };
            worst.meet(index, f64::from(ours.values[index]), their, tolerance.atol + tolerance.rtol * scale, largest);
        }
    }
    worst
}

/// The largest finite magnitude; an infinite one would allow any difference.
fn largest(values: impl Iterator<Item = f32>) -> f64 {
    values.filter(|value| value.is_finite()).fold(0.0, |most, value| most.max(f64::from(value.abs())))
}

impl Worst {
    fn meet(&mut self, index: usize, ours: f64, theirs: f64, allowed: f64, largest: f64) {
        let difference = if ours == theirs { 0.0 } else { (ours - theirs).abs() };
        let difference = if difference.is_nan() { f64::INFINITY } else { difference };
        // If the reference is not finite, the allowance is not finite either.
        let excess = if difference == 0.0 || difference.is_infinite() { difference } else { difference / allowed };
        if excess > self.excess {
            (self.excess, self.at) = (excess, index);
        }
        self.abs = self.abs.max(difference);
        if difference > 0.0 {
            self.rel = self.rel.max(difference / theirs.abs().max(largest * 1e-3));
        }
        self.compared += 1;
    }
}

/// Axes of length one are ignored: a batch of one prompt has the shape of the prompt.
fn same_shape(ours: &[usize], theirs: &[usize]) -> bool {
    let axes = |shape: &[usize]| shape.iter().copied().filter(|length| *length != 1).collect::<Vec<_>>();
    axes(ours) == axes(theirs)
}

fn index_of(flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = flat;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|length| {
            let at = rest % (*length).max(1);
            rest /= (*length).max(1);
            at
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIGHT: Tolerance = Tolerance { atol: 0.1, rtol: 0.0, scale: Scale::Entry };

    fn compared(ours: &[f32], theirs: &[f32], tolerance: Tolerance) -> Row {
        let theirs = Numbers { shape: vec![1, theirs.len()], values: theirs.to_vec() };
        row("q", &Ours::new(ours.to_vec(), &[ours.len()]), &theirs, tolerance)
    }

    #[test]
    fn differences_by_hand() {
        let row = compared(&[1.0, 2.5], &[1.0, 2.0], TIGHT);
        assert_eq!((row.max_abs, row.max_rel, row.pass, row.compared), (0.5, 0.25, false, 2));
        assert_eq!(row.worst_at, [0, 1]);
    }

    #[test]
    fn a_small_entry_next_to_a_large_one_may_differ_by_a_share_of_the_large_one() {
        let (ours, theirs) = ([1000.0, 1.05], [1000.0, 1.0]);
        let within = |scale| compared(&ours, &theirs, Tolerance { atol: 0.0, rtol: 1e-4, scale }).pass;
        assert!(!within(Scale::Entry) && within(Scale::Vector) && within(Scale::Tensor));
    }

    #[test]
    fn nan_never_passes() {
        for ours in [f32::NAN, f32::INFINITY] {
            let row = compared(&[ours], &[1.0], Tolerance { atol: 1e9, ..TIGHT });
            assert!(!row.pass && row.max_abs.is_infinite());
        }
        assert!(compared(&[f32::INFINITY], &[f32::INFINITY], TIGHT).pass);
    }

    #[test]
    fn a_reference_that_is_not_finite_allows_nothing() {
        for scale in [Scale::Entry, Scale::Vector, Scale::Tensor] {
            let loose = Tolerance { atol: 1.0, rtol: 1.0, scale };
            for theirs in [f32::NAN, f32::INFINITY] {
                assert!(!compared(&[1.0, 1.0], &[1.0, theirs], loose).pass, "{scale:?} {theirs}");
            }
            assert!(!compared(&[f32::INFINITY, 9.0], &[f32::INFINITY, 1.0], loose).pass, "{scale:?}");
        }
    }

    #[test]
    fn differing_shapes_are_reported() {
        assert_eq!(compared(&[1.0], &[1.0, 2.0], TIGHT).note, "ours has shape [1], the reference [1, 2]");
    }
}
