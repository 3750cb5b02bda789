//! `[[camera]]`: where frames come from. The key `source` names the kind; the keys beside it depend
//! on the kind, and one that belongs to another kind is a mistake.

use super::camera_url;
use crate::camera::settings::{CameraSettings, Source};
use crate::ops::settings::files::path;
use crate::ops::settings::finding::Finding;
use crate::ops::settings::shape::{choice, flag, length_of_time, number, texts, whole, word};
use crate::ops::settings::table::Table;
use std::path::Path;
use std::time::Duration;

/// The kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    Mjpeg,
    Snapshot,
    V4l,
    Ffmpeg,
    Browser,
    Demo,
}

const KINDS: [(&str, Kind); 7] = [
    ("folder", Kind::Folder),
    ("mjpeg", Kind::Mjpeg),
    ("snapshot", Kind::Snapshot),
    ("v4l", Kind::V4l),
    ("ffmpeg", Kind::Ffmpeg),
    ("browser", Kind::Browser),
    ("demo", Kind::Demo),
];

/// What people write for them.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("rtsp", "ffmpeg"),
    ("video", "ffmpeg"),
    ("file", "ffmpeg"),
    ("usb", "v4l"),
    ("http", "mjpeg"),
    ("jpeg", "snapshot"),
    ("kiosk", "browser"),
    ("webcam", "v4l"),
];

/// The keys that not every kind has, with the kinds that have them.
const KEYS_OF_KINDS: [(&str, &[Kind]); 12] = [
    ("path", &[Kind::Folder]),
    ("fps", &[Kind::Folder]),
    ("repeat", &[Kind::Folder]),
    ("url", &[Kind::Mjpeg, Kind::Snapshot, Kind::Ffmpeg]),
    ("user", &[Kind::Mjpeg, Kind::Snapshot, Kind::Ffmpeg]),
    ("password_file", &[Kind::Mjpeg, Kind::Snapshot, Kind::Ffmpeg]),
    ("password_credential", &[Kind::Mjpeg, Kind::Snapshot, Kind::Ffmpeg]),
    ("every", &[Kind::Snapshot]),
    ("input_args", &[Kind::Ffmpeg]),
    ("device", &[Kind::V4l]),
    ("width", &[Kind::V4l]),
    ("height", &[Kind::V4l]),
];

pub(super) fn read(table: &Table<'_, '_>) -> Option<CameraSettings> {
    let id = table.required("id", &word("the camera's name"));
    let zone = table.required("zone", &word("the zone that the camera watches"));
    let kind = table.required("source", &choice(&KINDS, &OTHER_NAMES));
    let max_fps = table.or("max_fps", &number(0.1..=60.0, "frames a second"), 10.0);
    let motion = table.or("motion", &number(0.0..=1.0, "a share of the picture"), 0.004);
    let silence = length_of_time(Duration::from_secs(1)..=Duration::from_secs(600));
    let silence = table.or("silence", &silence, Duration::from_secs(5));
    let source = kind.and_then(|kind| read_source(table, kind));
    for (key, kinds) in KEYS_OF_KINDS {
        if kind.is_none_or(|kind| kinds.contains(&kind)) {
            table.has(key);
        } else {
            let names =
                KINDS.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(name, _)| format!("{name:?}"));
            table.only_with(key, &format!("source = {}", names.collect::<Vec<_>>().join(" or ")));
        }
    }
    table.finish();
    if let Some(Source::Snapshot { every, .. }) = &source
        && *every >= silence
    {
        let finding =
            Finding::error("is not shorter than `silence`: the camera would count as lost between pictures");
        table.report("every", finding.expected("a duration shorter than `silence`, or a longer `silence`"));
    }
    Some(CameraSettings { id: id?, zone: zone?, source: source?, max_fps, motion, silence })
}

fn read_source(table: &Table<'_, '_>, kind: Kind) -> Option<Source> {
    let folder = &table.reader().folder;
    Some(match kind {
        Kind::Folder => {
            let pictures = table.required("path", &path(folder, "a folder of JPEG and PNG files"));
            let fps = table.optional("fps", &number(0.1..=60.0, "frames a second"));
            let repeat = table.or("repeat", &flag(), false);
            let pictures = pictures?;
            if !pictures.is_dir() {
                warn_of_absence(table, "path", &pictures, "folder");
            }
            Source::Folder { path: pictures, fps, repeat }
        }
        Kind::Mjpeg => Source::Mjpeg { url: camera_url::http(table)? },
        Kind::Snapshot => {
            let every = length_of_time(Duration::from_millis(50)..=Duration::from_secs(300));
            let every = table.or("every", &every, Duration::from_secs(1));
            Source::Snapshot { url: camera_url::http(table)?, every }
        }
        Kind::V4l => {
            let device = table.or("device", &path(folder, "a video device"), "/dev/video0".into());
            let width = table.or("width", &whole(160..=3840, "pixels"), 1280);
            let height = table.or("height", &whole(120..=2160, "pixels"), 720);
            if !device.exists() {
                warn_of_absence(table, "device", &device, "device");
            }
            Source::V4l { device, width, height }
        }
        Kind::Ffmpeg => {
            let input_args = table.or("input_args", &texts("arguments for ffmpeg before -i"), Vec::new());
            Source::Ffmpeg { input: camera_url::ffmpeg(table, &input_args)?, input_args }
        }
        Kind::Browser => Source::Browser,
        Kind::Demo => Source::Demo,
    })
}

/// What is absent now may be plugged in later: the camera is opened when it comes.
fn warn_of_absence(table: &Table<'_, '_>, key: &str, path: &Path, what: &str) {
    let finding = Finding::warning(format!("there is no {what} {} at present", path.display()));
    table.report(key, finding.help("the camera counts as lost until there is one"));
}
