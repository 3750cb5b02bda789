//! The disks that the store and its backups are on: room, and signs that they are dying.

use super::{Finding, Patient};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Less room than this, in bytes, and receipts are refused soon.
const FULL: u64 = 32 << 20;
/// Less room than this, in bytes, will not last.
const LOW: u64 = 1 << 30;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let storage = &patient.settings.storage;
    let mut folders = vec![("the store's data", storage.folder.clone())];
    folders.extend(storage.backup.iter().map(|backup| ("backups", backup.folder.clone())));
    // One disk is told once, with everything that is on it.
    let mut disks: BTreeMap<u64, (PathBuf, Vec<&str>)> = BTreeMap::new();
    for (what, folder) in folders {
        if let Some((folder, device)) = existing(&folder) {
            disks.entry(device).or_insert_with(|| (folder, Vec::new())).1.push(what);
        }
    }
    let mut found: Vec<Finding> =
        disks.into_values().flat_map(|(folder, what)| room(&folder, &what.join(" and "))).collect();
    found.extend(health(&patient.root));
    found
}

/// The folder, or the nearest above it that exists, and its device.
fn existing(folder: &Path) -> Option<(PathBuf, u64)> {
    folder.ancestors().find_map(|f| Some((f.to_owned(), fs::metadata(f).ok()?.dev())))
}

fn room(folder: &Path, what: &str) -> Vec<Finding> {
    let subject = format!("disk of {what}");
    let stat = match rustix::fs::statvfs(folder) {
        Ok(stat) => stat,
        Err(error) => {
            let says = format!("{} cannot be asked: {error}", folder.display());
            return vec![
                Finding::failed("disk-unknown", subject, says)
                    .means("it may be gone")
                    .remedy("look at dmesg"),
            ];
        }
    };
    let mut found = Vec::new();
    let free = stat.f_bavail * stat.f_frsize;
    let share = (stat.f_bavail * 100).checked_div(stat.f_blocks).unwrap_or(100);
    let says = format!("{} MiB free ({share}%) at {}", free >> 20, folder.display());
    let remedy = "df -h and du -xh / | sort -h | tail show what takes it; [backup] keep and [storage] keep_days \
                  make it less";
    if free < FULL {
        found.push(
            Finding::failed("disk-full", subject.clone(), says)
                .means("receipts are refused and no backup is made; suggestions go on, and members can still be erased")
                .remedy(remedy),
        );
    } else if free < LOW {
        found.push(
            Finding::warning("disk-low", subject.clone(), says)
                .means("it will not last for long")
                .remedy(remedy),
        );
    } else {
        found.push(Finding::well(subject.clone(), says));
    }
    if stat.f_files > 0 && stat.f_favail * 100 / stat.f_files < 2 {
        let says = format!("{} files may still be made at {}", stat.f_favail, folder.display());
        found.push(
            Finding::warning("disk-files", subject.clone(), says)
                .means("no file can be made although there is room")
                .remedy("some program makes masses of small files: du --inodes -x / | sort -n | tail"),
        );
    }
    if stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        found.push(
            Finding::failed("disk-read-only", subject, format!("{} is mounted read-only", folder.display()))
                .means("nothing can be recorded; a disk becomes so by itself when it fails")
                .remedy("dmesg | grep -i -e error -e remount; save a backup elsewhere before you write to it again"),
        );
    }
    found
}

/// What the kernel knows of failing disks.
fn health(root: &Path) -> Vec<Finding> {
    let number = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let entries =
        |path: &str| fs::read_dir(root.join(path)).into_iter().flatten().flatten().map(|e| e.path());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = Vec::new();
    for system in entries("sys/fs/ext4") {
        if let Some(errors) = number(system.join("errors_count")).filter(|n| *n > 0) {
            found.push(
                Finding::warning(
                    "disk-errors",
                    format!("disk {}", name(&system)),
                    format!("{errors} errors in its file system"),
                )
                .means("data on it may be damaged, and the disk may be dying")
                .remedy(
                    "make a backup now; check it at the next start (tune2fs -C 999, reboot); renew the disk",
                ),
            );
        }
    }
    for block in entries("sys/block") {
        let disk = format!("disk {}", name(&block));
        if let Some(missing) = number(block.join("md/degraded")).filter(|n| *n > 0) {
            found.push(
                Finding::warning(
                    "disk-array-degraded",
                    disk.clone(),
                    format!("{missing} disks of this array are missing"),
                )
                .means("the next disk that fails takes the data along")
                .remedy("cat /proc/mdstat shows which; renew it"),
            );
        }
        // Memory cards and eMMC tell how much of their life is used: 0x0A is 90 to 100 per cent.
        let life = fs::read_to_string(block.join("device/life_time")).unwrap_or_default();
        let used = life
            .split_whitespace()
            .filter_map(|part| u64::from_str_radix(part.trim_start_matches("0x"), 16).ok());
        if let Some(used) = used.max().filter(|used| *used >= 9) {
            found.push(
                Finding::warning(
                    "disk-worn",
                    disk,
                    format!("{} to {} per cent of its life are used", (used - 1) * 10, used * 10),
                )
                .means("it will soon take no more data")
                .remedy("make a backup on another disk and renew this one in time"),
            );
        }
    }
    found
}
