//! Baskets and folds files of next-basket research, as plain or gzipped JSON:
//!
//! baskets `{"<user>": {"h": [[item, ..], ..], "f": [item, ..], "h_days": [..], "f_day": n}}`,
//! history oldest first, `f` the basket to predict, days where known;
//! folds `[{"item_num": n, "train": [user, ..], "val": [..], "test": [..]}, ..]`.

use super::Dataset;
use crate::recommend::ranker::corpus::{Basket, Corpus};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is read, unpacked: 2 GiB.
const LARGEST: u64 = 2 << 30;

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {cause}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not what its kind should be.
    #[error("{path}: not a {kind} file: {cause}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// `baskets` or `folds`.
        kind: &'static str,
        /// Why.
        cause: String,
    },
}

#[derive(Deserialize)]
struct UserRecord {
    h: Vec<Vec<u32>>,
    f: Vec<u32>,
    #[serde(default)]
    h_days: Option<Vec<f32>>,
    #[serde(default)]
    f_day: Option<f32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum User {
    Number(u64),
    Name(String),
}

#[derive(Deserialize)]
struct FoldRecord {
    item_num: usize,
    train: Vec<User>,
    val: Vec<User>,
    test: Vec<User>,
}

/// One fold of a set of baskets.
#[derive(Debug, Clone)]
pub struct Fold {
    /// All users' histories.
    pub corpus: Corpus,
    /// For each user the basket to predict.
    pub future: Vec<Basket>,
    /// Users to learn from.
    pub train: Vec<u32>,
    /// Users to choose by.
    pub validation: Vec<u32>,
    /// Users to judge by.
    pub test: Vec<u32>,
}

impl Fold {
    /// Reads fold number `fold`, counted from 0.
    pub fn read(baskets: &Path, folds: &Path, fold: usize) -> Result<Fold, ProtocolError> {
        Self::parse(&unpacked(baskets)?, &unpacked(folds)?, fold).map_err(|(kind, cause)| {
            let path = if kind == "folds" { folds } else { baskets };
            ProtocolError::Malformed { path: path.to_owned(), kind, cause }
        })
    }

    fn parse(baskets: &[u8], folds: &[u8], fold: usize) -> Result<Fold, (&'static str, String)> {
        let users: BTreeMap<String, UserRecord> =
            serde_json::from_slice(baskets).map_err(|e| ("baskets", e.to_string()))?;
        let folds: Vec<FoldRecord> = serde_json::from_slice(folds).map_err(|e| ("folds", e.to_string()))?;
        let count = folds.len();
        let record = folds
            .into_iter()
            .nth(fold)
            .ok_or_else(|| ("folds", format!("there is no fold {fold}: it holds {count}, counted from 0")))?;
        let mut index = BTreeMap::new();
        let mut out = Fold {
            corpus: Corpus {
                items: record.item_num,
                histories: Vec::with_capacity(users.len()),
                ..Corpus::default()
            },
            future: Vec::with_capacity(users.len()),
            train: Vec::new(),
            validation: Vec::new(),
            test: Vec::new(),
        };
        for (name, user) in users {
            let wrong = |what: &str| ("baskets", format!("user {name}: {what}"));
            if user.h.iter().chain([&user.f]).flatten().any(|i| *i as usize >= record.item_num) {
                return Err(wrong(&format!("an item is not below item_num, {}", record.item_num)));
            }
            let days = user.h_days.unwrap_or_default();
            if !days.is_empty() && days.len() != user.h.len() {
                return Err(wrong("h_days and h differ in length"));
            }
            let basket = |mut items: Vec<u32>, day: Option<f32>| {
                let mut seen = HashSet::new();
                items.retain(|item| seen.insert(*item));
                Basket { items, day }
            };
            let days = days.into_iter().map(Some).chain(std::iter::repeat(None));
            let history = user.h.into_iter().zip(days).map(|(items, day)| basket(items, day)).collect();
            index.insert(name, out.future.len() as u32);
            out.corpus.histories.push(history);
            out.future.push(basket(user.f, user.f_day));
        }
        for (names, into) in
            [(record.train, &mut out.train), (record.val, &mut out.validation), (record.test, &mut out.test)]
        {
            for name in names {
                let name = match name {
                    User::Number(n) => n.to_string(),
                    User::Name(name) => name,
                };
                let found = index.get(&name);
                into.push(*found.ok_or_else(|| ("folds", format!("user {name} has no baskets")))?);
            }
        }
        Ok(out)
    }

    /// What the protocol lets a method learn from: all histories, and the baskets to predict of the
    /// users to learn from. Never those of the users to judge by.
    pub fn dataset(&self) -> Dataset {
        let target = |m: &u32| (*m, self.future[*m as usize].clone());
        let targets = self.train.iter().map(target).filter(|t| !t.1.items.is_empty()).collect();
        Dataset { corpus: self.corpus.clone(), targets }
    }
}

fn unpacked(path: &Path) -> Result<Vec<u8>, ProtocolError> {
    let unreadable = |cause| ProtocolError::Unreadable { path: path.to_owned(), cause };
    let raw = std::fs::read(path).map_err(unreadable)?;
    let mut out = Vec::new();
    let read = if raw.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(raw.as_slice()).take(LARGEST).read_to_end(&mut out)
    } else {
        raw.as_slice().take(LARGEST).read_to_end(&mut out)
    };
    read.map_err(unreadable)?;
    Ok(out)
}
