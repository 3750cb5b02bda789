//! Desired state per display, to MQTT and to pages; impressions and outcomes back.
//! What a broker gets after a reconnect is the present state, never a backlog.
//!
//! `desired` says what each display should show, `presenter` what a display must be told so that it
//! does, `wire` how that reads on the wire, `bus` carries it over MQTT, `home_assistant` tells a house's
//! automation of it, `label` draws it for shelf labels, and `intake` hands on what displays, tills and
//! the back office send. Nothing here ever makes the rest of the daemon wait.

mod bus;
mod connection;
mod desired;
mod health;
mod home_assistant;
mod inbox;
mod intake;
pub mod label;
mod presenter;
mod probe;
pub mod settings;
pub mod wire;

pub use bus::{Bus, BusError};
pub use desired::{Desired, Screen};
pub use health::BusHealth;
pub use intake::{Delivery, Incoming, Intake, Verdict};
pub use probe::probe;
