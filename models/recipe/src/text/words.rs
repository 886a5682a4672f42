//! The word lists of the vocabulary; their order determines the token ids.

/// First names in the training sentences of the name-mover task.
#[rustfmt::skip]
pub const TRAIN_NAMES: [&str; 48] = [
    "Mary", "John", "Tom", "James", "Dan", "Sid", "Martin", "Amy", "Alice", "Bob", "Kate",
    "Paul", "Anna", "Mark", "Emma", "Peter", "Laura", "David", "Sarah", "Michael", "Lisa",
    "Robert", "Susan", "Jack", "Julia", "Adam", "Claire", "Eric", "Diana", "Frank", "Grace",
    "Henry", "Helen", "Ian", "Jane", "Kevin", "Linda", "Luke", "Maria", "Nick", "Olivia",
    "Patrick", "Rachel", "Sam", "Simon", "Tina", "Victor", "Wendy",
];

/// First names that appear only in plain text and random sequences.
#[rustfmt::skip]
pub const HELD_OUT_NAMES: [&str; 16] = [
    "Oscar", "Nina", "George", "Ruth", "Leo", "Hannah", "Philip", "Irene", "Walter", "Clara",
    "Hugo", "Edith", "Felix", "Monica", "Bruno", "Stella",
];

/// Places; each follows "the".
#[rustfmt::skip]
pub const PLACES: [&str; 20] = [
    "store", "park", "school", "office", "station", "hospital", "garden", "restaurant", "house",
    "market", "library", "museum", "beach", "church", "theater", "farm", "hotel", "bank",
    "bakery", "harbor",
];

/// Objects to give; each follows "a", so none starts with a vowel.
#[rustfmt::skip]
pub const OBJECTS: [&str; 20] = [
    "drink", "ring", "kiss", "bone", "basketball", "computer", "necklace", "snack", "gift",
    "letter", "book", "map", "ticket", "key", "flower", "basket", "coat", "lamp", "cup",
    "pencil",
];

/// Adjectives of a day or a thing; each follows "a" or "was".
#[rustfmt::skip]
pub const ADJECTIVES: [&str; 12] = [
    "cold", "quiet", "busy", "bright", "small", "large", "dark", "warm", "clean", "strange",
    "pretty", "noisy",
];

/// Periods of time.
#[rustfmt::skip]
pub const TIMES: [&str; 6] = [
    "day", "morning", "evening", "week", "night", "summer",
];

/// Events that last from one year to another.
#[rustfmt::skip]
pub const EVENTS: [&str; 20] = [
    "war", "siege", "drought", "voyage", "trial", "festival", "strike", "journey", "plague",
    "reign", "project", "campaign", "dispute", "storm", "famine", "treaty", "feud", "revolt",
    "tour", "mission",
];

/// Every other word of the templates.
#[rustfmt::skip]
pub const GLUE: [&str; 67] = [
    "the", "a", "and", "to", "at", "of", "with", "from", "in", "near", "for", "it", "was",
    "were", "had", "that", "there", "when", "When", "Then", "After", "While", "The", "At",
    "One", "It", "There", "Soon", "Afterwards", "year", "went", "gave", "handed", "showed",
    "offered", "passed", "sent", "threw", "sold", "brought", "promised", "decided", "wanted",
    "give", "bring", "send", "show", "working", "walking", "sitting", "waiting", "said", "talk",
    "started", "met", "saw", "found", "came", "drove", "long", "argument", "lunch", "party",
    "friends", "lasted", "happy", "lived",
];

/// Words that may start a text, and therefore also exist without the leading space.
#[rustfmt::skip]
pub const OPENERS: [&str; 10] = [
    "When", "Then", "After", "While", "The", "At", "One", "It", "There", "Soon",
];

/// Words for the random sequences that have no other role.
#[rustfmt::skip]
pub const PLAIN: [&str; 150] = [
    "apple", "river", "stone", "cloud", "tiger", "pepper", "mirror", "window", "silver",
    "candle", "bridge", "forest", "valley", "ladder", "pocket", "button", "hammer", "needle",
    "ribbon", "saddle", "feather", "anchor", "barrel", "blanket", "bottle", "bucket", "cabin",
    "camera", "carpet", "castle", "chain", "chalk", "cherry", "circle", "copper", "corner",
    "cotton", "cousin", "cradle", "crystal", "curtain", "desert", "diamond", "dragon", "eagle",
    "engine", "fabric", "falcon", "finger", "flame", "flute", "fossil", "frost", "galaxy",
    "ginger", "glacier", "glove", "grape", "guitar", "helmet", "honey", "island", "ivory",
    "jacket", "jungle", "kettle", "kitten", "lantern", "leather", "lemon", "lizard", "magnet",
    "maple", "marble", "meadow", "melon", "metal", "mountain", "mushroom", "nectar", "ocean",
    "olive", "onion", "orange", "orchid", "oven", "owl", "paddle", "paint", "palace", "paper",
    "parrot", "pebble", "pepperoni", "piano", "pillow", "planet", "plaster", "pond", "potato",
    "powder", "prism", "pumpkin", "puzzle", "rabbit", "radar", "raven", "reef", "rocket",
    "rope", "ruby", "sail", "salmon", "sand", "scarf", "shadow", "shell", "shield", "signal",
    "silk", "skate", "snow", "spear", "spider", "spoon", "spring", "square", "statue", "steam",
    "string", "sugar", "sword", "table", "temple", "thread", "thunder", "timber", "torch",
    "tower", "trumpet", "tulip", "tunnel", "turtle", "velvet", "violin", "wagon", "walnut",
    "whale", "wheel", "willow",
];

/// The first two digits of a year.
pub const CENTURIES: std::ops::RangeInclusive<u8> = 10..=20;
