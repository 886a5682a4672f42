//! An option's own copy of an argument, because the body may move or change the argument.
//!
//! Method lookup chooses as in [`show`](super::show).

use super::show::Probe;

/// A clone, where the argument can be cloned.
pub trait OwnClone {
    /// The type of the argument.
    type Own;
    /// The clone.
    fn arrakis_own(&self) -> Self::Own;
}

impl<T: Clone> OwnClone for &&Probe<'_, T> {
    type Own = T;
    fn arrakis_own(&self) -> T {
        self.0.clone()
    }
}

/// A clone of what is borrowed mutably.
pub trait OwnTarget {
    /// The type of what is borrowed.
    type Own;
    /// The clone.
    fn arrakis_own(&self) -> Self::Own;
}

impl<T: Clone> OwnTarget for &Probe<'_, &mut T> {
    type Own = T;
    fn arrakis_own(&self) -> T {
        T::clone(self.0)
    }
}

/// A borrow of any other argument.
pub trait OwnBorrow {
    /// The borrow.
    type Own;
    /// The borrow.
    fn arrakis_own(&self) -> Self::Own;
}

impl<'a, T> OwnBorrow for Probe<'a, T> {
    type Own = &'a T;
    fn arrakis_own(&self) -> &'a T {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);

    macro_rules! own {
        ($value:expr) => {
            (&&&Probe(&$value)).arrakis_own()
        };
    }

    #[test]
    fn what_can_be_cloned_is_and_the_rest_is_borrowed() {
        let (mut words, fixed) = (vec!["a"], Fixed(3));
        let own: Vec<&str> = own!(words);
        let behind: Vec<&str> = own!(&mut words);
        let borrowed: &Fixed = own!(fixed);
        words.push("b");
        assert_eq!((own, behind, borrowed.0), (vec!["a"], vec!["a"], 3));
    }
}
