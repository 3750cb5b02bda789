//! How values are written in columns: times as Unix milliseconds, lists as JSON.

use super::StorageError;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A column's time; `column` names it in the error.
pub(super) fn time(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let value: i64 = row.get(column)?;
    Timestamp::from_millisecond(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// A list as it stands in a column.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StorageError> {
    serde_json::to_string(value).map_err(|e| StorageError::Invalid(format!("cannot be written as JSON: {e}")))
}

/// A column's list.
pub(super) fn from_json<T: DeserializeOwned>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e))
    })
}
