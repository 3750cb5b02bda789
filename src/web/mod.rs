//! Pages and API over HTTP: the displays' pages, the live view, frames from browsers, receipts,
//! status. Pages load nothing from elsewhere.

pub mod settings;
