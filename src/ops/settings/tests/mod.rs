//! Promises about the configuration as a whole, and what the tests of single values share.

mod bad_sections;
mod bad_values;
mod drop_ins;
mod shipped;
mod syntax;

use super::finding::{Finding, Mistakes};
use super::{Settings, Warning};
use crate::camera::settings::Source;
use proptest::prelude::*;
use std::path::Path;

/// A configuration without mistakes, of ten lines: what a test appends starts on line 11.
const GOOD: &str = r#"[store]
id = "harbour"
name = "Harbour"
[[camera]]
id = "door"
zone = "tea"
source = "browser"
[[display]]
id = "tea-1"
zone = "tea"
"#;

fn read(text: &str) -> Result<(Settings, Vec<Warning>), Mistakes> {
    Settings::from_str(text, Path::new("/nowhere/shop.toml"))
}

/// The good configuration with one line (from 1) replaced.
fn with_line(line: usize, text: &str) -> String {
    GOOD.lines().enumerate().map(|(n, old)| format!("{}\n", if n + 1 == line { text } else { old })).collect()
}

/// The good configuration and more lines from line 11.
fn with_more(text: &str) -> String {
    format!("{GOOD}{text}\n")
}

fn errors(text: &str) -> Vec<Finding> {
    let mistakes = read(text).expect_err("a bad configuration was accepted");
    mistakes.errors().cloned().collect()
}

/// The only error of a bad configuration.
fn error(text: &str) -> Finding {
    let errors = errors(text);
    assert_eq!(errors.len(), 1, "{:#?}", errors.iter().map(Finding::to_string).collect::<Vec<_>>());
    errors.into_iter().next().unwrap()
}

/// The only warning of a configuration that is accepted.
fn warning(text: &str) -> Finding {
    let (_, warnings) = read(text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    warnings.into_iter().next().unwrap()
}

impl Finding {
    /// Asserts where it stands, and that each part is said.
    #[track_caller]
    fn says(&self, line: usize, key: &str, parts: &[&str]) {
        assert_eq!((self.line, self.key.as_str()), (line, key), "{self}");
        let text = self.to_string();
        for part in parts {
            assert!(text.contains(part), "{part:?} is not said in:\n{text}");
        }
    }
}

#[test]
fn a_short_configuration_takes_every_default() {
    let (settings, warnings) = read(GOOD).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(settings.store.currency, "€");
    assert_eq!(settings.cameras[0].source, Source::Browser);
    assert_eq!(settings.cameras[0].max_fps, 10.0);
    assert_eq!(settings.displays[0].items, 3);
    let bus = settings.bus.unwrap();
    assert_eq!(
        (bus.host.as_str(), bus.port, bus.client_id.as_str()),
        ("127.0.0.1", 1883, "shopguide-harbour")
    );
    assert_eq!(settings.broker.unwrap().listen.to_string(), "127.0.0.1:1883");
    assert_eq!(settings.web.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.storage.keep_days, 730);
    assert_eq!(settings.log, "info");
}

#[test]
fn the_embedded_broker_is_off_when_another_host_is_named() {
    let (settings, _) = read(&with_more("[mqtt]\nhost = \"broker.lan\"")).unwrap();
    assert_eq!(settings.broker, None);
    assert!(!settings.bus_is_embedded());
    assert_eq!(settings.bus.unwrap().port, 1883);
}

#[test]
fn the_daemon_reaches_a_broker_that_listens_everywhere_over_loopback() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users"), "a:b\n").unwrap();
    let text = with_more("[broker]\nlisten = \"0.0.0.0:1884\"\nusers = \"users\"");
    let (settings, _) = Settings::from_str(&text, &folder.path().join("shop.toml")).unwrap();
    assert!(settings.bus_is_embedded());
    let bus = settings.bus.unwrap();
    assert_eq!((bus.host.as_str(), bus.port), ("127.0.0.1", 1884));
    assert_eq!(bus.user, None);
}

#[test]
fn a_cameras_login_is_put_into_its_url_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pw"), "p@ss/word\r\n").unwrap();
    let camera = "source = \"mjpeg\"\nurl = \"http://cam:81/x\"\nuser = \"me\"\npassword_file = \"pw\"";
    let (settings, _) = Settings::from_str(&with_line(7, camera), &folder.path().join("shop.toml")).unwrap();
    let Source::Mjpeg { url } = &settings.cameras[0].source else { panic!("not mjpeg") };
    assert_eq!(url.secret(), "http://me:p%40ss%2Fword@cam:81/x");
    assert!(!format!("{settings:?}").contains("word@"));
}

