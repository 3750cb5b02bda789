//! Who uses a store: everybody who has it open holds a shared lock on one file, so that a restore,
//! which needs the store for itself, knows whether it has it. The system takes locks back from
//! processes that end, however they end.

use super::StorageError;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Name of the file.
pub(super) const FILE: &str = "in-use";

/// A held lock.
#[derive(Debug)]
pub(super) struct InUse {
    _file: File,
}

/// Takes part in using the store.
pub(super) fn share(folder: &Path) -> Result<InUse, StorageError> {
    let file = open(folder)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(InUse { _file: file }),
        Err(TryLockError::WouldBlock) => Err(StorageError::Restoring { folder: folder.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(cannot(folder, cause)),
    }
}

/// Has the store alone.
pub(super) fn alone(folder: &Path) -> Result<InUse, StorageError> {
    let file = open(folder)?;
    match file.try_lock() {
        Ok(()) => Ok(InUse { _file: file }),
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(cannot(folder, cause)),
    }
}

fn open(folder: &Path) -> Result<File, StorageError> {
    let file = folder.join(FILE);
    // Reading is enough to lock it, so whoever may read the store may also say that it is in use.
    match File::open(&file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .mode(0o600)
            .open(&file)
            .map_err(|cause| cannot(folder, cause)),
        other => other.map_err(|cause| cannot(folder, cause)),
    }
}

fn cannot(folder: &Path, cause: std::io::Error) -> StorageError {
    StorageError::Io { doing: "lock", file: folder.join(FILE), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_may_share_a_store_and_one_may_have_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (share(folder.path()).unwrap(), share(folder.path()).unwrap());
        assert!(alone(folder.path()).unwrap_err().to_string().contains("systemctl stop shopguide"));
        drop((one, two));
        let all = alone(folder.path()).unwrap();
        assert!(share(folder.path()).unwrap_err().to_string().contains("restored"));
        drop(all);
        share(folder.path()).unwrap();
    }
}
