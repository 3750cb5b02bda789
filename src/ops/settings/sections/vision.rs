//! `[vision]`: models and thresholds from a frame to an embedded face.

use crate::ops::settings::files::readable_file;
use crate::ops::settings::shape::{length_of_time, number, whole};
use crate::ops::settings::table::Table;
use crate::vision::settings::VisionSettings;
use std::time::Duration;

pub(super) fn read(table: &Table<'_, '_>) -> VisionSettings {
    let default = VisionSettings::default();
    let folder = &table.reader().folder;
    let card = readable_file(folder, "a model's card");
    let share = number(0.0..=1.0, "a score");
    let timeout = length_of_time(Duration::from_millis(100)..=Duration::from_secs(30));
    let settings = VisionSettings {
        detector: table.optional("detector", &card),
        refiner: table.optional("refiner", &card),
        embedder: table.optional("embedder", &card),
        threads: table.or("threads", &whole(1..=2, "threads"), default.threads),
        min_face: table.or(
            "min_face",
            &number(16.0..=1024.0, "the width of a face in pixels"),
            default.min_face,
        ),
        min_quality: table.or("min_quality", &share, default.min_quality),
        track_timeout: table.or("track_timeout", &timeout, default.track_timeout),
        detector_threshold: table.optional("detector_threshold", &share),
    };
    table.finish();
    settings
}
