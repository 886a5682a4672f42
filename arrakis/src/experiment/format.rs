//! The format of records.

/// The format of the records this code writes.
///
/// A new field does not change it. It increases when code that knows only the old format would misread a record.
pub const FORMAT: u32 = 1;
