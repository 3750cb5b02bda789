//! Looking everywhere: which files a program writes, and whether a picture is in any of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Adds the regular files that process `pid` holds open for writing now.
pub fn open_for_writing(pid: u32, files: &mut BTreeSet<PathBuf>) {
    let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return };
    for fd in open.flatten() {
        if !std::fs::metadata(fd.path()).is_ok_and(|meta| meta.is_file()) {
            continue;
        }
        let info = format!("/proc/{pid}/fdinfo/{}", fd.file_name().to_string_lossy());
        let info = std::fs::read_to_string(info).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        if flags.is_some_and(|flags| u32::from_str_radix(flags.trim(), 8).unwrap() & 3 != 0) {
            files.extend(std::fs::read_link(fd.path()));
        }
    }
}

/// Whether a JPEG or PNG begins anywhere in `bytes`. The byte after a JPEG's first three is the kind
/// of its first segment, which keeps random bytes (what is sealed) from looking like one.
pub fn holds_a_picture(bytes: &[u8]) -> bool {
    let jpeg = |w: &[u8]| {
        w[..3] == [0xFF, 0xD8, 0xFF] && matches!(w[3], 0xC0..=0xC4 | 0xDB | 0xDD | 0xE0..=0xEF | 0xFE)
    };
    bytes.windows(4).any(jpeg) || bytes.windows(8).any(|w| w == b"\x89PNG\r\n\x1a\n")
}

/// Every file below `folder`.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}
