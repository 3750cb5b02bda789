//! One `[[kiosk]]` of the configuration: a screen at which a shopper joins, is recognised or shows a
//! card. It is a display of its zone besides, so whoever is recognised before it gets a slate there.

use super::{DisplaySettings, Layout};
use crate::id::{CameraId, DisplayId, ZoneId};
use crate::recommend::Language;
use std::time::Duration;

/// What the configuration says of a kiosk, already checked.
#[derive(Debug, Clone, PartialEq)]
pub struct KioskSettings {
    /// Its name, also as a display.
    pub id: DisplayId,
    /// The zone it stands in.
    pub zone: ZoneId,
    /// The camera that its own browser feeds; `None`: cards only.
    pub camera: Option<CameraId>,
    /// The language it begins with.
    pub language: Language,
    /// Products on a slate (1 to 6).
    pub items: usize,
    /// A title for its page.
    pub title: Option<String>,
    /// Nobody below this age is enrolled, by their own declaration (years).
    pub minimum_age: u8,
    /// A page that nobody touches clears itself after this long.
    pub timeout: Duration,
    /// Pause between two frames that the page posts.
    pub every: Duration,
}

impl KioskSettings {
    /// The kiosk as a display.
    pub fn display(&self) -> DisplaySettings {
        DisplaySettings {
            id: self.id.clone(),
            zone: self.zone.clone(),
            items: self.items,
            layout: Layout::Auto,
            language: self.language,
            title: self.title.clone(),
            category: None,
        }
    }
}
