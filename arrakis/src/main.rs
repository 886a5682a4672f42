//! The `arrakis` command.
fn main() {}
