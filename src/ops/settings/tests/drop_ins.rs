//! Drop-ins: what they replace, what they add, and where their mistakes stand.

use super::{GOOD, Settings};
use crate::ops::settings::Mistakes;
use std::fs;
use std::path::{Path, PathBuf};

/// The good configuration with drop-ins.
fn with(drop_ins: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shopguide.toml");
    fs::write(&file, GOOD).unwrap();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    for (name, text) in drop_ins {
        fs::write(folder.path().join("conf.d").join(name), text).unwrap();
    }
    (folder, file)
}

fn mistakes(file: &Path) -> Mistakes {
    Settings::check(file).expect_err("a bad configuration was accepted")
}

#[test]
fn later_files_replace_keys_and_add_entries() {
    let (_folder, file) = with(&[
        ("20-b.toml", "[store]\nname = \"Second\"\n[recognition]\nvotes = 5\n"),
        (
            "10-a.toml",
            "[store]\nname = \"First\"\ncurrency = \"CHF \"\n[[display]]\nid = \"wine-1\"\nzone = \"tea\"\n",
        ),
        (".hidden.toml", "nonsense"),
        ("note.txt", "nonsense"),
    ]);
    let (settings, warnings) = Settings::check(&file).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((settings.store.name.as_str(), settings.store.currency.as_str()), ("Second", "CHF "));
    let displays: Vec<&str> = settings.displays.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(displays, ["tea-1", "wine-1"]);
    assert_eq!(settings.cameras.len(), 1);
    assert_eq!(settings.recognition.votes, 5);
}

#[test]
fn a_mistake_is_told_with_its_own_file_and_line() {
    let (_folder, file) = with(&[
        ("10-a.toml", "[store]\nname = \"First\"\n"),
        ("20-b.toml", "# one\n[recognition]\nvotess = 5\n\n[[display]]\nid = \"tea-1\"\nzone = \"tea\"\n"),
    ]);
    let mistakes = mistakes(&file);
    let found: Vec<(bool, usize, &str)> = mistakes
        .findings()
        .iter()
        .map(|f| (f.file.ends_with("conf.d/20-b.toml"), f.line, f.key.as_str()))
        .collect();
    assert_eq!(found, [(true, 3, "recognition.votess"), (true, 6, "display[2].id")], "{mistakes}");
    let text = mistakes.to_string();
    assert!(text.contains("did you mean `votes`?") && text.contains("3 | votess = 5"), "{text}");
    assert!(text.contains("another display has the id \"tea-1\" (line 9)"), "{text}");
}

#[test]
fn a_file_that_is_not_toml_does_not_spoil_the_others() {
    let (_folder, file) = with(&[
        ("10-a.toml", "[store]\nname = \"A\nid = 1\n"),
        ("20-b.toml", "[web]\nlisten = \"nowhere\"\n"),
    ]);
    let text = mistakes(&file).to_string();
    assert!(text.contains("10-a.toml:2:"), "{text}");
    assert!(text.contains("20-b.toml:2:") && text.contains("web.listen"), "{text}");
}

#[test]
fn a_link_that_leads_nowhere_is_left_out_with_a_warning_and_one_that_cannot_be_read_is_a_mistake() {
    let (folder, file) = with(&[]);
    std::os::unix::fs::symlink("/nowhere/config.toml", folder.path().join("conf.d/50-release.toml")).unwrap();
    let (_, warnings) = Settings::check(&file).unwrap();
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(warning.to_string().contains("50-release.toml: warning: leads nowhere"), "{warning}");
    fs::create_dir(folder.path().join("conf.d/60.toml")).unwrap();
    assert!(mistakes(&file).to_string().contains("is a folder"));
}

#[test]
fn a_drop_in_can_be_tried_before_it_is_there() {
    let (folder, file) = with(&[("50-release.toml", "[recognition]\nvotes = 2\n")]);
    let new = folder.path().join("new");
    fs::write(&new, "[recognition]\nvotes = 7\n").unwrap();
    let votes = |result: Result<(Settings, _), Mistakes>| result.unwrap().0.recognition.votes;
    assert_eq!(votes(Settings::check_with(&file, "50-release.toml", &new)), 7);
    assert_eq!(votes(Settings::check(&file)), 2);
    fs::write(&new, "[recognition]\nvotes = true\n").unwrap();
    let text = Settings::check_with(&file, "50-release.toml", &new).unwrap_err().to_string();
    assert!(text.contains("conf.d/50-release.toml:2:"), "{text}");
}
