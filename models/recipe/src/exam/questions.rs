//! How well a model does the three tasks on held-out names, templates, years and sequences.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::text::{N_CTX, Split, greater_than, induction, name_mover, vocab};

/// One prediction to score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The row of the exam that it belongs to.
    pub row: usize,
    /// The position whose logits are scored.
    pub pos: usize,
    /// The right answers, as token ids.
    pub right: Vec<u32>,
    /// The typical wrong answers: the subject, or earlier years; empty for induction.
    pub wrong: Vec<u32>,
}

/// Rows for a model, and questions about its logits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exam {
    /// Token ids, `[batch, pos]`; each row is `N_CTX` long, padded with `<|endoftext|>` on the right.
    pub rows: Vec<Vec<u32>>,
    /// The questions, in the order of the rows.
    pub questions: Vec<Question>,
}

/// The score of one exam.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Score {
    /// The number of questions.
    pub questions: usize,
    /// The share of questions whose most probable token, of the whole vocabulary, is right.
    pub accuracy: f64,
    /// The mean of minus the log of the summed probability of all right tokens, in nats.
    pub loss: f64,
    /// The mean probability of the right tokens minus that of the wrong ones, -1 to 1.
    pub prob_diff: f64,
}

/// The scores of every task.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// Repeats of random sequences that training never drew.
    pub induction: Score,
    /// Held-out names in held-out templates.
    pub name_mover: Score,
    /// Held-out names in training templates.
    pub name_mover_names: Score,
    /// Training names in held-out templates.
    pub name_mover_templates: Score,
    /// Held-out pairs of century and year.
    pub greater_than: Score,
}

impl Exam {
    /// Adds a row, cut or padded to `N_CTX`; returns its index.
    fn row(&mut self, tokens: &[u32]) -> usize {
        let mut row = tokens.to_vec();
        row.resize(N_CTX, vocab::END_OF_TEXT_ID);
        self.rows.push(row);
        self.rows.len() - 1
    }

    /// Repeated random sequences, with a question for every word that repetition determines.
    pub fn induction(seed: u64, rows: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut exam = Self::default();
        for _ in 0..rows {
            let found = induction::draw(&mut rng);
            let row = exam.row(&found.tokens);
            let ask = |place: usize| Question { row, pos: place - 1, right: vec![found.tokens[place]], wrong: vec![] };
            exam.questions.extend(found.predictable.iter().copied().map(ask));
        }
        exam
    }

    /// Indirect objects, with the names in both orders.
    pub fn name_mover(seed: u64, rows: usize, names: Split, templates: Split) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut exam = Self::default();
        for _ in 0..rows {
            let found = name_mover::prompt(&mut rng, names, templates);
            let row = exam.row(&found.tokens);
            let (right, wrong) = (vec![found.answer], vec![found.wrong]);
            exam.questions.push(Question { row, pos: found.answer_pos, right, wrong });
        }
        exam
    }

    /// Later years.
    pub fn greater_than(seed: u64, rows: usize, split: Split) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut exam = Self::default();
        for _ in 0..rows {
            let found = greater_than::prompt(&mut rng, split);
            let row = exam.row(&found.tokens);
            let (right, wrong) = (found.answers(), found.wrong());
            exam.questions.push(Question { row, pos: found.answer_pos, right, wrong });
        }
        exam
    }

    /// Runs the rows, `batch` at a time, and scores the logits.
    ///
    /// `logits` gets rows of `N_CTX` tokens and returns `[batch, pos, d_vocab]`, flat and row-major.
    ///
    /// # Errors
    ///
    /// Those of `logits`, and [`Error::Vocabulary`] if it returns a different number of logits.
    pub fn take(&self, batch: usize, mut logits: impl FnMut(&[Vec<u32>]) -> Result<Vec<f32>>) -> Result<Score> {
        let batch = batch.max(1);
        let mut marks = Vec::with_capacity(self.questions.len());
        for (number, rows) in self.rows.chunks(batch).enumerate() {
            let (first, last) = (number * batch, number * batch + rows.len());
            let logits = checked(logits(rows)?, rows.len())?;
            let asked = self.questions.iter().filter(|question| (first..last).contains(&question.row));
            marks.extend(asked.map(|question| mark(question, at(&logits, question.row - first, question.pos))));
        }
        Ok(Score::of(&marks))
    }
}

fn checked(logits: Vec<f32>, rows: usize) -> Result<Vec<f32>> {
    let expected = rows * N_CTX * vocab::tokens().len();
    if logits.len() == expected { Ok(logits) } else { Err(Error::Vocabulary { expected, actual: logits.len() }) }
}

/// The logits of one position, `[d_vocab]`.
fn at(logits: &[f32], row: usize, pos: usize) -> &[f32] {
    let d_vocab = vocab::tokens().len();
    let start = (row * N_CTX + pos) * d_vocab;
    &logits[start..start + d_vocab]
}

/// The score of one question.
struct Mark {
    correct: bool,
    right: f64,
    wrong: f64,
}

