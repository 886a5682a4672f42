//! Collections of values that cannot be written: at least their length is.

/// A value with a number of parts.
pub trait Counted {
    /// The number.
    fn count(&self) -> usize;
}

impl<T> Counted for [T] {
    fn count(&self) -> usize {
        self.len()
    }
}

impl<T, const N: usize> Counted for [T; N] {
    fn count(&self) -> usize {
        N
    }
}

impl<T> Counted for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }
}

impl<T> Counted for Option<T> {
    fn count(&self) -> usize {
        self.iter().len()
    }
}

impl<T: Counted + ?Sized> Counted for &T {
    fn count(&self) -> usize {
        T::count(self)
    }
}

impl<T: Counted + ?Sized> Counted for &mut T {
    fn count(&self) -> usize {
        T::count(self)
    }
}
