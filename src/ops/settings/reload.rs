//! What a reload (SIGHUP) changes: which differences between two configurations are applied to the
//! running daemon, and which need a restart. Every field of the settings is taken apart here by
//! name, so that a new one does not compile until someone has decided on it.

use super::Settings;
use crate::broker::settings::BrokerSettings;
use crate::camera::settings::CameraSettings;
use crate::display::{DisplaySettings, StoreSettings};
use crate::publish::settings::BusSettings;
use crate::recommend::PolicySettings;
use crate::storage::settings::StorageSettings;
use crate::vision::settings::VisionSettings;
use crate::visit::settings::RecognitionSettings;
use crate::web::settings::WebSettings;
use std::fmt::{self, Debug};

/// One difference, in words: `recognition.votes: 3 -> 5`. Secrets are never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change(pub String);

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a reload does.
#[derive(Debug, Clone, PartialEq)]
pub struct ReloadPlan {
    /// What the daemon runs with after the reload: the new settings where they can be applied, the
    /// old ones where they need a restart.
    pub settings: Settings,
    /// Applied at once.
    pub applied: Vec<Change>,
    /// Kept as they were until the daemon is started again.
    pub needs_restart: Vec<Change>,
}

impl ReloadPlan {
    /// Whether the two configurations say the same.
    pub fn is_empty(&self) -> bool {
        self.applied.is_empty() && self.needs_restart.is_empty()
    }
}

/// Compares the running settings with newly read ones.
///
/// Applied: cameras, what a display shows (items, language, title, category), the cards that
/// `[vision]` names, `[recognition]`, `[policy]` with its promotions, `mqtt.personal_for`, `[log]` and `[import]`. Everything else
/// needs a restart.
pub fn reload_plan(old: &Settings, new: &Settings) -> ReloadPlan {
    let mut settings = old.clone();
    let mut applied = Changes::default();
    let mut restart = Changes::default();

    compare_cameras(&mut applied, &old.cameras, &new.cameras);
    settings.cameras = new.cameras.clone();
    compare_recognition(&mut applied, &old.recognition, &new.recognition);
    settings.recognition = new.recognition.clone();
    compare_policy(&mut applied, &old.policy, &new.policy);
    settings.policy = new.policy.clone();
    applied.compare("log.filter", &old.log, &new.log);
    settings.log = new.log.clone();
    if old.import != new.import {
        applied.note("import: the column names changed");
    }
    settings.import = new.import.clone();
    compare_displays(&mut applied, &mut restart, &mut settings.displays, &new.displays);
    compare_bus(&mut applied, &mut restart, &mut settings.bus, &new.bus);

    if old.kiosks != new.kiosks {
        restart.note("kiosk: the kiosks changed");
    }
    if old.areas != new.areas {
        restart.note("area: the map changed");
    }
    if old.labels != new.labels {
        restart.note("label: the labels changed");
    }
    restart.compare("fonts.files", &old.fonts, &new.fonts);
    compare_store(&mut restart, &old.store, &new.store);
    compare_vision(&mut applied, &mut restart, &mut settings.vision, &new.vision);
    compare_broker(&mut restart, &old.broker, &new.broker);
    compare_web(&mut restart, &old.web, &new.web);
    let StorageSettings { folder, keep_days, backup } = &old.storage;
    restart.compare("storage.folder", folder, &new.storage.folder);
    restart.compare("storage.keep_days", keep_days, &new.storage.keep_days);
    restart.compare("backup", backup, &new.storage.backup);
    ReloadPlan { settings, applied: applied.0, needs_restart: restart.0 }
}

/// Differences as they are found.
#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn note(&mut self, what: impl Into<String>) {
        self.0.push(Change(what.into()));
    }

    fn compare<T: PartialEq + Debug + ?Sized>(&mut self, key: &str, old: &T, new: &T) {
        if old != new {
            self.note(format!("{key}: {} -> {}", shown(old), shown(new)));
        }
    }

    /// For what is too long or too secret to show.
    fn compare_unseen<T: PartialEq>(&mut self, key: &str, old: &T, new: &T) {
        if old != new {
            self.note(format!("{key} changed"));
        }
    }
}

