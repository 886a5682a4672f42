//! The merges of byte pairs, which `SentencePiece`'s files leave out: every split of a piece into two others.

use std::cmp::Ordering;
use std::collections::HashMap;

/// Merges in the order of the ids that they make, as `generate_merges` of transformers finds them.
pub(super) fn by_id(vocab: &HashMap<&str, usize>) -> Vec<(String, String)> {
    let mut found: Vec<_> =
        vocab.iter().flat_map(|(piece, id)| splits(piece, vocab).map(move |pair| (*id, pair))).collect();
    found.sort_by_key(|(id, pair)| {
        let (first, second) = pair;
        (*id, first.chars().count(), second.chars().count(), vocab[first], vocab[second])
    });
    found.into_iter().map(|(_, pair)| owned(pair)).collect()
}

/// Merges of normal pieces by the score of the piece that they make, highest first
/// (`SpmConverter.build_tokenizer_from_spm_proto`).
pub(super) fn by_score(normal: &HashMap<&str, (f32, usize)>) -> Vec<(String, String)> {
    let found = normal.iter().flat_map(|(piece, rank)| splits(piece, normal).map(move |pair| (*rank, pair)));
    let mut found: Vec<_> = found.collect();
    found.sort_by(|((a, a_id), a_pair), ((b, b_id), b_pair)| {
        b.partial_cmp(a).unwrap_or(Ordering::Equal).then(a_id.cmp(b_id)).then(a_pair.cmp(b_pair))
    });
    found.into_iter().map(|(_, pair)| owned(pair)).collect()
}

/// Every pair of pieces that makes this piece.
fn splits<'a, V>(piece: &'a str, vocab: &HashMap<&str, V>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let places = piece.char_indices().skip(1).map(|(place, _)| piece.split_at(place));
    places.filter(|(first, second)| vocab.contains_key(first) && vocab.contains_key(second))
}

fn owned((first, second): (&str, &str)) -> (String, String) {
    (first.to_owned(), second.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_each_split_into_two_pieces() {
        let pieces = ["a", "b", "ab", "aab", "aa", "é", "aé"];
        let vocab: HashMap<&str, usize> = pieces.iter().enumerate().map(|(id, piece)| (*piece, id)).collect();
        let pairs = by_id(&vocab);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(pairs, [("a", "b"), ("a", "ab"), ("aa", "b"), ("a", "a"), ("a", "é")]);
    }
}
