//! Resample ablation within a batch.

use serde::{Deserialize, Serialize};

use super::action::Act;
use crate::error::{Error, Result};
use crate::hooks::tensor::activation::Activation;
use crate::hooks::tensor::at::At;
use crate::hooks::tensor::rows::Rows;

/// Replaces each row with another row of the batch: row `r` takes the numbers of row `from[r]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resample {
    /// The source row of each row of the batch, from 0.
    pub from: Vec<usize>,
}

impl Resample {
    pub(super) fn new(from: impl IntoIterator<Item = usize>) -> Self {
        Self { from: from.into_iter().collect() }
    }
}

impl Act for Resample {
    const NAME: &'static str = "resample";

    /// Each row's source must be in the same batch and have its tokens and padding in the same slots. Otherwise it is
    /// unclear which positions correspond.
    fn check(&self, dims: &[usize], at: &At<'_>) -> Result<()> {
        let from = &self.from;
        let rows = at.rows_of(dims);
        let (_, total) = rows.map_or((0, dims[0]), Rows::batch);
        if from.len() != total {
            return Err(Error::Count { what: "rows to resample from".into(), expected: total, actual: from.len() });
        }
        if let Some(far) = from.iter().find(|row| **row >= total) {
            return Err(Error::out_of_range("row", *far, total));
        }
        let refused =
            |problem: String| Err(Error::Intervention { action: "resample", site: at.site.to_owned(), problem });
        if total != dims[0] {
            return refused(format!("this forward holds {} of {total} rows; make the batch smaller", dims[0]));
        }
        let unlike = |rows: &Rows| (0..total).find(|row| !rows.are_alike(*row, from[*row]));
        match rows.and_then(unlike) {
            Some(row) => {
                refused(format!("rows {row} and {} are padded differently; use prompts of one length", from[row]))
            }
            None => Ok(()),
        }
    }

    fn apply(&self, value: &Activation, _: &At<'_>) -> Result<Activation> {
        value.select(0, &self.from)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::hooks::{Action, Intervention};
    use crate::tokens::{Side, Tokens};

    fn three() -> Activation {
        Activation::from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2, 1], &Device::flex()).unwrap()
    }

    fn run(intervention: &Intervention, rows: Option<&Rows>) -> Result<Vec<f32>> {
        intervention.apply(&three(), &At { rows, ..At::new("blocks.0.mlp_out") })?.to_vec()
    }

    #[test]
    fn rows_take_the_numbers_of_their_sources() {
        let turned = Intervention::resample([2, 0, 1]);
        assert_eq!(run(&turned, None).unwrap(), [5.0, 6.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(run(&turned.positions([-1]).rows([0, 2]), None).unwrap(), [1.0, 6.0, 3.0, 4.0, 5.0, 4.0]);
        let text = serde_json::to_string(&Intervention::resample([1])).unwrap();
        assert_eq!(text, r#"{"action":{"do":"resample","from":[1]}}"#);
        assert!(matches!(serde_json::from_str::<Intervention>(&text).unwrap().action, Action::Resample(_)));
    }

    #[test]
    fn a_row_that_cannot_be_a_source_is_refused() {
        let said = |from: &[usize], rows: Option<&Rows>| {
            run(&Intervention::resample(from.iter().copied()), rows).unwrap_err().to_string()
        };
        assert_eq!(said(&[1, 0], None), "expected 3 rows to resample from, got 2");
        assert_eq!(said(&[0, 1, 3], None), "row 3 is out of range: there are 3, numbered from 0");
        let padded = Tokens::padded(&[vec![1, 2], vec![3], vec![4, 5]], Side::Left, 0).unwrap();
        let rows = Rows::new(&padded, &[]);
        assert_eq!(run(&Intervention::resample([2, 1, 0]), Some(&rows)).unwrap(), [5.0, 6.0, 3.0, 4.0, 1.0, 2.0]);
        let unlike = said(&[1, 0, 2], Some(&rows));
        assert!(unlike.ends_with(": rows 0 and 1 are padded differently; use prompts of one length"), "{unlike}");
        let part = said(&[0, 1, 2, 3, 4], Some(&rows.within(0, 5)));
        assert_eq!(part, "cannot resample `blocks.0.mlp_out`: this forward holds 3 of 5 rows; make the batch smaller");
    }
}
