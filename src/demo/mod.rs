//! A believable shop of our own making: products, members with habits, and rendered shoppers who
//! walk into the frames of two cameras. Everything from a fixed seed; nobody here exists.
//!
//! A [`look`] is what makes a shopper this one. `head` and `hair` give it shape, `skin` and
//! `wear` paint and clothes, [`raster`] and [`light`] a picture; [`shopper`] joins them. A
//! [`cast`] of such shoppers plays the [`script`] before two cameras, each a [`scene`].
//! `catalogue` and `habit` make what they buy; [`world`] is all of it. [`export`] writes
//! pictures of other shoppers, never of the cast, for training.

pub mod draw;

// a shopper
mod hair;
mod head;
pub mod layer;
pub mod light;
pub mod likeness;
pub mod look;
pub mod prepare;
pub mod raster;
pub mod report;
pub mod shopper;
mod skin;
mod wear;

// what the cameras see
mod backdrop;
pub mod cast;
pub mod export;
pub mod scene;
pub mod script;

// the store
mod catalogue;
mod habit;
pub mod shelf_display;
mod shelves;
pub mod world;

pub use cast::{Cast, CastId};
pub use export::export_faces;
pub use scene::{Facing, Scene, TrueFace};
pub use world::{DemoMember, World};
