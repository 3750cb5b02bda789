//! The sections of the configuration, one file each: which keys there are, their shapes, ranges and
//! defaults. A section reads everything it has before it gives up, so that all mistakes are found.

mod area;
mod backup;
mod broker;
mod bus;
mod camera;
mod camera_url;
mod display;
mod import;
mod kiosk;
mod label;
mod policy;
mod recognition;
mod references;
mod store;
mod vision;
mod web;

use super::Settings;
use super::files;
use super::finding::Finding;
use super::shape::{Refusal, parsed, whole};
use super::table::Table;
use crate::storage::settings::{KEEP_DAYS, StorageSettings};

/// More cameras than one box can look at.
const MOST_CAMERAS: usize = 64;
/// More promotions at a time than anybody keeps in mind.
const MOST_PROMOTIONS: usize = 1_000;
/// More areas than anybody finds their way by.
const MOST_AREAS: usize = 500;
/// More kiosks than one box serves.
const MOST_KIOSKS: usize = 32;
/// More displays than one box serves.
const MOST_DISPLAYS: usize = 512;
/// More labels than one box serves.
const MOST_LABELS: usize = 512;

/// Reads every section; `None` only after at least one error was reported.
pub(super) fn read(root: &Table<'_, '_>) -> Option<Settings> {
    let store_section = root.section("store");
    let store = store::read(&store_section);
    let camera_entries = root.entries("camera", MOST_CAMERAS);
    let cameras: Vec<_> = camera_entries.iter().map(camera::read).collect();
    let display_entries = root.entries("display", MOST_DISPLAYS);
    let displays: Vec<_> = display_entries.iter().map(display::read).collect();
    let kiosk_entries = root.entries("kiosk", MOST_KIOSKS);
    let kiosks: Vec<_> = kiosk_entries.iter().map(kiosk::read).collect();
    let area_entries = root.entries("area", MOST_AREAS);
    let areas: Vec<_> = area_entries.iter().map(area::read).collect();
    let label_entries = root.entries("label", MOST_LABELS);
    let labels: Vec<_> = label_entries.iter().map(label::read).collect();
    let fonts = label::read_fonts(&root.section("fonts"));
    let vision = vision::read(&root.section("vision"));
    let recognition = recognition::read(&root.section("recognition"));
    let promotions = root.entries("promotion", MOST_PROMOTIONS);
    let time_zone = store.as_ref().map_or("UTC", |store| &store.time_zone);
    let policy = policy::read(&root.section("policy"), &promotions, time_zone);
    let mqtt_section = root.section("mqtt");
    let broker_section = root.section("broker");
    let broker = broker::read(&broker_section, !mqtt_section.has("host"));
    let bus = bus::read(&mqtt_section, broker.as_ref(), store.as_ref().map(|store| &store.id));
    let web_section = root.section("web");
    let web = web::read(&web_section);
    let mut storage = read_storage(&root.section("storage"));
    storage.backup = backup::read(&root.section("backup"), store.as_ref().map(|store| &store.id));
    let log = read_log(&root.section("log"));
    let import = import::read(&root.section("import"));
    root.finish();

    let watching: Vec<_> = camera_entries.iter().collect();
    let screens: Vec<_> = display_entries.iter().chain(&kiosk_entries).collect();
    references::check_names(&watching, "camera");
    references::check_names(&screens, if kiosk_entries.is_empty() { "display" } else { "display or kiosk" });
    references::check_zones(&watching, &screens);
    let cameras_read: Vec<_> = cameras.iter().flatten().collect();
    references::check_kiosks(&kiosk_entries, &kiosks, &cameras_read);
    references::check_areas(&area_entries, &areas, &watching, &screens);
    let screens: Vec<_> = displays.iter().flatten().map(|d| &d.id).collect();
    references::check_labels(&label_entries, &labels, &screens);
    references::check_addresses(&web_section, &web, &broker_section, broker.as_ref());
    Some(Settings {
        store: store?,
        cameras: cameras.into_iter().collect::<Option<_>>()?,
        displays: displays.into_iter().collect::<Option<_>>()?,
        kiosks: kiosks.into_iter().collect::<Option<_>>()?,
        areas: areas.into_iter().collect::<Option<_>>()?,
        labels: labels.into_iter().collect::<Option<_>>()?,
        fonts,
        vision,
        recognition,
        policy,
        bus: bus?,
        broker,
        web,
        storage,
        log,
        import,
    })
}

fn read_storage(table: &Table<'_, '_>) -> StorageSettings {
    let base = &table.reader().folder;
    let folder = table.or("folder", &files::path(base, "a folder"), "/var/lib/shopguide".into());
    let keep_days = table.or("keep_days", &whole(1..=36_500, "days"), KEEP_DAYS);
    if folder.exists() && !folder.is_dir() {
        let finding = Finding::error(format!("{} is not a folder", table.quote("folder")));
        table.report(
            "folder",
            finding.expected("a folder that the service may write to; it is made if absent"),
        );
    }
    table.finish();
    StorageSettings { folder, keep_days, backup: None }
}

fn read_log(table: &Table<'_, '_>) -> String {
    let expected =
        "a log filter: error, warn, info, debug or trace, or parts like \"info,shopguide::camera=debug\"";
    let filter = parsed(expected, |text| match crate::ops::log::check_filter(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(no) => Err(Refusal::because(no.problem).meant(no.meant.map(|text| format!("{text:?}")))),
    });
    let filter = table.or("filter", &filter, "info".to_owned());
    table.finish();
    filter
}
