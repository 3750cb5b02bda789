//! Running it: settings, logs, supervision, status.

pub mod settings;
