//! Catalogues and receipts from CSV files: any delimiter, any order of columns, any size.
//!
//! - Memory is flat: one row, a bounded number of open receipts and one batch at a time.
//! - A file that cannot be read to its end (too long a row, an I/O error, no text) changes nothing:
//!   it is read once through before the first row is imported.
//! - Importing again changes nothing: receipts count by their number, products by their SKU.
//! - Every row that is not imported is reported with its line and the reason. A row with a mistake
//!   keeps its whole receipt back, so that the mended file imports that receipt as a whole.

pub mod catalogue;
pub mod columns;
mod fields;
pub mod findings;
pub mod receipts;
pub mod rows;

use super::StorageError;
use std::path::PathBuf;

pub use fields::Formats;

/// Why a file was not imported, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A row without an end in sight.
    #[error(
        "{}: the row that begins in line {line} is longer than {most} bytes; is a quotation mark missing there? \
         Nothing was imported", file.display()
    )]
    RowTooLong {
        /// The file.
        file: PathBuf,
        /// Where the row begins.
        line: u64,
        /// The longest row that is read, in bytes.
        most: usize,
    },
    /// Not text in UTF-8.
    #[error("{}: {what}. Save the file as CSV in UTF-8. Nothing was imported", file.display())]
    NotText {
        /// The file.
        file: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Columns that are missing or named wrongly.
    #[error("{}: {what}. Nothing was imported", file.display())]
    Columns {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what there is.
        what: String,
    },
    /// The list of errors cannot be written.
    #[error("cannot write the list of errors {}: {cause}", file.display())]
    Errors {
        /// The list.
        file: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
