//! Collections whose entries are in another order in every process.

use serde_json::Value;

use super::node::Node;
use crate::experiment::json::canonical;

/// Name prefixes of hash sets and hash maps, and of their iterators.
const HASHED: [&str; 3] = ["std::collections::hash::", "hashbrown::", "dashmap::"];

/// Name prefixes of types that iterate in the order of what they hold.
const WRAPPERS: [&str; 6] =
    ["&", "mut ", "alloc::boxed::Box<", "alloc::rc::Rc<", "alloc::sync::Arc<", "core::iter::adapters::"];

/// Whether a type with this name iterates over a hash set or hash map.
pub(super) fn is_hashed(mut name: &str) -> bool {
    while let Some((wrapper, inner)) = WRAPPERS.iter().find_map(|wrapper| Some((*wrapper, name.strip_prefix(wrapper)?)))
    {
        // `core::iter::adapters::map::Map<Iter<..>, ..>`: what is adapted comes first.
        let adapted = inner.split_once('<').map_or("", |(_, adapted)| adapted);
        name = if wrapper.starts_with("core::iter") { adapted } else { inner };
    }
    HASHED.iter().any(|hashed| name.starts_with(hashed))
}

/// The entries sorted, so that equal collections are written alike.
pub(super) fn in_order(node: Node) -> Node {
    match node {
        Node::Json(Value::Array(mut items)) => {
            items.sort_by_cached_key(canonical);
            Node::Json(Value::Array(items))
        }
        Node::Json(Value::Object(mut map)) => {
            map.sort_keys();
            Node::Json(Value::Object(map))
        }
        Node::Numbers(numbers) => Node::Numbers(numbers.sorted_by(canonical)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::any::type_name_of_val;
    use std::collections::{BTreeSet, HashMap, HashSet};

    use super::*;

    #[test]
    fn hash_sets_are_recognised_by_what_is_iterated_over() {
        let (set, map) = (HashSet::from([1]), HashMap::from([(1, 2)]));
        assert!(is_hashed(type_name_of_val(&&set)) && is_hashed(type_name_of_val(&Box::new(&map))));
        assert!(is_hashed(type_name_of_val(&set.iter().map(|x| x + 1).filter(|x| *x > 0))));
        assert!(is_hashed(type_name_of_val(&map.values().enumerate())));
        for other in [type_name_of_val(&vec![set.clone()]), type_name_of_val(&[set].iter().map(HashSet::len))] {
            assert!(!is_hashed(other), "{other}");
        }
        assert!(!is_hashed(type_name_of_val(&&BTreeSet::from([1]))));
    }
}
