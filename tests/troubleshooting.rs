//! `config/TROUBLESHOOTING.md` explains everything that the program warns of: every warning and error in
//! the log, and everything that `shopguide doctor` finds, has an id, and every id its cause and its
//! remedy there; the document explains nothing that does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// States of a camera that are logged as `camera-<state>`.
const CAMERA_STATES: [&str; 4] = ["silent", "black", "garbage", "lost"];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
}

/// What stands in quotes right after `before`, for each `before` in `text`.
fn quoted_after<'t>(text: &'t str, before: &str) -> Vec<&'t str> {
    let after = text.split(before).skip(1).map(str::trim_start);
    after.filter_map(|rest| rest.strip_prefix('"')?.split('"').next()).collect()
}

/// Every id that the program gives, and where.
fn given() -> BTreeMap<String, PathBuf> {
    let mut files = Vec::new();
    sources(&here("src"), &mut files);
    let mut ids = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for level in ["tracing::warn!(", "tracing::error!("] {
            for call in text.split(level).skip(1).map(str::trim_start) {
                if call.starts_with("id = %format_args!(\"camera-{state_name}\")") {
                    ids.extend(CAMERA_STATES.map(|state| (format!("camera-{state}"), file.clone())));
                    continue;
                }
                let id = call.strip_prefix("id = \"").and_then(|rest| rest.split('"').next());
                let line = call.lines().next().unwrap_or_default();
                let id = id.unwrap_or_else(|| panic!("{}: {level}{line} has no id", file.display()));
                ids.insert(id.to_owned(), file.clone());
            }
        }
        if file.starts_with(here("src/doctor")) {
            let constructors = ["Finding::failed(", "Finding::warning(", "Finding::note("];
            let direct = constructors.iter().flat_map(|before| quoted_after(text, before));
            ids.extend(direct.map(|id| (id.to_owned(), file.clone())));
            // Ids that are chosen first: `=> "camera-black",` and `("broker-off", "..."`.
            let words = text.split('"').skip(1).step_by(2);
            let is_id = |word: &&str| {
                word.contains('-')
                    && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                    && !word.starts_with('-')
            };
            ids.extend(words.filter(is_id).map(|id| (id.to_owned(), file.clone())));
        }
    }
    ids
}

/// The explained ids, each with its text.
fn explained() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(here("config/TROUBLESHOOTING.md")).unwrap();
    let parts = text.split("\n### ").skip(1);
    let entries = parts.flat_map(|part| {
        let (heading, rest) = part.split_once('\n').unwrap();
        heading
            .split(", ")
            .map(|id| (id.trim().trim_matches('`').to_owned(), rest.to_owned()))
            .collect::<Vec<_>>()
    });
    entries.collect()
}

#[test]
fn every_warning_has_an_id_that_is_explained_with_cause_and_remedy() {
    let explained = explained();
    let missing: Vec<_> = given().into_iter().filter(|(id, _)| !explained.contains_key(id)).collect();
    assert!(missing.is_empty(), "not explained: {missing:#?}");
    for (id, text) in &explained {
        assert!(text.contains("Cause:") && text.contains("Remedy:"), "{id} lacks its cause or remedy");
    }
}

#[test]
fn nothing_is_explained_that_does_not_exist() {
    let given: BTreeSet<String> = given().into_keys().collect();
    let idle: Vec<String> = explained().into_keys().filter(|id| !given.contains(id)).collect();
    assert!(idle.is_empty(), "explained, but nowhere given: {idle:?}");
}
