//! The store's master key: 32 bytes that wrap every member's key. It comes from the systemd
//! credential `master-key` if there is one, else from `master.key` in the store's folder, made at
//! the first start with mode 0600. It is never replaced: a missing key with wrapped keys present
//! is an error, since a new one could open nothing.

use super::PrivacyError;
use super::seal::MemberKey;
use rand::RngCore;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Name of the credential.
pub const CREDENTIAL: &str = "master-key";
/// Name of the file.
pub const FILE: &str = "master.key";

/// The key that wraps all others. Never printed.
#[derive(Clone)]
pub struct MasterKey {
    key: [u8; 32],
    file: PathBuf,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.file.display())
    }
}

impl MasterKey {
    /// Finds the key: `credentials/master-key` first, then `folder/master.key`. If neither exists
    /// and `keys`, the database of wrapped keys, does not exist either, makes `folder/master.key`.
    pub fn find(folder: &Path, credentials: Option<&Path>, keys: &Path) -> Result<Self, PrivacyError> {
        if let Some(file) = credentials.map(|d| d.join(CREDENTIAL)).filter(|f| f.exists()) {
            return Self::read(file);
        }
        let file = folder.join(FILE);
        if file.exists() {
            return Self::read(file);
        }
        if keys.exists() {
            return Err(PrivacyError::MasterKeyMissing { file, keys: keys.to_owned() });
        }
        match create(folder, &file) {
            Ok(()) => Self::read(file),
            Err(cause) => Err(PrivacyError::Io { doing: "create the master key", file, cause }),
        }
    }

    fn read(file: PathBuf) -> Result<Self, PrivacyError> {
        let io = |cause| PrivacyError::Io { doing: "read the master key", file: file.clone(), cause };
        let open = File::open(&file).map_err(io)?;
        let mode = open.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(PrivacyError::MasterKeyExposed { file, mode });
        }
        let mut bytes = Vec::new();
        open.take(256).read_to_end(&mut bytes).map_err(io)?;
        match parse(&bytes) {
            Some(key) => Ok(Self { key, file }),
            None => Err(PrivacyError::MasterKeyMalformed { what: format!("{} bytes", bytes.len()), file }),
        }
    }

    /// Where it was found.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Wraps a member's key; `name` must be given again to unwrap it.
    pub(super) fn wrap(&self, name: &str, key: &MemberKey) -> Option<Vec<u8>> {
        super::seal::seal(&self.key, name.as_bytes(), &key.0)
    }

    /// Unwraps what [`MasterKey::wrap`] made.
    pub(super) fn unwrap(&self, name: &str, wrapped: &[u8]) -> Option<MemberKey> {
        super::seal::open(&self.key, name.as_bytes(), wrapped)?.try_into().ok().map(MemberKey)
    }

    /// A key for another purpose that says nothing about this one.
    pub(super) fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.key)
    }
}

fn parse(bytes: &[u8]) -> Option<[u8; 32]> {
    if let Ok(key) = bytes.try_into() {
        return Some(key);
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let mut key = [0; 32];
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

/// Makes the file whole or not at all; leaves a file that is there already.
fn create(folder: &Path, file: &Path) -> std::io::Result<()> {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    let text: String = key.iter().map(|b| format!("{b:02x}")).chain(["\n".to_owned()]).collect();
    let draft = folder.join(format!("{FILE}.{}.new", std::process::id()));
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    let linked = fs::hard_link(&draft, file);
    fs::remove_file(&draft)?;
    match linked {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(folder: &Path) -> Result<MasterKey, PrivacyError> {
        MasterKey::find(folder, None, &folder.join("keys.sqlite"))
    }

    #[test]
    fn the_first_start_makes_a_key_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let made = find(folder.path()).unwrap();
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert_eq!(find(folder.path()).unwrap().key, made.key, "the second start finds the same key");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_credential_comes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = tempfile::tempdir().unwrap();
        let file = credentials.path().join(CREDENTIAL);
        fs::write(&file, [9; 32]).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        let keys = folder.path().join("keys.sqlite");
        let key = MasterKey::find(folder.path(), Some(credentials.path()), &keys).unwrap();
        assert_eq!(key.key, [9; 32]);
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        find(folder.path()).unwrap();
        let file = folder.path().join(FILE);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let message = find(folder.path()).unwrap_err().to_string();
        assert!(message.contains("chmod 600") && message.contains("644"), "{message}");
    }

    #[test]
    fn a_lost_key_is_never_replaced_by_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("keys.sqlite"), b"wrapped keys").unwrap();
        assert!(matches!(find(folder.path()), Err(PrivacyError::MasterKeyMissing { .. })));
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn a_file_that_is_no_key_is_refused() {
        for bad in [&b""[..], b"short", &[b'g'; 64], &[b'a'; 65], &[0; 31]] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(FILE);
            fs::write(&file, bad).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(find(folder.path()), Err(PrivacyError::MasterKeyMalformed { .. })), "{bad:?}");
        }
    }
}
