//! Figures for status pages, and the counters by which a daemon notices that another process
//! changed the gallery or the catalogue.

use super::{StorageError, Store};

/// Numbers of rows, and sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Products.
    pub products: u64,
    /// Members.
    pub members: u64,
    /// Templates of them.
    pub templates: u64,
    /// Receipts.
    pub receipts: u64,
    /// Receipts of members.
    pub member_receipts: u64,
    /// Visits.
    pub visits: u64,
    /// Slates made.
    pub slates: u64,
    /// Slates shown.
    pub impressions: u64,
    /// Outcomes.
    pub outcomes: u64,
    /// Entries of the audit.
    pub audit: u64,
    /// Size of the database in bytes, without its log.
    pub bytes: u64,
    /// Size of its write-ahead log in bytes.
    pub log_bytes: u64,
    /// Changes that wait for the writer.
    pub waiting: u64,
}

/// Counters that grow with every change; equal means unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Revisions {
    /// Of templates and members.
    pub gallery: i64,
    /// Of products.
    pub catalogue: i64,
    /// Of receipts: the newest's row; a receipt that finds its member later, or goes, is not seen in it.
    pub receipts: i64,
}

impl Store {
    /// Counts rows; some milliseconds with a million lines.
    pub fn counts(&self) -> Result<Counts, StorageError> {
        let size = |file: &std::path::Path| std::fs::metadata(file).map_or(0, |m| m.len());
        let file = &self.parts.file;
        let (bytes, log_bytes) = (size(file), size(&file.with_extension("sqlite-wal")));
        let waiting = self.waiting() as u64;
        self.read(|db| {
            let count = |what: &str| -> rusqlite::Result<u64> {
                let n: i64 = db
                    .prepare_cached(&format!("SELECT COUNT(*) FROM {what}"))?
                    .query_row([], |r| r.get(0))?;
                Ok(n.unsigned_abs())
            };
            Ok(Counts {
                products: count("products")?,
                members: count("members")?,
                templates: count("templates")?,
                receipts: count("receipts")?,
                member_receipts: count("receipts WHERE member IS NOT NULL")?,
                visits: count("visits")?,
                slates: count("slates")?,
                impressions: count("impressions")?,
                outcomes: count("outcomes")?,
                audit: count("audit")?,
                bytes,
                log_bytes,
                waiting,
            })
        })
    }

    /// The counters, cheap enough to ask every second.
    pub fn revisions(&self) -> Result<Revisions, StorageError> {
        self.read(|db| {
            let one = |what: &str| {
                db.prepare_cached("SELECT count FROM revisions WHERE what = ?")?
                    .query_row([what], |r| r.get(0))
            };
            let newest = db.prepare_cached("SELECT COALESCE(MAX(id), 0) FROM receipts")?;
            let receipts = { newest }.query_row([], |r| r.get(0))?;
            Ok(Revisions { gallery: one("gallery")?, catalogue: one("catalogue")?, receipts })
        })
    }
}
