//! The store's own folder: who may use it, whether the database is whole, and whether the keys fit.

use super::{Finding, Patient};
use crate::privacy::vault::{self, copy};
use crate::privacy::{PrivacyError, master};
use crate::storage::{StorageError, examine};
use jiff::Timestamp;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Larger logs are a sign that something keeps a view of the database open.
const LONG_LOG: u64 = 256 << 20;

/// What was found, and the time of the newest record.
pub(super) struct Data {
    pub(super) findings: Vec<Finding>,
    pub(super) newest: Option<Timestamp>,
}

pub(super) fn look(patient: &Patient) -> Data {
    let folder = &patient.settings.storage.folder;
    let mut found = folder_of(folder);
    if found.iter().any(|f| f.id == "data-folder-missing") {
        return Data { findings: found, newest: None };
    }
    let mut newest = None;
    match examine::examine(folder) {
        Ok(None) => found.push(Finding::well("database", "there is none yet; the first start makes it")),
        Ok(Some(db)) => {
            newest = db.newest;
            let says =
                format!("whole: {} members, {} receipts, {} MiB", db.members, db.receipts, db.bytes >> 20);
            found.push(Finding::well("database", says));
            if db.log_bytes > LONG_LOG {
                let says = format!("its write-ahead log has {} MiB", db.log_bytes >> 20);
                found.push(
                    Finding::warning("database-log-long", "database", says)
                        .means("a program keeps an old view of the database open")
                        .remedy("end other programs that have shop.sqlite open (fuser -v), then restart the service"),
                );
            }
        }
        Err(error) => found.push(database(&error)),
    }
    found.extend(writable(folder));
    found.extend(keys(folder));
    Data { findings: found, newest }
}

fn folder_of(folder: &Path) -> Vec<Finding> {
    let subject = "data folder";
    let shown = folder.display();
    let Ok(meta) = fs::metadata(folder) else {
        return vec![Finding::note(
            "data-folder-missing",
            subject,
            format!("{shown} is not there; the first start makes it"),
        )];
    };
    let mode = meta.mode() & 0o7777;
    let mut found = Vec::new();
    let means = "the service does not start, or records nothing";
    if mode & 0o700 != 0o700 {
        found.push(
            Finding::failed(
                "data-folder-permissions",
                subject,
                format!("its owner may not write in {shown} (mode {mode:03o})"),
            )
            .means(means)
            .remedy(format!("chmod 700 {shown}")),
        );
    }
    if mode & 0o077 != 0 {
        found.push(
            Finding::warning(
                "data-folder-open",
                subject,
                format!("others may look into {shown} (mode {mode:03o})"),
            )
            .means("other users of this machine could read receipts")
            .remedy(format!("chmod 700 {shown}")),
        );
    }
    if let Some((name, uid)) = service_user().filter(|(_, uid)| *uid != meta.uid())
        && folder.starts_with("/var/lib")
    {
        found.push(
            Finding::failed(
                "data-folder-owner",
                subject,
                format!("{shown} does not belong to {name} (user {uid}), but to user {}", meta.uid()),
            )
            .means(means)
            .remedy(format!("chown -R {name}: {shown}")),
        );
    }
    if found.is_empty() {
        found.push(Finding::well(subject, shown.to_string()));
    }
    found
}

/// Name and number of the user that the package makes for the service.
fn service_user() -> Option<(&'static str, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("shopguide:"))?;
    Some(("shopguide", line.split(':').nth(2)?.parse().ok()?))
}

/// Files that their owner must be able to write.
fn writable(folder: &Path) -> Vec<Finding> {
    let locked = |name: &&str| fs::metadata(folder.join(name)).is_ok_and(|m| m.mode() & 0o200 == 0);
    let files = ["shop.sqlite", vault::FILE];
    let found = files.iter().filter(|name| locked(name)).map(|name| {
        let file = folder.join(name);
        Finding::failed("database-read-only", "database", format!("{} may not be written", file.display()))
            .means("nothing can be recorded: receipts are refused")
            .remedy(format!("chmod 600 {}", file.display()))
    });
    found.collect()
}

fn database(error: &StorageError) -> Finding {
    let subject = "database";
    let restore = "systemctl stop shopguide; shopguide restore puts the newest backup back";
    match error {
        StorageError::Damaged { file, what } => {
            Finding::failed("database-damaged", subject, format!("{} is damaged: {what}", file.display()))
                .means("the service does not start, so that nothing gets worse")
                .remedy(format!("look for a failing disk; {restore}"))
        }
        StorageError::Newer { .. } => Finding::failed("database-newer", subject, error.to_string())
            .means("this program is older than the data: the service does not start")
            .remedy(format!("install the newer version again; or {restore}")),
        StorageError::Foreign { .. } => Finding::failed("database-foreign", subject, error.to_string())
            .means("the service does not start")
            .remedy("name another folder in [storage] folder"),
        other => Finding::failed("database-failed", subject, other.to_string())
            .means("nothing can be recorded")
            .remedy("check permissions and disk; shopguide check tells more"),
    }
}

fn keys(folder: &Path) -> Vec<Finding> {
    let file = folder.join(vault::FILE);
    let database = folder.join("shop.sqlite").exists();
    let subject = "keys";
    let held = match copy::look(&file) {
        Ok(Some(held)) => held,
        Ok(None) if !database => return Vec::new(),
        Ok(None) => {
            return vec![
                Finding::failed("keys-missing", subject, format!("{} is missing", file.display()))
                    .means("no face, name or contact of a member can be read; the service does not start")
                    .remedy("put that file back: its copy lies beside the backups (shopguide-<store>.keys)"),
            ];
        }
        Err(error) => {
            return vec![
                Finding::failed("keys-damaged", subject, error.to_string())
                    .means("no face, name or contact of a member can be read; the service does not start")
                    .remedy("put back the copy that lies beside the backups (shopguide-<store>.keys)"),
            ];
        }
    };
    match master::MasterKey::find(folder, None, &file) {
        Ok(_) => vec![Finding::well(subject, format!("{} members have a key", held.holders.len()))],
        Err(PrivacyError::MasterKeyMissing { file, .. }) => {
            vec![
                Finding::note("master-key-elsewhere", subject, format!("{} is not there", file.display()))
                    .means("right if systemd gives it to the service as the credential `master-key`; else it does not start")
                    .remedy("without a credential: put the file back from where it was kept apart"),
            ]
        }
        Err(error) => {
            let id = match error {
                PrivacyError::MasterKeyExposed { .. } => "master-key-exposed",
                PrivacyError::MasterKeyMalformed { .. } => "master-key-malformed",
                _ => "master-key-unreadable",
            };
            let says = error.to_string();
            vec![Finding::failed(id, subject, says).means("the service does not start").remedy(format!(
                "chmod 600 {0} and chown shopguide: {0}; if it is not the key, put the right one back",
                folder.join(master::FILE).display()
            ))]
        }
    }
}
