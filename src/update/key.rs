//! Keys of updates: Ed25519 (RFC 8032), by ring. The private key signs bundles where they are made and
//! never comes to a box; the administrator puts the public key on the box once, by hand.
//!
//! A public key is a line `ed25519 <base64>`; a file may hold several, for the day when the key changes,
//! and comments after `#`. A private key is one line `ed25519-private <base64 of PKCS #8>`.

use super::UpdateError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where the administrator puts the public key.
pub const PUBLIC: &str = "/etc/shopguide/update.pub";
/// Bytes of a signature.
pub const SIGNATURE: usize = 64;
/// Bytes of a public key.
const LENGTH: usize = 32;
/// Largest file that is read.
const LARGEST: u64 = 64 * 1024;
const WORD: &str = "ed25519";
const PRIVATE_WORD: &str = "ed25519-private";

/// What bundles are signed with.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Makes a key: `<name>.key`, readable for its owner only, and `<name>.pub`. Neither may be there.
    pub fn make(name: &Path) -> Result<(PathBuf, PathBuf), UpdateError> {
        let with = |end: &str| {
            let mut file = name.as_os_str().to_owned();
            file.push(end);
            PathBuf::from(file)
        };
        let (private, public) = (with(".key"), with(".pub"));
        let refused = |_| UpdateError::Refused("the system gives no random numbers: no key was made".into());
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(refused)?;
        let key = parse(document.as_ref(), &private)?;
        let texts = [
            (&private, 0o600, format!("{PRIVATE_WORD} {}\n", STANDARD.encode(document.as_ref()))),
            (&public, 0o644, format!("{WORD} {}\n", STANDARD.encode(key.public_key().as_ref()))),
        ];
        for (file, mode, text) in texts {
            let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(file);
            made.and_then(|mut out| out.write_all(text.as_bytes()).and_then(|()| out.sync_all()))
                .map_err(UpdateError::io("make the key", file))?;
        }
        Ok((private, public))
    }

    /// Reads a private key.
    pub fn read(file: &Path) -> Result<SigningKey, UpdateError> {
        let bad = |what: &str| UpdateError::Key { file: file.to_owned(), what: what.to_owned() };
        let text = read(file)?;
        let line = text.trim().strip_prefix(PRIVATE_WORD);
        let line = line.ok_or_else(|| bad("expected the .key file that `shopguide update keygen` made"))?;
        let document = STANDARD.decode(line.trim()).map_err(|_| bad("the line is not whole"))?;
        parse(&document, file).map(SigningKey)
    }

    /// The signature of a message.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE] {
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(self.0.sign(message).as_ref());
        signature
    }
}

fn parse(document: &[u8], file: &Path) -> Result<Ed25519KeyPair, UpdateError> {
    Ed25519KeyPair::from_pkcs8(document)
        .map_err(|error| UpdateError::Key { file: file.to_owned(), what: format!("it is damaged ({error})") })
}

/// The public keys that this box trusts.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustedKeys {
    file: PathBuf,
    keys: Vec<[u8; LENGTH]>,
}

impl TrustedKeys {
    /// Reads them. A file that others than its owner may write is refused: whoever can change it decides
    /// which program runs here.
    pub fn read(file: &Path) -> Result<TrustedKeys, UpdateError> {
        let meta = match std::fs::metadata(file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(UpdateError::Refused(format!(
                    "this box trusts nobody's updates yet: put the public key that you got from whoever makes \
                     them, by a way of its own and not from the same stick, into {}",
                    file.display()
                )));
            }
            other => other.map_err(UpdateError::io("read", file))?,
        };
        if meta.mode() & 0o022 != 0 {
            return Err(UpdateError::Refused(format!(
                "{} may be written by others than its owner: look at what is in it, then chmod 644 {}",
                file.display(),
                file.display()
            )));
        }
        let bad = |what: String| UpdateError::Key { file: file.to_owned(), what };
        let mut keys = Vec::new();
        for (n, line) in read(file)?.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let key = line.strip_prefix(WORD).and_then(|rest| STANDARD.decode(rest.trim()).ok());
            let key = key.and_then(|key| key.try_into().ok());
            keys.push(key.ok_or_else(|| bad(format!("line {} is not `{WORD} ...`", n + 1)))?);
        }
        if keys.is_empty() {
            return Err(bad("it is empty".into()));
        }
        Ok(TrustedKeys { file: file.to_owned(), keys })
    }

    /// Where they lie.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The name of the key that signed the message, if it is one of these.
    pub fn signer(&self, message: &[u8], signature: &[u8]) -> Option<String> {
        let signed =
            |key: &&[u8; LENGTH]| UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok();
        let key = self.keys.iter().find(signed)?;
        Some(blake3::hash(key).to_hex()[..12].to_owned())
    }
}

fn read(file: &Path) -> Result<String, UpdateError> {
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(UpdateError::io("read", file))?;
    opened.take(LARGEST).read_to_string(&mut text).map_err(UpdateError::io("read", file))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    fn made() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (private, public) = SigningKey::make(&folder.path().join("shop")).unwrap();
        (folder, private, public)
    }

    #[test]
    fn what_was_signed_is_known_and_what_was_changed_is_not() {
        let (_folder, private, public) = made();
        let signature = SigningKey::read(&private).unwrap().sign(b"message");
        let keys = TrustedKeys::read(&public).unwrap();
        assert!(keys.signer(b"message", &signature).is_some());
        assert_eq!(keys.signer(b"massage", &signature), None);
        assert_eq!(keys.signer(b"message", &[0; SIGNATURE]), None);
        let (_other, _, another) = made();
        assert_eq!(TrustedKeys::read(&another).unwrap().signer(b"message", &signature), None);
    }

    #[test]
    fn a_private_key_is_for_its_owner_only_and_never_overwritten() {
        let (folder, private, public) = made();
        assert_eq!(std::fs::metadata(&private).unwrap().mode() & 0o777, 0o600);
        assert!(SigningKey::make(&folder.path().join("shop")).is_err());
        assert!(SigningKey::read(&public).is_err() && TrustedKeys::read(&private).is_err());
    }

    #[test]
    fn two_keys_may_be_trusted_while_one_takes_over() {
        let ((_a, old, old_public), (_b, new, new_public)) = (made(), made());
        let both = std::fs::read_to_string(&old_public).unwrap()
            + "# since spring\n"
            + &std::fs::read_to_string(new_public).unwrap();
        std::fs::write(&old_public, both).unwrap();
        let keys = TrustedKeys::read(&old_public).unwrap();
        for key in [old, new] {
            assert!(keys.signer(b"m", &SigningKey::read(&key).unwrap().sign(b"m")).is_some());
        }
    }

    #[test]
    fn a_key_that_anybody_may_replace_is_not_trusted() {
        let (_folder, _, public) = made();
        std::fs::set_permissions(&public, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(TrustedKeys::read(&public).unwrap_err().to_string().contains("chmod 644"));
        let none = public.with_file_name("none");
        assert!(TrustedKeys::read(&none).unwrap_err().to_string().contains("trusts nobody"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(ed25519 )?.{0,80}\n?.{0,20}") {
            let (_folder, private, public) = made();
            std::fs::write(&public, &text).unwrap();
            std::fs::write(&private, &text).unwrap();
            let _ = (TrustedKeys::read(&public), SigningKey::read(&private).is_ok());
        }
    }
}
