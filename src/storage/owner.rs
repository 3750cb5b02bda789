//! Who owns the store's files. A command that root runs beside the service must not leave files that
//! the service's own user cannot open: whatever root made in the folder is given to the folder's owner.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

/// Gives everything of root's in `folder` to the folder's owner, if that is somebody else. Only root
/// can, and only root needs to.
pub fn hand_over(folder: &Path) {
    let Ok(of) = fs::symlink_metadata(folder) else { return };
    let root_runs_this = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !root_runs_this || of.uid() == 0 {
        return;
    }
    let mut open = vec![folder.to_owned()];
    while let Some(inside) = open.pop() {
        for entry in fs::read_dir(&inside).into_iter().flatten().flatten() {
            let Ok(meta) = fs::symlink_metadata(entry.path()) else { continue };
            if meta.uid() == 0
                && let Err(error) = lchown(entry.path(), Some(of.uid()), Some(of.gid()))
            {
                tracing::warn!(id = "owner-not-changed", %error, file = %entry.path().display(), "root owns a file of the store");
            }
            if meta.is_dir() {
                open.push(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_made_belongs_to_the_owner_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        fs::write(folder.path().join("models/x"), "").unwrap();
        if lchown(folder.path(), Some(4711), Some(4712)).is_err() {
            eprintln!("LEFT OUT: only root can give files away");
            return;
        }
        hand_over(folder.path());
        for file in ["models", "models/x"] {
            let meta = fs::metadata(folder.path().join(file)).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (4711, 4712), "{file}");
        }
    }
}
