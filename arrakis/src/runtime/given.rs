//! What stands for the tools and the figure of a function that does not compile.

/// A value that is never made: rustc only needs its type.
///
/// # Panics
///
/// Always.
pub fn given<T>() -> T {
    unreachable!("BUG: a function with a mistake is not called")
}
