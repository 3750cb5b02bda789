//! A believable shop of our own making: products, members with habits, and rendered shoppers who
//! walk into the frames of two cameras. Everything from a fixed seed; nobody here exists.

mod backdrop;
pub mod cast;
mod catalogue;
pub mod draw;
pub mod export;
mod habit;
mod hair;
mod head;
pub mod light;
pub mod look;
pub mod prepare;
pub mod raster;
pub mod report;
pub mod scene;
pub mod script;
pub mod shelf_display;
mod shelves;
pub mod shopper;
mod skin;
mod wear;
pub mod world;
