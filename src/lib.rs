//! shopguide: an offline appliance that recognises members who opted in and shows them
//! suggestions with a reason on the displays of a shop.
//!
//! The folders below are declared in the order in which data travels, from a camera's
//! frame to what a display shows. Arrows go downstream only. `visit`, `history`, `profile`,
//! `recommend` and `display` are pure: plain data and `now` in, plain data out.

pub mod clock;
pub mod id;

// the way of the data
pub mod camera;
pub mod display;
pub mod gallery;
pub mod history;
pub mod profile;
pub mod publish;
pub mod recommend;
pub mod vision;
pub mod visit;

// around the path
pub mod broker;
pub mod cli;
pub mod daemon;
pub mod demo;
pub mod doctor;
pub mod ops;
pub mod privacy;
pub mod storage;
pub mod train;
pub mod update;
pub mod web;