/// A value for a person to read.
fn shown<T: Debug + ?Sized>(value: &T) -> String {
    let text = format!("{value:?}");
    match text.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => inner.to_owned(),
        None if text == "None" => "not given".to_owned(),
        None => text,
    }
}

fn compare_cameras(changes: &mut Changes, old: &[CameraSettings], new: &[CameraSettings]) {
    for camera in old.iter().filter(|camera| new.iter().all(|other| other.id != camera.id)) {
        changes.note(format!("camera {}: removed", camera.id));
    }
    for camera in new {
        let CameraSettings { id, zone, source, max_fps, motion, silence } = camera;
        let Some(before) = old.iter().find(|other| other.id == *id) else {
            changes.note(format!("camera {id}: added"));
            continue;
        };
        let key = |key: &str| format!("camera {id}: {key}");
        changes.compare(&key("zone"), before.zone.as_str(), zone.as_str());
        // Two sources may differ only in what is never shown, such as a password.
        match (format!("{:?}", before.source), format!("{source:?}")) {
            (was, is) if was != is => changes.note(format!("camera {id}: source: {was} -> {is}")),
            _ => changes.compare_unseen(&key("login or options"), &before.source, source),
        }
        changes.compare(&key("max_fps"), &before.max_fps, max_fps);
        changes.compare(&key("motion"), &before.motion, motion);
        changes.compare(&key("silence"), &before.silence, silence);
    }
}

fn compare_recognition(changes: &mut Changes, old: &RecognitionSettings, new: &RecognitionSettings) {
    let RecognitionSettings { enabled, threshold, margin, votes, agreement, leave_after, dwell_after } = old;
    changes.compare("recognition.enabled", enabled, &new.enabled);
    changes.compare("recognition.threshold", threshold, &new.threshold);
    changes.compare("recognition.margin", margin, &new.margin);
    changes.compare("recognition.votes", votes, &new.votes);
    changes.compare("recognition.agreement", agreement, &new.agreement);
    changes.compare("recognition.leave_after", leave_after, &new.leave_after);
    changes.compare("recognition.dwell_after", dwell_after, &new.dwell_after);
}

fn compare_policy(changes: &mut Changes, old: &PolicySettings, new: &PolicySettings) {
    let PolicySettings {
        just_bought,
        cool_down,
        per_category,
        per_brand,
        discoveries,
        diversity,
        price_level,
        declared,
        viewed,
        view_lasts,
        explore,
        promotions,
    } = old;
    changes.compare("policy.just_bought", just_bought, &new.just_bought);
    changes.compare("policy.cool_down", cool_down, &new.cool_down);
    changes.compare("policy.per_category", per_category, &new.per_category);
    changes.compare("policy.per_brand", per_brand, &new.per_brand);
    changes.compare("policy.discoveries", discoveries, &new.discoveries);
    changes.compare("policy.diversity", diversity, &new.diversity);
    changes.compare("policy.price_level", price_level, &new.price_level);
    changes.compare("policy.declared", declared, &new.declared);
    changes.compare("policy.viewed", viewed, &new.viewed);
    changes.compare("policy.view_lasts", view_lasts, &new.view_lasts);
    changes.compare("policy.explore", explore, &new.explore);
    if *promotions != new.promotions {
        changes.note(format!("promotion: {} -> {}", promotions.len(), new.promotions.len()));
    }
}

/// `running` holds the old displays, and gets of the new ones what can be applied.
fn compare_displays(
    applied: &mut Changes,
    restart: &mut Changes,
    running: &mut [DisplaySettings],
    new: &[DisplaySettings],
) {
    for display in new.iter().filter(|display| running.iter().all(|other| other.id != display.id)) {
        restart.note(format!("display {}: added", display.id));
    }
    for before in running {
        let Some(display) = new.iter().find(|other| other.id == before.id) else {
            restart.note(format!("display {}: removed", before.id));
            continue;
        };
        let DisplaySettings { id, zone, items, layout, language, title, category } = display;
        let key = |key: &str| format!("display {id}: {key}");
        restart.compare(&key("zone"), before.zone.as_str(), zone.as_str());
        restart.compare(&key("layout"), &before.layout, layout);
        applied.compare(&key("items"), &before.items, items);
        applied.compare(&key("language"), &before.language, language);
        applied.compare(&key("title"), &before.title, title);
        applied.compare(&key("category"), &before.category, category);
        *before = DisplaySettings { zone: before.zone.clone(), layout: before.layout, ..display.clone() };
    }
}

