//! `[recognition]`: when votes become an identity, and presence a visit.

use crate::ops::settings::shape::{flag, length_of_time, number, whole};
use crate::ops::settings::table::Table;
use crate::visit::settings::RecognitionSettings;
use std::time::Duration;

pub(super) fn read(table: &Table<'_, '_>) -> RecognitionSettings {
    let default = RecognitionSettings::default();
    let presence = length_of_time(Duration::from_millis(500)..=Duration::from_secs(600));
    let settings = RecognitionSettings {
        enabled: table.or("enabled", &flag(), default.enabled),
        threshold: table.optional("threshold", &number(0.0..=1.0, "a cosine")),
        margin: table.or("margin", &number(0.0..=1.0, "a difference of two cosines"), default.margin),
        votes: table.or("votes", &whole(1..=20, "votes"), default.votes),
        agreement: table.or("agreement", &number(0.5..=1.0, "a share of the votes"), default.agreement),
        leave_after: table.or("leave_after", &presence, default.leave_after),
        dwell_after: table.or("dwell_after", &presence, default.dwell_after),
    };
    table.finish();
    settings
}
