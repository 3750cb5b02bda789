//! PINs and passwords of the people who work in the shop, kept as argon2id hashes (RFC 9106, in the PHC
//! string format). What is typed is never kept, logged or compared as text.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Argon2, Params};
use rand::RngCore;
use std::sync::{Mutex, PoisonError};

/// Digits of a PIN, at least.
const PIN: usize = 6;
/// Characters of a password, at least.
const PASSWORD: usize = 10;
/// Characters of either, at most.
const LONGEST: usize = 200;

/// Why a secret cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Too easy to guess.
    #[error("too short: a PIN has at least 6 digits, a password at least 10 characters")]
    Short,
    /// Administrators have passwords.
    #[error("an administrator needs a password of at least 10 characters, not a PIN")]
    PinOfAdmin,
    /// All the same or in a row.
    #[error("too easy to guess: not one digit again and again, and not digits in a row")]
    Easy,
    /// Longer than anybody types.
    #[error("too long: at most 200 characters")]
    Long,
    /// The hash could not be made.
    #[error("it could not be hashed: {0}")]
    Hash(String),
}

/// The hash to keep of `secret`; `pin` says whether a PIN is enough.
pub fn hash(secret: &str, pin: bool) -> Result<String, BadSecret> {
    let length = secret.chars().count();
    if length > LONGEST {
        return Err(BadSecret::Long);
    }
    let digits = secret.bytes().all(|b| b.is_ascii_digit());
    if digits && length < PASSWORD && !pin {
        return Err(BadSecret::PinOfAdmin);
    }
    if length < if digits && pin { PIN } else { PASSWORD } {
        return Err(BadSecret::Short);
    }
    let steps: Vec<i16> = secret.as_bytes().windows(2).map(|w| i16::from(w[1]) - i16::from(w[0])).collect();
    if [0, 1, -1].iter().any(|step| steps.iter().all(|s| s == step)) {
        return Err(BadSecret::Easy);
    }
    let mut salt = [0; 16];
    rand::rng().fill_bytes(&mut salt);
    let failed = |e: argon2::password_hash::Error| BadSecret::Hash(e.to_string());
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    Ok(argon2().hash_password(secret.as_bytes(), &salt).map_err(failed)?.to_string())
}

/// Whether `secret` is the one that was hashed; takes some tens of milliseconds, on purpose. One is compared
/// after the other, so that many who try at once take the memory of one.
pub fn is_right(secret: &str, hash: &str) -> bool {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(parsed) = PasswordHash::new(hash) else { return false };
    secret.chars().count() <= LONGEST && argon2().verify_password(secret.as_bytes(), &parsed).is_ok()
}

/// Argon2id with 19 MiB and two passes, what OWASP asks for at least.
fn argon2() -> Argon2<'static> {
    Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, Params::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_right_secret_opens() {
        let kept = hash("482913", true).unwrap();
        assert!(kept.starts_with("$argon2id$") && !kept.contains("482913"));
        assert!(is_right("482913", &kept));
        assert!(!is_right("482914", &kept) && !is_right("", &kept));
        assert_ne!(kept, hash("482913", true).unwrap(), "two of the same secret look alike");
    }

    #[test]
    fn secrets_that_are_guessed_at_once_are_refused() {
        assert_eq!(hash("4829", true), Err(BadSecret::Short));
        assert_eq!(hash("111111", true), Err(BadSecret::Easy));
        assert_eq!(hash("123456", true), Err(BadSecret::Easy));
        assert_eq!(hash("482913", false), Err(BadSecret::PinOfAdmin));
        assert_eq!(hash("tea time", true), Err(BadSecret::Short));
        assert!(hash("a long tea time", false).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_kept_text_panics(hash in "\\PC{0,120}") {
            prop_assert!(!is_right("secret", &hash));
        }
    }
}
