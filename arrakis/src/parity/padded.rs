//! Padding on the left must not change the numbers at real tokens.

use arrakis_models::model::HookedTransformer;
use arrakis_models::tokens::Tokens;
use arrakis_models::transformer::Positions;

use super::Numbers;
use super::compare::{Comparer, Ours};
use super::forward::{Forward, bad_input};
use crate::error::Result;

pub(super) fn compare(comparer: &mut Comparer<'_>, model: &HookedTransformer) -> Result<()> {
    let Some(tokens) = tokens(comparer)? else { return Ok(()) };
    for input in ["padded.input_ids", "padded.attention_mask", "padded.labels", "padded.position_ids"] {
        comparer.uses(input);
    }
    let real = tokens.real().to_vec();
    if comparer.reference.numbers("padded.logits_with_position_ids").is_some() {
        let positioned = with_ids(comparer, tokens.clone())?;
        let logits = arrakis_models::hooks::Activation::new(model.forward(&positioned)?);
        let counts =
            real.iter().flatten().flat_map(|counts| std::iter::repeat_n(*counts, model.config().d_vocab)).collect();
        comparer.check("padded.logits_with_position_ids", &Ours { counts: Some(counts), ..Ours::read(&logits)? });
    }
    let forward = Forward::of(model, as_transformers_does(model, tokens)?)?;
    if comparer.reference.numbers("padded.loss").is_some() {
        loss(comparer, model, &forward)?;
    }
    let names: Vec<&str> = comparer.unseen("padded.");
    forward.check(comparer, "padded.", &names, Some(&real))
}

fn tokens(comparer: &Comparer<'_>) -> Result<Option<Tokens>> {
    let reference = comparer.reference;
    let Some(tokens) = reference.tokens("padded.input_ids")? else { return Ok(None) };
    let mask = reference
        .ids("padded.attention_mask")
        .ok_or_else(|| bad_input(reference, "it has `padded.input_ids` but no `padded.attention_mask`"))?;
    let real = mask.rows().iter().map(|row| row.iter().map(|value| *value != 0).collect()).collect();
    Ok(tokens.with_mask(real).map(Some)?)
}

fn with_ids(comparer: &Comparer<'_>, tokens: Tokens) -> Result<Tokens> {
    match comparer.reference.ids("padded.position_ids") {
        Some(positions) => Ok(tokens.with_positions(positions.rows())?),
        None => Ok(tokens),
    }
}

/// Without position ids transformers counts slots, padding included. Two kinds of positions are computed from the
/// mask instead: OPT's table with its offset, and penalties linear in distance (`ALiBi`).
fn as_transformers_does(model: &HookedTransformer, tokens: Tokens) -> Result<Tokens> {
    let from_mask = match model.config().positions {
        Positions::Learned { offset } => offset > 0,
        Positions::Alibi { .. } => true,
        Positions::Rotary { .. } | Positions::Shortformer => false,
    };
    if from_mask {
        return Ok(tokens);
    }
    let slots: Vec<i64> = (0..tokens.pos() as i64).collect();
    let rows = vec![slots; tokens.batch()];
    Ok(tokens.with_positions(rows)?)
}

/// Transformers counts every pair whose second token is real, so one pair per row starts on padding, where logits
/// are meaningless. The loss of that pair is taken from the reference's own logits.
fn loss(comparer: &mut Comparer<'_>, model: &HookedTransformer, forward: &Forward<'_>) -> Result<()> {
    let tokens = &forward.tokens;
    let losses = arrakis_models::device::read(model.loss_per_token(forward.logits.clone(), tokens)?)?;
    let (mut sum, mut count, width) = (0.0_f64, 0_u32, tokens.pos() - 1);
    for (row, real) in tokens.real().iter().enumerate() {
        for pos in (0..width).filter(|pos| real[pos + 1]) {
            count += 1;
            let ours = f64::from(losses[row * width + pos]);
            sum += if real[pos] { ours } else { theirs(comparer, tokens, row, pos).unwrap_or(ours) };
        }
    }
    let note = "the pair that starts on padding uses the reference's own logits";
    comparer.check("padded.loss", &Ours { note, ..Ours::new(vec![(sum / f64::from(count)) as f32], &[]) });
    Ok(())
}

/// Cross entropy of the token after `pos`, from the reference's logits.
fn theirs(comparer: &Comparer<'_>, tokens: &Tokens, row: usize, pos: usize) -> Option<f64> {
    let Numbers { shape, values } = comparer.reference.numbers("padded.logits")?;
    let vocab = *shape.last()?;
    let start = (row * tokens.pos() + pos) * vocab;
    let logits = values.get(start..start + vocab)?;
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - top).exp()).sum();
    Some(top + sum.ln() - f64::from(*logits.get(tokens.ids()[row][pos + 1] as usize)?))
}
