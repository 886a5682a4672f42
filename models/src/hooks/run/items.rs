//! The items of a list that a hooked `for` loop counts. What has no index is refused by its type.

use std::collections::{BTreeMap, HashMap, btree_map, hash_map};

use super::slot::Slot;

/// Nothing implements it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the items of a map or an option have no index, which the path of a site needs",
    label = "not a list",
    note = "loop over the keys and call `self.map[key].forward(..)`, or write `if let Some(item) = &self.option`"
)]
pub trait List {}

/// A map or an option, by value, by reference or as an iterator.
#[doc(hidden)]
pub trait WithoutIndex {}

#[doc(hidden)]
impl<I: WithoutIndex> Slot<I> {
    pub fn arrakis_items(self) -> I
    where
        Self: List,
    {
        self.0
    }
}

/// Anything else that can be looped over.
#[doc(hidden)]
pub trait ItemsAny {
    type Items;
    fn arrakis_items(self) -> Self::Items;
}

impl<I> ItemsAny for Slot<I> {
    type Items = I;
    fn arrakis_items(self) -> I {
        self.0
    }
}

macro_rules! without_index {
    ($([$($generics:tt)*] $items:ty;)*) => {
        $(impl<$($generics)*> WithoutIndex for $items {})*
    };
}

without_index! {
    [K, V, S] &HashMap<K, V, S>;
    [K, V, S] &mut HashMap<K, V, S>;
    [K, V, S] HashMap<K, V, S>;
    [K, V] hash_map::Iter<'_, K, V>;
    [K, V] hash_map::IterMut<'_, K, V>;
    [K, V] hash_map::IntoIter<K, V>;
    [K, V] &BTreeMap<K, V>;
    [K, V] &mut BTreeMap<K, V>;
    [K, V] BTreeMap<K, V>;
    [K, V] btree_map::Iter<'_, K, V>;
    [K, V] btree_map::IterMut<'_, K, V>;
    [K, V] btree_map::IntoIter<K, V>;
    [T] &Option<T>;
    [T] &mut Option<T>;
    [T] Option<T>;
    [T] std::option::Iter<'_, T>;
    [T] std::option::IterMut<'_, T>;
    [T] std::option::IntoIter<T>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_looped_over_as_it_is() {
        let list = vec![3, 4];
        assert_eq!(Slot(&list).arrakis_items(), &list);
        assert_eq!(Slot(list.iter().rev()).arrakis_items().copied().collect::<Vec<i32>>(), [4, 3]);
        assert_eq!(Slot([1, 2]).arrakis_items(), [1, 2]);
    }
}
