//! Which form of record this code writes.

/// The format of the records this code writes.
///
/// A new field does not change it. It grows where code that knows only the old format would misread a record.
pub const FORMAT: u32 = 1;
