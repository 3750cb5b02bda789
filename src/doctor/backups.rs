//! The backups: is there one, is it young enough, is it whole, and does it lie elsewhere.

use super::{Finding, Patient};
use crate::storage::backup;
use crate::storage::backup::manifest::Manifest;
use jiff::SignedDuration;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// One is made every night; older than this means that it failed twice.
const OLD: SignedDuration = SignedDuration::from_hours(50);

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let storage = &patient.settings.storage;
    let Some(settings) = &storage.backup else { return Vec::new() };
    let subject = "backup";
    let now_one = "systemctl start shopguide-backup, then journalctl -u shopguide-backup";
    if !storage.folder.join("shop.sqlite").exists() {
        return vec![Finding::well(subject, "there is nothing to back up yet")];
    }
    let all = match backup::all(settings) {
        Ok(all) => all,
        Err(error) => {
            return vec![
                Finding::failed("backup-folder", subject, error.to_string())
                    .means("no backup can be made there")
                    .remedy("mount the disk, or give the folder to the service's user (chown shopguide:)"),
            ];
        }
    };
    let Some((_, path)) = all.last() else {
        return vec![
            Finding::warning(
                "backup-never",
                subject,
                format!("there is none in {}", settings.folder.display()),
            )
            .means("a broken disk would lose everything")
            .remedy(format!("systemctl enable --now shopguide-backup.timer; {now_one}")),
        ];
    };
    let mut found = Vec::new();
    match Manifest::verify(path) {
        Err(error) => found.push(
            Finding::failed("backup-damaged", subject, error.to_string())
                .means("the newest backup cannot be restored")
                .remedy(format!("check the disk it lies on, then make another: {now_one}")),
        ),
        Ok(manifest) => {
            let age = patient.now.duration_since(manifest.made);
            let says = format!("the newest of {} is {} h old: {}", all.len(), age.as_hours(), path.display());
            found.push(if age > OLD {
                Finding::warning("backup-old", subject, says)
                    .means("what was recorded since would be lost with the disk")
                    .remedy(format!("systemctl list-timers shopguide-backup.timer; {now_one}"))
            } else {
                Finding::well(subject, says)
            });
        }
    }
    if !settings.keys().exists() {
        let says = format!("{} is missing", settings.keys().display());
        found.push(
            Finding::warning("backup-keys-missing", subject, says)
                .means("on another machine no face, name or contact of these backups could be read")
                .remedy(format!("the next backup makes it: {now_one}")),
        );
    }
    let device = |path: &std::path::Path| fs::metadata(path).ok().map(|meta| meta.dev());
    if device(&settings.folder) == device(&storage.folder) {
        found.push(
            Finding::note(
                "backup-same-disk",
                subject,
                format!("{} is on the same disk as the data", settings.folder.display()),
            )
            .means("a broken disk takes both")
            .remedy("name a folder on another disk in [backup] folder, or copy it elsewhere every night"),
        );
    }
    found
}
