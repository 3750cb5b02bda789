//! Desired state per display, to MQTT and to pages; impressions and outcomes back.
//! What a broker gets after a reconnect is the present state, never a backlog.

mod desired;
pub mod settings;

pub use desired::{Desired, Screen};
