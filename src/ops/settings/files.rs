//! Files that the configuration names: found from the configuration's own folder, and looked at
//! when the configuration is read, so that a wrong path is a clear mistake and not a later failure.

use super::shape::{Refusal, Shape, parsed};
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Largest file that holds a password or token.
const LARGEST_SECRET: u64 = 4096;
/// Largest PEM file.
const LARGEST_PEM: u64 = 1 << 20;

/// A path, relative ones from `folder`. Whether it exists is not asked.
pub(super) fn path<'s>(folder: &'s Path, what: &str) -> Shape<'s, PathBuf> {
    parsed(format!("{what}: a path in quotes, from this file's folder if relative"), |text| {
        resolve(folder, text)
    })
}

/// A file that exists and can be read.
pub(super) fn readable_file<'s>(folder: &'s Path, what: &str) -> Shape<'s, PathBuf> {
    parsed(format!("{what}: the path of a readable file, from this file's folder if relative"), |text| {
        let path = resolve(folder, text)?;
        open(&path).map(|_| path)
    })
}

/// A readable PEM file with at least one block whose label ends in `label`.
pub(super) fn pem_file<'s>(folder: &'s Path, label: &'static str) -> Shape<'s, PathBuf> {
    parsed(
        format!("the path of a PEM file with a {label}, from this file's folder if relative"),
        move |text| {
            let path = resolve(folder, text)?;
            let text = read_to_end(&path, LARGEST_PEM)?;
            let begins = |line: &str| line.starts_with("-----BEGIN ") && line.contains(label);
            if text.lines().any(begins) {
                Ok(path)
            } else {
                Err(Refusal::because(format!("holds no {label} in PEM (a line \"-----BEGIN {label}-----\")")))
            }
        },
    )
}

/// A file with one secret on its first line: its text without the line's end.
pub(super) fn secret_file<'s>(folder: &'s Path, what: &str) -> Shape<'s, (PathBuf, String)> {
    parsed(format!("the path of a file with the {what} alone on its first line"), |text| {
        let path = resolve(folder, text)?;
        read_secret(&path).map(|secret| (path, secret))
    })
}

/// Reads a secret: one line, not empty, at most 4 KiB.
pub(super) fn read_secret(path: &Path) -> Result<String, Refusal> {
    let text = read_to_end(path, LARGEST_SECRET)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        Err(Refusal::because("is an empty file"))
    } else if secret.chars().any(char::is_control) {
        Err(Refusal::because("holds more than one line or control characters"))
    } else {
        Ok(secret.to_owned())
    }
}

/// Whether every user of the machine may read the file.
pub(super) fn is_world_readable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o004 != 0)
}

/// A path of the configuration, relative ones from `folder`.
pub(super) fn resolve(folder: &Path, text: &str) -> Result<PathBuf, Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::because("is empty"));
    }
    if text.contains('\0') {
        return Err(Refusal::because("holds a NUL character"));
    }
    if let Some(rest) = text.strip_prefix("~/") {
        let home = std::env::var("HOME").unwrap_or_else(|_| "/home/someone".into());
        let meant = format!("{:?}", Path::new(&home).join(rest));
        return Err(Refusal::because("begins with ~, which only a shell understands").meant(Some(meant)));
    }
    Ok(folder.join(text))
}

/// Opens a file for reading; a folder or device is refused.
fn open(path: &Path) -> Result<(File, Metadata), Refusal> {
    let meta = std::fs::metadata(path).map_err(|error| cannot(path, &error))?;
    if meta.is_dir() {
        return Err(Refusal::because("is a folder, not a file"));
    }
    if !meta.is_file() {
        return Err(Refusal::because("is not a regular file"));
    }
    let file = File::open(path).map_err(|error| cannot(path, &error))?;
    Ok((file, meta))
}

fn read_to_end(path: &Path, most: u64) -> Result<String, Refusal> {
    let (file, _) = open(path)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| cannot(path, &error))?;
    if bytes.len() as u64 > most {
        return Err(Refusal::because(format!("is larger than {most} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Refusal::because("is not a text file (not UTF-8)"))
}

fn cannot(path: &Path, error: &std::io::Error) -> Refusal {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            let refusal = Refusal::because("does not exist");
            let folder = path.ancestors().skip(1).find(|folder| folder.exists());
            match folder {
                Some(folder) if path.parent() != Some(folder) => {
                    refusal.help(format!("the path exists up to {}", folder.display()))
                }
                _ => refusal.help(format!("looked for {}", path.display())),
            }
        }
        std::io::ErrorKind::PermissionDenied => Refusal::because("may not be read by this user")
            .help("give the file to the user that the service runs as, or hand it over by systemd (LoadCredential=)"),
        _ => Refusal::because(format!("cannot be read: {error}")),
    }
}
