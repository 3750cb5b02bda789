//! The rules between scores and a slate, as the administrator sets them, already checked.

use jiff::Timestamp;
use std::time::Duration;

/// `[policy]` and every `[[promotion]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicySettings {
    /// Products on a receipt of the last so long are not suggested again (default 12 h).
    pub just_bought: Duration,
    /// A dismissed product is not suggested again for so long (default 30 min).
    pub cool_down: Duration,
    /// Products of one narrowest category on a slate of three or more, at most (default 1).
    pub per_category: usize,
    /// Products of one brand on a slate of three or more, at most (default 2).
    pub per_brand: usize,
    /// Places on a slate of three or more that are kept for what the member never bought (default 1).
    pub discoveries: usize,
    /// What being just like a product already chosen takes off a score (default 0.5).
    pub diversity: f32,
    /// What a price of e times what the member usually pays takes off a discovery's score (default
    /// 0.3).
    pub price_level: f32,
    /// What a declared liking adds to a score (default 0.8).
    pub declared: f32,
    /// What a dwell before its shelf during this visit adds to a product's score (default 0.4).
    pub viewed: f32,
    /// A dwell is of this visit for so long (default 2 h).
    pub view_lasts: Duration,
    /// Share of slates whose last discovery is drawn by chance from the next best (default 0.1).
    pub explore: f32,
    /// What the store wants shown more.
    pub promotions: Vec<Promotion>,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            just_bought: Duration::from_secs(12 * 3600),
            cool_down: Duration::from_secs(30 * 60),
            per_category: 1,
            per_brand: 2,
            discoveries: 1,
            diversity: 0.5,
            price_level: 0.3,
            declared: 0.8,
            viewed: 0.4,
            view_lasts: Duration::from_secs(2 * 3600),
            explore: 0.1,
            promotions: Vec::new(),
        }
    }
}

/// Products that the store wants shown more, and how much more.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    /// Which.
    pub what: Promoted,
    /// What it adds to their scores (0 to 3); never more than one promotion counts.
    pub weight: f32,
    /// From when on; `None` is always.
    pub from: Option<Timestamp>,
    /// Until when; `None` is for ever.
    pub until: Option<Timestamp>,
}

/// What a promotion is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promoted {
    /// One product.
    Sku(String),
    /// A category, at any level.
    Category(String),
    /// A brand.
    Brand(String),
}