/// `running` holds the old bus, and gets of the new one what can be applied.
fn compare_bus(
    applied: &mut Changes,
    restart: &mut Changes,
    running: &mut Option<BusSettings>,
    new: &Option<BusSettings>,
) {
    let (Some(before), Some(after)) = (running.as_mut(), new) else {
        restart.compare("mqtt.enabled", &running.is_some(), &new.is_some());
        return;
    };
    let BusSettings { host, port, tls, user, password, client_id, keep_alive, personal_for, home_assistant } =
        after;
    restart.compare("mqtt.host", &before.host, host);
    restart.compare("mqtt.port", &before.port, port);
    restart.compare_unseen("mqtt.tls", &before.tls, tls);
    restart.compare("mqtt.user", &before.user, user);
    restart.compare_unseen("mqtt: the password", &before.password, password);
    restart.compare("mqtt.client_id", &before.client_id, client_id);
    restart.compare("mqtt.keep_alive", &before.keep_alive, keep_alive);
    restart.compare("mqtt.home_assistant", &before.home_assistant, home_assistant);
    applied.compare("mqtt.personal_for", &before.personal_for, personal_for);
    before.personal_for = *personal_for;
}

fn compare_store(changes: &mut Changes, old: &StoreSettings, new: &StoreSettings) {
    let StoreSettings { id, name, currency, currency_digits, time_zone } = old;
    changes.compare("store.id", id.as_str(), new.id.as_str());
    changes.compare("store.name", name, &new.name);
    changes.compare("store.currency", currency, &new.currency);
    changes.compare("store.currency_digits", currency_digits, &new.currency_digits);
    changes.compare("store.time_zone", time_zone, &new.time_zone);
}

/// `running` holds the old settings, and gets of the new ones what can be applied: the models.
fn compare_vision(
    applied: &mut Changes,
    restart: &mut Changes,
    running: &mut VisionSettings,
    new: &VisionSettings,
) {
    let VisionSettings {
        detector,
        refiner,
        embedder,
        threads,
        min_face,
        min_quality,
        track_timeout,
        detector_threshold,
    } = new;
    applied.compare("vision.detector", &running.detector, detector);
    applied.compare("vision.refiner", &running.refiner, refiner);
    applied.compare("vision.embedder", &running.embedder, embedder);
    restart.compare("vision.threads", &running.threads, threads);
    restart.compare("vision.min_face", &running.min_face, min_face);
    restart.compare("vision.min_quality", &running.min_quality, min_quality);
    restart.compare("vision.track_timeout", &running.track_timeout, track_timeout);
    restart.compare("vision.detector_threshold", &running.detector_threshold, detector_threshold);
    running.detector.clone_from(detector);
    running.refiner.clone_from(refiner);
    running.embedder.clone_from(embedder);
}

fn compare_broker(changes: &mut Changes, old: &Option<BrokerSettings>, new: &Option<BrokerSettings>) {
    let (Some(old), Some(new)) = (old, new) else {
        changes.compare("broker.enabled", &old.is_some(), &new.is_some());
        return;
    };
    let BrokerSettings { listen, tls, websocket, users, max_clients, max_packet, max_retained } = old;
    changes.compare("broker.listen", listen, &new.listen);
    changes.compare_unseen("broker.tls", tls, &new.tls);
    changes.compare("broker.websocket", websocket, &new.websocket);
    changes.compare("broker.users", users, &new.users);
    changes.compare("broker.max_clients", max_clients, &new.max_clients);
    changes.compare("broker.max_packet", max_packet, &new.max_packet);
    changes.compare("broker.max_retained", max_retained, &new.max_retained);
}

