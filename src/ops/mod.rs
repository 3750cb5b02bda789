//! Running it: settings, logs, supervision, status.

pub mod log;
pub mod settings;
