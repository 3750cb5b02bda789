//! Promises about `config/shopguide.toml`: it works as shipped, the defaults written in it are the
//! real ones, its examples are valid, and it mentions every key that the program knows.

use super::super::schema::{SHIPPED, uncommented};
use super::super::table::{Credentials, Known};
use super::super::{Settings, Surroundings, Warning, read};
use std::collections::BTreeMap;
use std::path::Path;

const PEM: &str = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";

/// What the shipped file says under every header of `section` (`mqtt`, `camera`, `import.receipts`)
/// and of the sections inside it.
fn text_of_section(section: &str) -> String {
    let mut inside = false;
    let mut text = String::new();
    for line in SHIPPED.lines() {
        let bare = line.trim_start_matches('#');
        if let Some(header) = bare.strip_prefix('[') {
            let name = header.trim_matches(['[', ']']);
            inside = name == section || name.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
        }
        if inside {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn read_in(folder: &Path, text: &str) -> ((Settings, Vec<Warning>), BTreeMap<String, Known>) {
    let surroundings = Surroundings {
        file: &folder.join("shopguide.toml"),
        folder: folder.to_owned(),
        credentials: Credentials::Folder(folder.to_owned()),
        is_world_readable: false,
        drop_ins: Vec::new(),
    };
    let (result, known) = read(text, surroundings);
    (result.unwrap_or_else(|mistakes| panic!("{mistakes}")), known)
}

#[test]
fn it_works_as_shipped() {
    let ((settings, warnings), _) = read_in(Path::new("/nowhere"), SHIPPED);
    assert_eq!(warnings, []);
    assert_eq!((settings.cameras.len(), settings.displays.len()), (1, 2));
}

#[test]
fn the_defaults_written_in_it_are_the_real_ones() {
    let text = uncommented(false);
    let ((written, _), _) = read_in(Path::new("/nowhere"), &text);
    let ((real, _), _) = read_in(Path::new("/nowhere"), SHIPPED);
    assert_eq!(written, real);
    // Every key that is written out as a default is set now.
    assert!(text.contains("\nmax_retained = 10000\n") && text.contains("\nmargin = 0.05\n"));
}

#[test]
fn its_examples_are_valid_and_it_mentions_every_key() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["bakery.password", "mqtt.password", "api.token", "broker.users", "wine-camera"] {
        std::fs::write(folder.path().join(file), "0123456789abcdef\n").unwrap();
    }
    for file in ["ca.pem", "client.pem", "client.key", "broker.pem", "broker.key"] {
        std::fs::write(folder.path().join(file), PEM).unwrap();
    }
    std::fs::create_dir(folder.path().join("models")).unwrap();
    for file in ["models/detector.toml", "models/refiner.toml", "models/embedder.toml"] {
        std::fs::write(folder.path().join(file), "\n").unwrap();
    }
    std::fs::write(folder.path().join("letters.ttf"), "").unwrap();
    let text = uncommented(true).replace("/etc/shopguide", &folder.path().to_string_lossy());
    let ((settings, _), known) = read_in(folder.path(), &text);
    assert_eq!(settings.cameras.len(), 6);
    assert!(settings.bus.unwrap().tls.unwrap().client.is_some());
    assert!(settings.broker.unwrap().tls.is_some());
    assert!(known.len() > 70, "only {} keys are known", known.len());
    let mentioned = |path: &str| {
        let (section, key) = path.rsplit_once('.').unwrap_or((path, ""));
        let section = section.trim_matches(['[', ']']);
        let is_section = !text_of_section(&path.replace(['[', ']'], "")).is_empty();
        is_section || text_of_section(section).contains(&format!("{key} = "))
    };
    let silent: Vec<_> = known.keys().filter(|key| !mentioned(key)).collect();
    assert!(silent.is_empty(), "config/shopguide.toml does not mention {silent:?}");
}

#[test]
fn every_example_is_valid() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("secrets")).unwrap();
        for secret in ["door-camera", "chain-broker", "api.token"] {
            std::fs::write(folder.path().join("secrets").join(secret), "0123456789abcdef\n").unwrap();
        }
        std::fs::write(folder.path().join("chain-ca.pem"), PEM).unwrap();
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let text = text.replace("/etc/shopguide", &folder.path().to_string_lossy());
        let ((settings, _), _) = read_in(folder.path(), &text);
        assert!(!settings.cameras.is_empty() && !settings.displays.is_empty());
        seen += 1;
    }
    assert_eq!(seen, 3);
}
