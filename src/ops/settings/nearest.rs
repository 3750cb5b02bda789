//! The valid word that a misspelt one was probably meant to be.

/// The nearest of `names` to `word`, if one is near: few letters changed, swapped, added or left
/// out, or one word inside the other (`fps` for `max_fps`).
pub(in crate::ops) fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let plainly = |word: &str| word.to_lowercase().replace(['-', ' '], "_");
    let asked = plainly(word);
    let letters = asked.chars().count();
    if letters == 0 || letters > 64 {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for name in names {
        let plain = plainly(name);
        let distance = strsim::damerau_levenshtein(&asked, &plain);
        let near = distance <= (letters.max(plain.chars().count()) / 3).max(1);
        let inside = letters >= 3 && plain.len() >= 3 && (plain.contains(&asked) || asked.contains(&plain));
        // A word inside another is as good as three letters wrong.
        let rank = if near { distance } else { distance.max(3) };
        if (near || inside) && best.is_none_or(|(least, _)| rank < least) {
            best = Some((rank, name));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let names = ["id", "zone", "max_fps", "source", "password_file"];
        assert_eq!(nearest("zonne", names), Some("zone"));
        assert_eq!(nearest("Zone", names), Some("zone"));
        assert_eq!(nearest("soucre", names), Some("source"));
        assert_eq!(nearest("fps", names), Some("max_fps"));
        assert_eq!(nearest("max-fps", names), Some("max_fps"));
        assert_eq!(nearest("tea-l", ["tea-1", "bread-1"]), Some("tea-1"));
        assert_eq!(nearest("weather", names), None);
        assert_eq!(nearest("", names), None);
    }
}
