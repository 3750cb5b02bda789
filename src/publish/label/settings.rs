//! What the configuration says of shelf labels, already checked.

use crate::id::DisplayId;
use std::path::PathBuf;
use std::time::Duration;

/// One `[[label]]`: a tag of electronic paper that an OpenEPaperLink access point serves.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelSettings {
    /// The display whose store-level slate it shows.
    pub display: DisplayId,
    /// Where the access point is: `http://host[:port]`.
    pub access_point: String,
    /// The tag's name at the access point: 12 or 16 hexadecimal digits, in capitals.
    pub mac: String,
    /// Pixels across, as the tag hangs.
    pub width: u32,
    /// Pixels down, as the tag hangs.
    pub height: u32,
    /// What its paper can show.
    pub colours: Colours,
    /// Least time between two pictures (default one minute, never less).
    pub every: Duration,
}

/// The colours of a tag's paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colours {
    /// Black and white.
    #[default]
    BlackWhite,
    /// And red.
    Red,
    /// And yellow.
    Yellow,
}

impl Colours {
    /// What prices are drawn in, red, green and blue.
    pub fn accent(self) -> [u8; 3] {
        match self {
            Colours::BlackWhite => [0, 0, 0],
            Colours::Red => [255, 0, 0],
            Colours::Yellow => [255, 255, 0],
        }
    }
}

/// One file of `[fonts] files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FontFile {
    /// Where it is.
    pub path: PathBuf,
    /// Which font of a collection (`.ttc`), from 0.
    pub index: u32,
}