fn compare_web(changes: &mut Changes, old: &WebSettings, new: &WebSettings) {
    let WebSettings { listen, api_token, live_view } = old;
    changes.compare("web.listen", listen, &new.listen);
    changes.compare_unseen("web: the API's token", api_token, &new.api_token);
    changes.compare("web.live_view", live_view, &new.live_view);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const BASE: &str = r#"
        [store]
        id = "harbour"
        name = "Harbour"
        [[camera]]
        id = "door"
        zone = "tea"
        source = "mjpeg"
        url = "http://a:secret1@cam/x"
        [[display]]
        id = "tea-1"
        zone = "tea"
    "#;

    fn settings(text: &str) -> Settings {
        Settings::from_str(text, Path::new("t.toml")).unwrap_or_else(|m| panic!("{m}")).0
    }

    /// The plan after `from` in the base text was replaced by `to`.
    fn plan(from: &str, to: &str) -> ReloadPlan {
        assert!(BASE.contains(from), "{from} is not in the base");
        reload_plan(&settings(BASE), &settings(&BASE.replace(from, to)))
    }

    fn words(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.0.as_str()).collect()
    }

    #[test]
    fn the_same_text_changes_nothing() {
        assert!(plan("door", "door").is_empty());
    }

    #[test]
    fn cameras_displays_texts_thresholds_and_the_log_are_applied() {
        for (from, to, said) in [
            ("id = \"door\"", "id = \"door\"\nmax_fps = 5", "camera door: max_fps: 10.0 -> 5.0"),
            (
                "http://a:secret1@cam/x",
                "http://cam/y",
                "camera door: source: mjpeg http://***@cam/x -> mjpeg http://cam/y",
            ),
            ("secret1", "secret2", "camera door: login or options changed"),
            ("id = \"tea-1\"", "id = \"tea-1\"\nitems = 5", "display tea-1: items: 3 -> 5"),
            (
                "id = \"tea-1\"",
                "id = \"tea-1\"\ntitle = \"Tea\"",
                "display tea-1: title: not given -> \"Tea\"",
            ),
            ("[store]", "[recognition]\nvotes = 5\n[store]", "recognition.votes: 3 -> 5"),
            ("[store]", "[mqtt]\npersonal_for = \"30 s\"\n[store]", "mqtt.personal_for: 20s -> 30s"),
            ("[store]", "[log]\nfilter = \"debug\"\n[store]", "log.filter: \"info\" -> \"debug\""),
        ] {
            let plan = plan(from, to);
            assert_eq!(words(&plan.applied), [said]);
            assert_eq!(words(&plan.needs_restart), [""; 0]);
            assert_eq!(plan.settings, settings(&BASE.replace(from, to)), "{said} was not taken over");
        }
    }

    #[test]
    fn what_was_built_at_the_start_needs_a_restart_and_stays() {
        for (from, to, said) in [
            ("id = \"harbour\"", "id = \"port\"", "store.id: \"harbour\" -> \"port\""),
            (
                "[store]",
                "[web]\nlisten = \"127.0.0.1:9\"\n[store]",
                "web.listen: 127.0.0.1:8080 -> 127.0.0.1:9",
            ),
            (
                "[store]",
                "[storage]\nfolder = \"/srv/s\"\n[store]",
                "storage.folder: \"/var/lib/shopguide\" -> \"/srv/s\"",
            ),
            ("[store]", "[broker]\nmax_clients = 9\n[store]", "broker.max_clients: 512 -> 9"),
            ("[store]", "[vision]\nthreads = 2\n[store]", "vision.threads: 1 -> 2"),
            ("[store]", "[[display]]\nid = \"x\"\nzone = \"tea\"\n[store]", "display x: added"),
            (
                "[store]",
                "[[area]]\nname = \"Tea\"\nx = 0\ny = 0\nwidth = 1\nheight = 1\n[store]",
                "area: the map changed",
            ),
        ] {
            let plan = plan(from, to);
            let restart = words(&plan.needs_restart);
            assert!(restart.contains(&said), "{restart:?} lacks {said}");
            assert!(plan.applied.is_empty(), "{:?}", plan.applied);
            assert_eq!(plan.settings, settings(BASE), "{said} was applied");
        }
    }

    #[test]
    fn turning_the_bus_off_needs_a_restart() {
        let plan = plan("[store]", "[mqtt]\nenabled = false\n[store]");
        assert_eq!(words(&plan.needs_restart), ["mqtt.enabled: true -> false"]);
        assert!(plan.settings.bus.is_some());
    }

    #[test]
    fn a_plan_never_shows_a_secret() {
        let plan = plan("http://a:secret1@cam/x", "http://a:secret2@other/x?pwd=secret3");
        assert!(!format!("{:?}", (&plan.applied, &plan.needs_restart)).contains("secret"));
    }
}
