//! The words of the built-in sets: those of the embedded model's vocabulary, and pronouns and the names they go with.

/// Names in the templates of the train side.
pub(super) const NAMES: [&str; 16] = [
    "Mary", "John", "Tom", "James", "Amy", "Alice", "Paul", "Anna", "Mark", "Peter", "Laura", "David", "Sarah",
    "Michael", "Susan", "Jack",
];

/// Names on the held-out side.
pub(super) const HELD_OUT_NAMES: [&str; 12] =
    ["Robert", "Adam", "Eric", "Frank", "Grace", "Henry", "Helen", "Kevin", "Linda", "Luke", "Maria", "Simon"];

/// Places.
pub(super) const PLACES: [&str; 8] =
    ["store", "park", "school", "office", "station", "hospital", "garden", "restaurant"];

/// Things that are given.
pub(super) const OBJECTS: [&str; 8] = ["drink", "ring", "computer", "gift", "letter", "book", "map", "ticket"];

/// Things that last some years.
pub(super) const EVENTS: [&str; 8] = ["war", "siege", "voyage", "trial", "festival", "journey", "project", "campaign"];

/// Words without a meaning that matters, for sequences on the train side.
pub(super) const PLAIN: [&str; 24] = [
    "apple", "river", "stone", "cloud", "tiger", "mirror", "window", "silver", "bridge", "forest", "valley", "pocket",
    "button", "hammer", "camera", "castle", "chain", "circle", "copper", "corner", "cotton", "desert", "diamond",
    "dragon",
];

/// The same for the held-out side.
pub(super) const HELD_OUT_PLAIN: [&str; 24] = [
    "eagle", "engine", "finger", "guitar", "island", "jacket", "leather", "lemon", "metal", "mountain", "ocean",
    "orange", "palace", "paper", "piano", "planet", "potato", "rabbit", "rocket", "shadow", "signal", "snow", "sugar",
    "tower",
];

/// Names of women, and of men: train side, held-out side.
pub(super) const WOMEN: [&[&str]; 2] =
    [&["Mary", "Amy", "Alice", "Anna", "Laura", "Sarah"], &["Susan", "Emma", "Lisa", "Julia", "Maria", "Helen"]];
pub(super) const MEN: [&[&str]; 2] =
    [&["John", "Tom", "James", "Paul", "Mark", "Peter"], &["David", "Michael", "Robert", "Jack", "Adam", "Eric"]];
