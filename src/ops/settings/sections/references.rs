//! What only shows when the sections are read together: names given twice, zones that nobody
//! watches or shows, addresses that two listeners want.

use crate::broker::settings::BrokerSettings;
use crate::camera::settings::{CameraSettings, Source};
use crate::display::{Area, KioskSettings};
use crate::id::DisplayId;
use crate::ops::settings::finding::Finding;
use crate::ops::settings::nearest::nearest;
use crate::ops::settings::table::Table;
use crate::publish::label::settings::LabelSettings;
use crate::web::settings::WebSettings;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Reports every entry whose `id` an earlier entry has.
pub(super) fn check_names(entries: &[&Table<'_, '_>], what: &str) {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for entry in entries {
        let Some(id) = entry.plain_text("id") else { continue };
        match first.get(&id) {
            Some(place) => {
                let finding = Finding::error(format!("another {what} has the id \"{id}\" ({place})"));
                entry.report("id", finding.expected(format!("an id of its own for every {what}")));
            }
            None => {
                first.insert(id, entry.place_of("id"));
            }
        }
    }
}

/// Warns of zones that are watched and not shown, or shown and not watched.
pub(super) fn check_zones(cameras: &[&Table<'_, '_>], displays: &[&Table<'_, '_>]) {
    let zones = |entries: &[&Table<'_, '_>]| -> Vec<String> {
        entries.iter().filter_map(|entry| entry.plain_text("zone")).collect()
    };
    let (watched, shown) = (zones(cameras), zones(displays));
    let warn = |entries: &[&Table<'_, '_>], others: &[String], problem: &str| {
        for entry in entries {
            let Some(zone) = entry.plain_text("zone").filter(|zone| !others.contains(zone)) else { continue };
            let finding = Finding::warning(problem.replace("{}", &format!("{zone:?}"))).rests_on_whole();
            let meant = nearest(&zone, others.iter().map(String::as_str));
            entry.report(
                "zone",
                match meant {
                    Some(meant) => finding.help(format!("did you mean \"{meant}\"?")),
                    None => finding,
                },
            );
        }
    };
    warn(cameras, &shown, "no display is in zone {}: what this camera sees is shown nowhere");
    warn(displays, &watched, "no camera watches zone {}: this display never greets anybody");
}

/// Reports kiosks whose camera is not one that their own browser can feed.
pub(super) fn check_kiosks(
    entries: &[Table<'_, '_>],
    kiosks: &[Option<KioskSettings>],
    cameras: &[&CameraSettings],
) {
    for (entry, kiosk) in entries.iter().zip(kiosks) {
        let Some(kiosk) = kiosk else { continue };
        let Some(id) = &kiosk.camera else { continue };
        let problem = match cameras.iter().find(|c| c.id == *id) {
            None => format!("there is no camera \"{id}\""),
            Some(c) if c.source != Source::Browser => {
                format!("camera \"{id}\" does not have the source \"browser\"")
            }
            Some(c) if c.zone != kiosk.zone => {
                format!("camera \"{id}\" watches zone \"{}\", the kiosk stands in \"{}\"", c.zone, kiosk.zone)
            }
            Some(_) => continue,
        };
        let expected = "the id of a [[camera]] with source = \"browser\" and the kiosk's zone";
        entry.report("camera", Finding::error(problem).expected(expected).rests_on_whole());
    }
}

/// Reports areas that claim the same products, and warns of those in zones that nothing stands in.
pub(super) fn check_areas(
    entries: &[Table<'_, '_>],
    areas: &[Option<Area>],
    cameras: &[&Table<'_, '_>],
    screens: &[&Table<'_, '_>],
) {
    let zones: Vec<String> =
        cameras.iter().chain(screens).filter_map(|entry| entry.plain_text("zone")).collect();
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for (entry, area) in entries.iter().zip(areas) {
        let Some(area) = area else { continue };
        let key = if entry.has("place") { "place" } else { "name" };
        if let Some(place) = first.get(&area.place.to_lowercase()) {
            let problem = format!("another area has the place {:?} ({place})", area.place);
            entry.report(key, Finding::error(problem).expected("a place of its own for every area"));
        } else {
            first.insert(area.place.to_lowercase(), entry.place_of(key));
        }
        let Some(zone) = area.zone.as_ref().filter(|z| zones.iter().all(|known| known != z.as_str())) else {
            continue;
        };
        let problem = format!("no camera, display or kiosk is in zone \"{zone}\"");
        let finding = Finding::warning(problem).rests_on_whole();
        let meant = nearest(zone.as_str(), zones.iter().map(String::as_str));
        entry.report(
            "zone",
            match meant {
                Some(meant) => finding.help(format!("did you mean \"{meant}\"?")),
                None => finding,
            },
        );
    }
}

/// Reports labels of displays that do not exist, and tags that two labels want.
pub(super) fn check_labels(
    entries: &[Table<'_, '_>],
    labels: &[Option<LabelSettings>],
    displays: &[&DisplayId],
) {
    let mut taken: BTreeMap<&str, String> = BTreeMap::new();
    for (entry, label) in entries.iter().zip(labels) {
        let Some(label) = label else { continue };
        if !displays.contains(&&label.display) {
            let finding = Finding::error(format!("there is no display \"{}\"", label.display));
            let meant = nearest(label.display.as_str(), displays.iter().map(|d| d.as_str()));
            let finding = match meant {
                Some(meant) => finding.help(format!("did you mean \"{meant}\"?")),
                None => finding.help("give a label a [[display]] of its own with layout = \"paper\""),
            };
            entry.report("display", finding.expected("the id of a [[display]]").rests_on_whole());
        }
        if let Some(place) = taken.insert(&label.mac, entry.place_of("mac")) {
            let finding = Finding::error(format!("another label has this tag ({place})"));
            entry.report("mac", finding.expected("a tag of its own for every label"));
        }
    }
}

/// Reports listeners that want the same address and port.
pub(super) fn check_addresses(
    web_section: &Table<'_, '_>,
    web: &WebSettings,
    broker_section: &Table<'_, '_>,
    broker: Option<&BrokerSettings>,
) {
    let Some(broker) = broker else { return };
    let tls_section = broker_section.section("tls");
    let mut taken: Vec<(&Table<'_, '_>, &'static str, SocketAddr)> =
        vec![(web_section, "listen", web.listen)];
    let mut wanted = vec![(broker_section, "listen", broker.listen)];
    wanted.extend(broker.websocket.map(|address| (broker_section, "websocket", address)));
    wanted.extend(broker.tls.as_ref().map(|(address, ..)| (&tls_section, "listen", *address)));
    for (section, key, address) in wanted {
        if let Some((other, other_key, _)) = taken.iter().find(|(_, _, earlier)| clash(*earlier, address)) {
            // Placed where the administrator wrote something, if only one of the two was written.
            let (at, at_key, by) = if section.has(key) || !other.has(other_key) {
                (section, key, other.path_of(other_key))
            } else {
                (*other, *other_key, section.path_of(key))
            };
            let finding = Finding::error(format!("{address} is also what {by} listens on"));
            at.report(
                at_key,
                finding.expected("an address and port of its own for every listener").rests_on_whole(),
            );
        }
        taken.push((section, key, address));
    }
}

fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let everywhere = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && (a.ip() == b.ip() || everywhere)
}