/// Scores one position's logits, `[d_vocab]`.
fn mark(question: &Question, logits: &[f32]) -> Mark {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |id: &u32| f64::from(logits[*id as usize] - max).exp();
    let total: f64 = logits.iter().map(|logit| f64::from(logit - max).exp()).sum();
    let sum = |ids: &[u32]| ids.iter().map(weight).sum::<f64>() / total;
    // Strictly above every other token: a tie counts as wrong, and so does NaN.
    let best = question.right.iter().map(|&id| logits[id as usize]).fold(f32::NEG_INFINITY, f32::max);
    let beaten = |(id, logit): (u32, &f32)| question.right.contains(&id) || *logit < best;
    Mark { correct: (0..).zip(logits).all(beaten), right: sum(&question.right), wrong: sum(&question.wrong) }
}

impl Score {
    fn of(marks: &[Mark]) -> Self {
        let mean = |of: fn(&Mark) -> f64| marks.iter().map(of).sum::<f64>() / marks.len().max(1) as f64;
        Self {
            questions: marks.len(),
            accuracy: mean(|mark| f64::from(u8::from(mark.correct))),
            loss: mean(|mark| -mark.right.max(f64::MIN_POSITIVE).ln()),
            prob_diff: mean(|mark| mark.right - mark.wrong),
        }
    }
}

/// Scores every task on `rows` held-out rows each, `batch` rows per run; see [`Exam::take`] for `logits`.
///
/// # Errors
///
/// As [`Exam::take`].
pub fn evaluate(
    seed: u64,
    rows: usize,
    batch: usize,
    mut logits: impl FnMut(&[Vec<u32>]) -> Result<Vec<f32>>,
) -> Result<Report> {
    let names = |names, templates| Exam::name_mover(seed, rows, names, templates);
    Ok(Report {
        induction: Exam::induction(seed, rows).take(batch, &mut logits)?,
        name_mover: names(Split::HeldOut, Split::HeldOut).take(batch, &mut logits)?,
        name_mover_names: names(Split::HeldOut, Split::Train).take(batch, &mut logits)?,
        name_mover_templates: names(Split::Train, Split::HeldOut).take(batch, &mut logits)?,
        greater_than: Exam::greater_than(seed, rows, Split::HeldOut).take(batch, &mut logits)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits that favour one token at each position: `say(row, pos)`.
    fn oracle(rows: &[Vec<u32>], say: impl Fn(&[u32], usize) -> u32) -> Vec<f32> {
        let d_vocab = vocab::tokens().len();
        let mut logits = vec![0.0; rows.len() * N_CTX * d_vocab];
        for (r, row) in rows.iter().enumerate() {
            for pos in 0..N_CTX {
                logits[(r * N_CTX + pos) * d_vocab + say(row, pos) as usize] = 50.0;
            }
        }
        logits
    }

    /// The token that followed the last earlier copy of this token.
    fn copy(row: &[u32], pos: usize) -> u32 {
        (1..pos).rev().find(|&i| row[i] == row[pos]).map_or(1, |i| row[i + 1])
    }

    #[test]
    fn the_scores_of_equal_logits_by_hand() {
        let exam = Exam::greater_than(1, 20, Split::HeldOut);
        let score = exam.take(7, |rows| Ok(oracle(rows, |_, _| 0).iter().map(|_| 1.0).collect())).unwrap();
        let later: f64 = exam.questions.iter().map(|q| q.right.len() as f64).sum::<f64>() / 20.0;
        let d_vocab = vocab::tokens().len() as f64;
        assert_eq!((score.questions, score.accuracy), (20, 0.0));
        assert!((score.prob_diff - (2.0 * later - 100.0) / d_vocab).abs() < 1e-9);
    }

    #[test]
    fn an_induction_head_solves_induction_and_nothing_else() {
        let report = evaluate(2, 50, 16, |rows| Ok(oracle(rows, copy))).unwrap();
        assert_eq!(report.induction.accuracy, 1.0);
        assert!(report.induction.questions > 500 && report.induction.loss < 1e-9);
        assert_eq!((report.name_mover.accuracy, report.name_mover_names.accuracy), (0.0, 0.0));
        assert_eq!(report.greater_than.accuracy, 0.0);
    }

    #[test]
    fn a_name_mover_solves_name_movers() {
        let exam = Exam::name_mover(3, 40, Split::HeldOut, Split::HeldOut);
        let answers: std::collections::BTreeMap<Vec<u32>, u32> =
            exam.questions.iter().map(|q| (exam.rows[q.row].clone(), q.right[0])).collect();
        let score = exam.take(16, |rows| Ok(oracle(rows, |row, _| answers[row]))).unwrap();
        assert_eq!((score.questions, score.accuracy), (40, 1.0));
        assert!((score.prob_diff - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_model_of_nan_is_wrong() {
        let exam = Exam::name_mover(4, 3, Split::HeldOut, Split::HeldOut);
        let score = exam.take(2, |rows| Ok(oracle(rows, |_, _| 0).iter().map(|_| f32::NAN).collect())).unwrap();
        assert_eq!(score.accuracy, 0.0);
    }

    #[test]
    fn a_wrong_number_of_logits_is_refused() {
        let error = Exam::induction(5, 2).take(2, |_| Ok(vec![0.0; 6])).unwrap_err();
        let expected = 2 * 64 * vocab::tokens().len();
        assert_eq!(
            error.to_string(),
            format!(
                "the exam needs batch * pos * d_vocab = {expected} logits, got 6: examine a model of the embedded model's vocabulary"
            )
        );
    }
}
