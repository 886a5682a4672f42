//! The parts of a full name.

use super::info::SiteInfo;

/// Splits a name into its block and the rest: `blocks.3.attn.z` → (`3`, `attn.z`).
pub(super) fn split_block(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("blocks.")?.split_once('.')
}

/// The block a name is in, whether or not the table has the name.
pub fn layer_of(name: &str) -> Option<usize> {
    split_block(name)?.0.parse().ok()
}

/// The expert's number in a name of this row.
pub(super) fn expert_of(row: &SiteInfo, inside: &str) -> Option<usize> {
    let (before, after) = row.name.split_once('*')?;
    inside.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
}

/// Whether this is the row's name inside a block or model.
pub(super) fn is_name(row: &SiteInfo, inside: &str) -> bool {
    row.name == inside || expert_of(row, inside).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_read_from_any_name() {
        assert_eq!(layer_of("blocks.3.sae.acts"), Some(3));
        assert_eq!(layer_of("embed"), None);
    }
}
