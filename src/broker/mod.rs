//! The embedded MQTT broker and its limits, for shops that have none of their own.

pub mod settings;
