//! The bus against real brokers: mosquitto, run by the tests on a loopback port of its own, and the
//! embedded one. Where mosquitto is not installed its tests say so and are left out.

mod access;
mod contract;
mod gate;
mod house;
mod peers;
mod receipts;
mod restart;
