//! Running it: settings, logs, supervision, status.

mod journal;
pub mod log;
pub mod metrics;
pub mod settings;
