//! Who is held out: the rule of the training, which needs no list.

use sha2::{Digest, Sha256};

/// Whether no training saw this identity: its name's SHA-256, as a number, is divisible by five
/// (256 is 1 modulo 5, so the sum of the bytes decides).
pub fn held_out(identity: &str) -> bool {
    Sha256::digest(identity.as_bytes()).iter().map(|b| *b as u32).sum::<u32>().is_multiple_of(5)
}

/// Whose picture this is, by its name: the folder it is in; where the file's name begins
/// `age_gender_race_`, as in UTKFace, every file is another person.
pub fn identity(name: &str) -> Option<&str> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    if described(file).is_some() {
        return Some(file);
    }
    folder.rsplit('/').next().filter(|folder| !folder.is_empty())
}

/// Age in years, gender and race codes from a file's name of the form `age_gender_race_..`.
pub fn described(file: &str) -> Option<(u32, u32, u32)> {
    let mut parts = file.split('_').map(|part| part.parse::<u32>().ok().filter(|_| part.len() <= 3));
    let (age, gender, race) = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().map(|_| (age, gender, race)).filter(|_| gender < 10 && race < 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_split_is_the_trainings() {
        // Computed by the training's own rule.
        let expected = [
            ("AJ_Cook", true),
            ("Abdoulaye_Wade", true),
            ("Abdullatif_Sener", true),
            ("Aaron_Eckhart", false),
            ("Aaron_Guiel", false),
            ("Aaron_Patterson", false),
        ];
        for (name, held) in expected {
            assert_eq!(held_out(name), held, "{name}");
        }
    }

    #[test]
    fn a_picture_is_of_its_folders_person_or_described_by_its_own_name() {
        assert_eq!(identity("lfw/AJ_Cook/AJ_Cook_0001.jpg"), Some("AJ_Cook"));
        assert_eq!(identity("utk/26_1_2_2017.jpg"), Some("26_1_2_2017.jpg"));
        assert_eq!(described("100_0_4_20170112.jpg"), Some((100, 0, 4)));
        assert_eq!(identity("alone.jpg"), None);
        for other in ["61_3.jpg", "AJ_Cook_0001.jpg", "1_2_3.jpg", "26_77_1_x.jpg", "2026_1_1_x.jpg", ""] {
            assert_eq!(described(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_name_makes_the_reader_panic(name in ".{0,60}") {
            let _ = (identity(&name), described(&name));
        }
    }
}
