//! A reserve on disk: some megabytes that are given up when an erasure meets a full disk, so that
//! a member can be erased even then. Nothing else may use it.

use super::StorageError;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Its size in bytes: what one erasure writes at most, with room to spare.
const SIZE: usize = 4 << 20;

/// Its name.
pub(super) const FILE: &str = "reserve";

fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Makes the reserve if it is not there. On a disk that is full already there will be one later.
pub(super) fn make(folder: &Path) {
    let file = file(folder);
    if fs::metadata(&file).is_ok_and(|m| m.len() == SIZE as u64) {
        return;
    }
    // Zeros could be stored as a hole, which reserves nothing.
    let bytes: Vec<u8> = (0..SIZE).map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut out| out.write_all(&bytes).and_then(|()| out.sync_all()));
    if let Err(error) = written {
        let _ = fs::remove_file(&file);
        tracing::warn!(id = "disk-full", %error, "no room for the reserve that erasing needs on a full disk");
    }
}

/// Does something; if the disk is full, gives up the reserve and does it once more.
pub(super) fn spending<T>(
    folder: &Path,
    mut work: impl FnMut() -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    match work() {
        Err(error) if is_full(&error) && fs::remove_file(file(folder)).is_ok() => {
            tracing::warn!(id = "disk-full", "the disk is full; the reserve was given up");
            work()
        }
        other => other,
    }
}

/// A full disk shows as `SQLITE_FULL`, and where a file is extended in memory as an I/O error.
fn is_full(error: &StorageError) -> bool {
    let code = |e: &rusqlite::Error| {
        matches!(
            e.sqlite_error_code(),
            Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure)
        )
    };
    match error {
        StorageError::Full { .. } | StorageError::Io { .. } => true,
        StorageError::Sql(e) => code(e),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_given_up_once_and_made_again() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        let blocks = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(file(folder.path())).unwrap());
        assert!(blocks * 512 >= SIZE as u64, "it takes real space");
        let full = || StorageError::Full { file: file(folder.path()) };
        let mut tries = 0;
        let done = spending(folder.path(), || {
            tries += 1;
            if file(folder.path()).exists() { Err(full()) } else { Ok(tries) }
        });
        assert_eq!(done.unwrap(), 2);
        assert!(spending(folder.path(), || -> Result<(), _> { Err(full()) }).is_err());
        make(folder.path());
        assert!(file(folder.path()).exists());
        let other = spending(folder.path(), || -> Result<(), _> { Err(StorageError::Stopped) });
        assert!(other.is_err() && file(folder.path()).exists(), "other errors leave it");
    }
}
