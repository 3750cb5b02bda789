//! What an import has to say about rows: grouped by reason, each group with its count and its first
//! lines; all of them in a CSV file if one is asked for.

use super::ImportError;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Rows of a group that are kept for showing.
pub const SHOWN: usize = 5;

/// Why a row was not imported, or not as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// More or fewer fields than the header.
    ColumnCount,
    /// Bytes that are not UTF-8.
    NotText,
    /// An empty field that is needed.
    Missing,
    /// Not a time, or in a form that is not known.
    BadTime,
    /// Not a quantity.
    BadQuantity,
    /// Not a price.
    BadPrice,
    /// Neither yes nor no.
    BadFlag,
    /// Not a card's token.
    BadCard,
    /// Something else that cannot be stored.
    Unacceptable,
    /// One receipt with two members.
    TwoMembers,
    /// Kept back because of another row of the same receipt.
    WithBadRow,
    /// The number of a stored receipt with other content.
    Differs,
    /// Negative quantity without a price.
    StockCorrection,
    /// A price below 0.
    Bookkeeping,
    /// Quantity 0.
    Nothing,
    /// The SKU again, with other values.
    RepeatedSku,
    /// Nobody has this card.
    UnknownCard,
    /// The card belonged to someone who was erased.
    ErasedCard,
}

/// What a reason means for the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A mistake to mend.
    Bad,
    /// Rightly left out.
    LeftOut,
    /// Imported, with a remark.
    Remark,
}

impl Reason {
    /// As a person reads it.
    pub fn text(self) -> &'static str {
        match self {
            Reason::ColumnCount => "wrong number of columns",
            Reason::NotText => "not UTF-8 text",
            Reason::Missing => "a needed value is missing",
            Reason::BadTime => "time not understood",
            Reason::BadQuantity => "quantity not understood",
            Reason::BadPrice => "price not understood",
            Reason::BadFlag => "neither yes nor no",
            Reason::BadCard => "not a card token",
            Reason::Unacceptable => "value that cannot be stored",
            Reason::TwoMembers => "one receipt with two members",
            Reason::WithBadRow => "receipt kept back because of another of its rows",
            Reason::Differs => "receipt number exists with other content; the stored one stays",
            Reason::StockCorrection => "stock correction (negative quantity without a price), not a sale",
            Reason::Bookkeeping => "bookkeeping entry (price below 0), not a sale",
            Reason::Nothing => "quantity 0, not a sale",
            Reason::RepeatedSku => "SKU appeared before in this file with other values; the first row counts",
            Reason::UnknownCard => "receipt stored without a member: nobody has this card",
            Reason::ErasedCard => "receipt stored without a member: the card's owner was erased",
        }
    }

    /// What it means.
    pub fn weight(self) -> Weight {
        match self {
            Reason::StockCorrection | Reason::Bookkeeping | Reason::Nothing | Reason::RepeatedSku => {
                Weight::LeftOut
            }
            Reason::UnknownCard | Reason::ErasedCard => Weight::Remark,
            _ => Weight::Bad,
        }
    }
}

/// The rows of one reason.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// The first of them: line and detail.
    pub first: Vec<(u64, String)>,
}

/// Everything found in one file.
#[derive(Default)]
pub struct Findings {
    groups: BTreeMap<Reason, Group>,
    list: Option<(PathBuf, csv::Writer<File>)>,
}

impl Findings {
    /// Nothing yet; every row is also written to `list`, if given.
    pub fn new(list: Option<&Path>) -> Result<Self, ImportError> {
        let Some(file) = list else { return Ok(Self::default()) };
        let failed = |cause| ImportError::Errors { file: file.to_owned(), cause };
        let mut writer = csv::Writer::from_writer(File::create(file).map_err(failed)?);
        writer.write_record(["line", "reason", "detail"]).map_err(|e| failed(e.into()))?;
        Ok(Self { groups: BTreeMap::new(), list: Some((file.to_owned(), writer)) })
    }

    /// Adds a row.
    pub fn note(&mut self, line: u64, reason: Reason, detail: String) -> Result<(), ImportError> {
        if let Some((file, writer)) = &mut self.list {
            writer
                .write_record([line.to_string().as_str(), reason.text(), &detail])
                .map_err(|e| ImportError::Errors { file: file.clone(), cause: e.into() })?;
        }
        let group = self.groups.entry(reason).or_default();
        group.count += 1;
        if group.first.len() < SHOWN {
            group.first.push((line, detail));
        }
        Ok(())
    }

    /// Completes the list on disk.
    pub fn finish(&mut self) -> Result<(), ImportError> {
        match &mut self.list {
            None => Ok(()),
            Some((file, writer)) => {
                writer.flush().map_err(|cause| ImportError::Errors { file: file.clone(), cause })
            }
        }
    }

    /// The groups, mistakes first.
    pub fn groups(&self) -> &BTreeMap<Reason, Group> {
        &self.groups
    }

    /// Rows of this weight.
    pub fn count(&self, weight: Weight) -> u64 {
        self.groups.iter().filter(|(r, _)| r.weight() == weight).map(|(_, g)| g.count).sum()
    }
}
