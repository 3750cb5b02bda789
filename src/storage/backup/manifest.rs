//! What a backup says of itself: when, of which store, by which version, and the hash of every file,
//! so that a damaged or incomplete one is refused before anything is changed.

use crate::storage::StorageError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

/// Name of the manifest in a backup's folder.
pub const FILE: &str = "manifest.json";
/// The format that this program writes and the newest it reads.
pub const FORMAT: u32 = 1;
/// Largest manifest that is read.
const LARGEST: u64 = 1 << 20;

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of the backup.
    pub format: u32,
    /// One more than the backup before.
    pub number: u64,
    /// When it was made.
    pub made: Timestamp,
    /// Version of the program that made it.
    pub program: String,
    /// Schema of the database.
    pub schema: i64,
    /// Id of the store.
    pub store: String,
    /// Which keys open what is sealed in it.
    pub keys: String,
    /// Members when it was made.
    pub members: u64,
    /// Products.
    pub products: u64,
    /// Receipts.
    pub receipts: u64,
    /// Every file.
    pub files: Vec<Copied>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Where, from the backup's folder.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its content, hexadecimal.
    pub blake3: String,
}

impl Copied {
    /// Every file in `folder`, on disk for good.
    pub(super) fn all_in(folder: &Path) -> std::io::Result<Vec<Copied>> {
        let mut files = Vec::new();
        let mut open = vec![PathBuf::new()];
        while let Some(inside) = open.pop() {
            for entry in fs::read_dir(folder.join(&inside))? {
                let entry = entry?;
                let path = inside.join(entry.file_name());
                if entry.file_type()?.is_dir() {
                    open.push(path);
                    continue;
                }
                let (bytes, blake3) = hash(&entry.path())?;
                File::open(entry.path())?.sync_all()?;
                files.push(Copied { path: path.to_string_lossy().into_owned(), bytes, blake3 });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
}

impl Manifest {
    /// Writes it into `folder`.
    pub(super) fn write(&self, folder: &Path) -> std::io::Result<()> {
        let mut out = File::create(folder.join(FILE))?;
        out.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        out.sync_all()?;
        File::open(folder)?.sync_all()
    }

    /// Reads the manifest of a backup; looks at no other file.
    pub fn read(folder: &Path) -> Result<Manifest, StorageError> {
        let bad = |what: String| StorageError::BadBackup { folder: folder.to_owned(), what };
        let mut text = Vec::new();
        File::open(folder.join(FILE))
            .and_then(|file| file.take(LARGEST).read_to_end(&mut text))
            .map_err(|error| bad(format!("its {FILE} cannot be read: {error}")))?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| bad(format!("its {FILE} is not one: {error}")))?;
        if manifest.format > FORMAT {
            return Err(bad(format!(
                "it was made by the newer version {} of shopguide; install that one first",
                manifest.program
            )));
        }
        Ok(manifest)
    }

    /// Reads the manifest and compares every file with it.
    pub fn verify(folder: &Path) -> Result<Manifest, StorageError> {
        let manifest = Self::read(folder)?;
        let bad = |what: String| StorageError::BadBackup { folder: folder.to_owned(), what };
        for file in &manifest.files {
            let path = Path::new(&file.path);
            if !path.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(bad(format!(
                    "its {FILE} names the file {:?}, which is outside of it",
                    file.path
                )));
            }
            let (bytes, blake3) = hash(&folder.join(path))
                .map_err(|error| bad(format!("{} cannot be read: {error}", file.path)))?;
            if (bytes, &blake3) != (file.bytes, &file.blake3) {
                return Err(bad(format!("{} is not as it was written ({bytes} bytes)", file.path)));
            }
        }
        Ok(manifest)
    }
}

fn hash(file: &Path) -> std::io::Result<(u64, String)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = std::io::copy(&mut File::open(file)?, &mut hasher)?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn backup() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("shop.sqlite"), "data").unwrap();
        let manifest = Manifest {
            format: FORMAT,
            number: 1,
            made: Timestamp::UNIX_EPOCH,
            program: "1".into(),
            schema: 1,
            store: "test".into(),
            keys: "k".into(),
            members: 0,
            products: 0,
            receipts: 0,
            files: Copied::all_in(folder.path()).unwrap(),
        };
        manifest.write(folder.path()).unwrap();
        folder
    }

    fn refused(folder: &Path) -> String {
        Manifest::verify(folder).unwrap_err().to_string()
    }

    #[test]
    fn a_changed_a_missing_and_a_foreign_file_are_told() {
        let folder = backup();
        Manifest::verify(folder.path()).unwrap();
        fs::write(folder.path().join("shop.sqlite"), "dat4").unwrap();
        assert!(refused(folder.path()).contains("shop.sqlite is not as it was written"));
        fs::remove_file(folder.path().join("shop.sqlite")).unwrap();
        assert!(refused(folder.path()).contains("shop.sqlite cannot be read"));
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        fs::write(folder.path().join(FILE), text.replace("shop.sqlite", "../shop.sqlite")).unwrap();
        assert!(refused(folder.path()).contains("outside"));
        fs::write(folder.path().join(FILE), text.replace("\"format\": 1", "\"format\": 2")).unwrap();
        assert!(refused(folder.path()).contains("newer version"));
        fs::remove_file(folder.path().join(FILE)).unwrap();
        assert!(refused(folder.path()).contains("manifest.json cannot be read"));
    }

    proptest! {
        #[test]
        fn no_manifest_makes_it_panic(text in ".{0,200}", cut in 0_usize..700) {
            let folder = backup();
            let good = fs::read(folder.path().join(FILE)).unwrap();
            let mut bytes = good[..cut.min(good.len())].to_vec();
            bytes.extend_from_slice(text.as_bytes());
            fs::write(folder.path().join(FILE), bytes).unwrap();
            let _ = Manifest::verify(folder.path());
        }
    }
}