#[test]
fn relative_paths_start_from_the_configurations_folder() {
    let (settings, _) = read(&with_more("[storage]\nfolder = \"data\"")).unwrap();
    assert_eq!(settings.storage.folder, Path::new("/nowhere/data"));
}

#[test]
fn many_mistakes_are_all_reported_in_the_order_of_their_lines() {
    let text = r#"[store]
id = "Harbour St"
nam = "Harbour"
[[camera]]
id = "door"
zone = "tea"
source = "webcam"
[[display]]
id = "tea-1"
zone = "tea"
items = 30
[web]
listen = 8080
[recognition]
leave_after = 4
"#;
    let found: Vec<_> = errors(text).iter().map(|finding| (finding.line, finding.key.clone())).collect();
    let expected = [
        (2, "store.id"),
        (3, "store.nam"),
        (7, "camera[1].source"),
        (11, "display[1].items"),
        (13, "web.listen"),
        (15, "recognition.leave_after"),
    ];
    assert_eq!(found, expected.map(|(line, key)| (line, key.to_owned())));
    let mistakes = read(text).unwrap_err();
    assert!(mistakes.to_string().ends_with("the configuration has 6 errors; nothing was changed"));
    assert_eq!(mistakes.to_json()["errors"].as_array().unwrap().len(), 6);
}

#[test]
fn a_finding_reads_like_this() {
    let text = with_line(7, "source = \"browser\"\nmax_fps = 400");
    let expected = "\
/nowhere/shop.toml:8:11: error: camera[1].max_fps: 400 is out of range
  |
8 | max_fps = 400
  |           ^^^
  = expected a number from 0.1 to 60 (frames a second)";
    assert_eq!(error(&text).to_string(), expected);
}

#[test]
fn no_message_repeats_a_password() {
    for text in [
        with_line(7, "source = \"mjpeg\"\nurl = \"htp://admin:hunter2@cam/x?key=hunter2\""),
        with_line(7, "source = \"mjpeg\"\nurl = \"http://admin:hunter2@cam:port/x\""),
        with_line(7, "source = \"mjpeg\"\nurl = \"http://admin:hunter2@cam/x"),
        with_line(7, "source = \"folder\"\nurl = \"http://admin:hunter2@cam/x\""),
        with_more("[mqtt]\npassword = \"hunter2\""),
        with_more("[mqtt]\npassword = \"hunter2"),
        with_more("[mqtt]\ntls = { ca = 3, password = \"hunter2\" }"),
        with_line(2, "id = { password = \"hunter2\" }"),
        with_more("[mqtt]\nhost = \"mqtt://a:hunter2@broker\""),
        with_more("[web]\napi_token = hunter2"),
    ] {
        let mistakes = read(&text).unwrap_err();
        let said = format!("{mistakes}{}{mistakes:?}", mistakes.to_json());
        assert!(!said.contains("hunter2"), "{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Err(mistakes) = read(&text) {
            let _ = mistakes.to_string();
        }
    }

    #[test]
    fn any_line_of_a_good_configuration_may_be_anything(line in 1usize..11, text in "[-a-z0-9\\[\\]{}\"'=., \\\\#_:/@]{0,40}") {
        if let Err(mistakes) = read(&with_line(line, &text)) {
            prop_assert!(mistakes.errors().count() > 0);
            let lines: Vec<_> = mistakes.findings().iter().map(|finding| finding.line).collect();
            prop_assert!(lines.is_sorted());
            let _ = (mistakes.to_string(), mistakes.to_json());
        }
    }

    #[test]
    fn any_value_of_any_key_is_read_or_refused(
        key in proptest::sample::select(vec![
            "store.time_zone", "mqtt.host", "mqtt.tls", "mqtt.port", "broker.listen", "web.listen", "vision.min_face",
            "recognition.votes", "log.filter", "storage.folder", "import.catalogue", "camera", "display",
        ]),
        value in "(\"[^\"\\\\\n]{0,12}\"|-?[0-9]{1,20}(\\.[0-9]{1,9})?|\\[1, \"x\"\\]|\\{a = 1\\}|true|nan|inf|1979-05-27)",
    ) {
        let text = format!("{key} = {value}\n{}", GOOD.replace("[store]", "").replace("id = \"harbour\"", "store.id = \"a\""));
        let _ = read(&text).map_err(|mistakes| mistakes.to_string());
    }
}
