//! The two names a member goes by: a card token, which is the only identifier known outside the
//! appliance, and an alias for screens. Both are random and say nothing about the person.

use rand::Rng;

/// Letters of a token: base 32 without those that are mistaken for digits.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const FIRST: [&str; 64] = [
    "Amber", "Autumn", "Azure", "Birch", "Bright", "Bronze", "Calm", "Candid", "Cedar", "Cheerful", "Clever",
    "Cloudy", "Cobalt", "Copper", "Coral", "Cosy", "Crisp", "Curious", "Dapper", "Daring", "Eager", "Early",
    "Fair", "Fern", "Friendly", "Gentle", "Ginger", "Golden", "Happy", "Hazel", "Honest", "Humble", "Indigo",
    "Ivory", "Jade", "Jolly", "Kind", "Lemon", "Lively", "Lucky", "Maple", "Mellow", "Merry", "Mild",
    "Misty", "Noble", "Olive", "Patient", "Pearl", "Polite", "Quiet", "Rapid", "Rosy", "Sandy", "Silver",
    "Snowy", "Spring", "Steady", "Sunny", "Swift", "Teal", "Velvet", "Violet", "Warm",
];
const SECOND: [&str; 64] = [
    "Acorn",
    "Anchor",
    "Badger",
    "Beacon",
    "Beaver",
    "Bell",
    "Bison",
    "Brook",
    "Canyon",
    "Comet",
    "Crane",
    "Curlew",
    "Dolphin",
    "Dune",
    "Falcon",
    "Feather",
    "Finch",
    "Fjord",
    "Forest",
    "Fox",
    "Garden",
    "Harbour",
    "Hare",
    "Harp",
    "Heron",
    "Island",
    "Kestrel",
    "Kite",
    "Lagoon",
    "Lantern",
    "Lark",
    "Lighthouse",
    "Lynx",
    "Meadow",
    "Moon",
    "Otter",
    "Owl",
    "Panda",
    "Pebble",
    "Pelican",
    "Penguin",
    "Pine",
    "Planet",
    "Puffin",
    "Raven",
    "Reef",
    "River",
    "Robin",
    "Sail",
    "Seal",
    "Shell",
    "Skylark",
    "Sparrow",
    "Star",
    "Stork",
    "Swan",
    "Tern",
    "Thistle",
    "Tiger",
    "Valley",
    "Walnut",
    "Willow",
    "Wren",
    "Zebra",
];

/// A new card token: 20 letters of base 32, 100 random bits.
pub fn token() -> String {
    let mut rng = rand::rng();
    (0..20).map(|_| char::from(LETTERS[rng.random_range(0..32)])).collect()
}

/// A new alias such as `Sunny Otter 42`: one of 409,600, so the caller sees to it that it is free.
pub fn alias() -> String {
    let mut rng = rand::rng();
    let (first, second) = (FIRST[rng.random_range(0..64)], SECOND[rng.random_range(0..64)]);
    format!("{first} {second} {}", rng.random_range(1..=100))
}

/// Whether a token from outside can be kept: 1 to 64 visible ASCII characters.
pub fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_aliases_do_not_repeat_soon() {
        let tokens: std::collections::BTreeSet<String> = (0..1000).map(|_| token()).collect();
        assert_eq!(tokens.len(), 1000);
        assert!(tokens.iter().all(|t| t.len() == 20 && is_token(t)));
        let aliases: std::collections::BTreeSet<String> = (0..1000).map(|_| alias()).collect();
        assert!(aliases.len() > 900);
    }

    #[test]
    fn word_lists_hold_no_word_twice() {
        let mut words: Vec<_> = FIRST.iter().chain(&SECOND).collect();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), 128);
    }

    #[test]
    fn tokens_with_spaces_or_control_characters_are_refused() {
        for bad in ["", "a b", "a\n", "ü", &"x".repeat(65)] {
            assert!(!is_token(bad), "{bad:?}");
        }
    }
}
