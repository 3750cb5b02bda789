//! Sealing: XChaCha20-Poly1305 with a random 24-byte nonce. The additional data binds every sealed
//! value to one member, one purpose and one context (for a template: its model), so that a row
//! copied to another member or column does not open.
//!
//! Layout of a sealed value: `1` (format), 24 bytes nonce, ciphertext, 16 bytes tag.

use super::PrivacyError;
use crate::id::MemberId;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::RngCore;

const FORMAT: u8 = 1;
const NONCE: usize = 24;

/// What a value is sealed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An embedding; the context is its model.
    Template,
    /// The member's name.
    Name,
    /// How to reach the member.
    Contact,
    /// What the member declares of themselves.
    Facts,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Purpose::Template => "template",
            Purpose::Name => "name",
            Purpose::Contact => "contact",
            Purpose::Facts => "facts",
        }
    }
}

/// 32 random bytes that nothing but the owner's data depends on. Never printed.
#[derive(Clone)]
pub struct MemberKey(pub(super) [u8; 32]);

impl std::fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemberKey(..)")
    }
}

impl MemberKey {
    /// A new key from the system's randomness.
    pub fn random() -> Self {
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Self(key)
    }

    /// Seals `plain` for `member` and `purpose`; `context` must be given again to open it.
    pub fn seal(
        &self,
        member: MemberId,
        purpose: Purpose,
        context: &str,
        plain: &[u8],
    ) -> Result<Vec<u8>, PrivacyError> {
        seal(&self.0, &additional(member, purpose, context), plain).ok_or(PrivacyError::Unreadable(member))
    }

    /// Opens what [`MemberKey::seal`] made with the same member, purpose and context.
    pub fn open(
        &self,
        member: MemberId,
        purpose: Purpose,
        context: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>, PrivacyError> {
        open(&self.0, &additional(member, purpose, context), sealed).ok_or(PrivacyError::Unreadable(member))
    }
}

fn additional(member: MemberId, purpose: Purpose, context: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40 + context.len());
    bytes.extend_from_slice(b"shopguide/");
    bytes.extend_from_slice(purpose.word().as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(&member.0.to_le_bytes());
    bytes.extend_from_slice(context.as_bytes());
    bytes
}

pub(super) fn seal(key: &[u8; 32], additional: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    let cipher = XChaCha20Poly1305::new(key.into());
    let text = cipher.encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad: additional }).ok()?;
    let mut sealed = Vec::with_capacity(1 + NONCE + text.len());
    sealed.push(FORMAT);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&text);
    Some(sealed)
}

pub(super) fn open(key: &[u8; 32], additional: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (&format, rest) = sealed.split_first()?;
    if format != FORMAT || rest.len() < NONCE {
        return None;
    }
    let (nonce, text) = rest.split_at(NONCE);
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: text, aad: additional }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANNA: MemberId = MemberId(1);
    const BEN: MemberId = MemberId(2);

    #[test]
    fn a_seal_opens_only_for_its_member_purpose_and_context() {
        let key = MemberKey::random();
        let sealed = key.seal(ANNA, Purpose::Template, "net/1", b"face").unwrap();
        assert_eq!(key.open(ANNA, Purpose::Template, "net/1", &sealed).unwrap(), b"face");
        assert!(key.open(BEN, Purpose::Template, "net/1", &sealed).is_err());
        assert!(key.open(ANNA, Purpose::Name, "net/1", &sealed).is_err());
        assert!(key.open(ANNA, Purpose::Template, "net/2", &sealed).is_err());
    }

    #[test]
    fn a_key_never_prints() {
        assert_eq!(format!("{:?}", MemberKey([7; 32])), "MemberKey(..)");
    }

    proptest! {
        #[test]
        fn another_members_key_never_opens(plain in proptest::collection::vec(any::<u8>(), 0..300)) {
            let sealed = MemberKey::random().seal(ANNA, Purpose::Name, "", &plain).unwrap();
            prop_assert!(MemberKey::random().open(ANNA, Purpose::Name, "", &sealed).is_err());
        }

        #[test]
        fn a_changed_byte_is_noticed(plain in proptest::collection::vec(any::<u8>(), 0..100), at: prop::sample::Index, flip in 1_u8..) {
            let key = MemberKey::random();
            let mut sealed = key.seal(ANNA, Purpose::Name, "", &plain).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert!(key.open(ANNA, Purpose::Name, "", &sealed).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(MemberKey([1; 32]).open(ANNA, Purpose::Contact, "", &bytes).is_err());
        }
    }
}
