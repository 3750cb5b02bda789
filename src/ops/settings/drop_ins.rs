//! Drop-ins: files `conf.d/*.toml` beside the configuration, read after it in the order of their names.
//! So a site, an update or a configuration management adds to the shop's own file without editing it.
//!
//! What always holds: a key of a later file replaces that of an earlier one, and `[[camera]]`s and their
//! like are added; a link that leads nowhere is left out with a warning; every mistake is told with the
//! file and the line in it.

use super::finding::Finding;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The folder beside the configuration.
pub const FOLDER: &str = "conf.d";
/// More files than anybody keeps in mind.
const MOST: usize = 64;

/// One drop-in, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DropIn {
    /// Its path, for messages.
    pub(super) file: String,
    pub(super) text: String,
}

/// The drop-ins of the configuration `path`, in the order in which they are read.
pub fn of(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let folder = path.parent().unwrap_or(Path::new("")).join(FOLDER);
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let files: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut files = files?;
    files.retain(|file| file.extension().is_some_and(|end| end == "toml") && !is_hidden(file));
    files.sort();
    Ok(files)
}

fn is_hidden(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Whether it is a link to something that is not there: a release that was taken back leaves one.
pub(super) fn leads_nowhere(file: &Path) -> bool {
    file.is_symlink() && !file.exists()
}

/// The mistake of having too many of them.
pub(super) fn too_many(files: &[PathBuf]) -> Option<Finding> {
    (files.len() > MOST).then(|| {
        Finding::error(format!("there are {} files in {FOLDER}", files.len()))
            .expected(format!("at most {MOST}"))
    })
}

/// Adds the tables of a later file to those of the earlier ones.
pub(super) fn merge<'t>(into: &mut DeTable<'t>, later: DeTable<'t>) {
    for (key, value) in later {
        let Some(there) = into.get_mut(key.get_ref().as_ref()) else {
            into.insert(key, value);
            continue;
        };
        match (there.get_mut(), value) {
            (DeValue::Table(earlier), value) if matches!(value.get_ref(), DeValue::Table(_)) => {
                if let DeValue::Table(table) = value.into_inner() {
                    merge(earlier, table);
                }
            }
            (DeValue::Array(earlier), value)
                if earlier.iter().all(is_table)
                    && matches!(value.get_ref(), DeValue::Array(more) if more.iter().all(is_table)) =>
            {
                if let DeValue::Array(more) = value.into_inner() {
                    more.into_iter().for_each(|entry| earlier.push(entry));
                }
            }
            (_, value) => *there = value,
        }
    }
}

fn is_table(value: &Spanned<DeValue<'_>>) -> bool {
    matches!(value.get_ref(), DeValue::Table(_))
}
