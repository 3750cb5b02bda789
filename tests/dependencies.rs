//! What the program is built from: only the crates.io registry, only licences that a shop may
//! ship, one TLS provider, and none of the crates that were tried and refused.

use std::process::Command;

const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "MPL-2.0",
    "BSL-1.0",
    "Unlicense",
    "0BSD",
    "MIT-0",
];

/// Crates that must not come in, with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("aws-lc-rs", "one TLS provider only: ring"),
    ("openssl-sys", "one TLS provider only: ring"),
    ("native-tls", "one TLS provider only: ring"),
    ("rumqttd", "a 5-byte packet before login panics its listener; the embedded broker is mqtt5"),
];

fn packages() -> Vec<serde_json::Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let out = Command::new(cargo)
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--offline",
            "--filter-platform=x86_64-unknown-linux-gnu",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether one alternative of an SPDX expression without brackets deeper than one is allowed.
fn allowed(expression: &str) -> bool {
    let parts = expression.replace('/', " OR ").replace(['(', ')'], "");
    let one = |part: &str| LICENCES.contains(&part.trim());
    parts.split(" OR ").any(|alternative| alternative.split(" AND ").all(one))
        || parts.split(" AND ").all(|all| all.split(" OR ").any(one))
}

#[test]
fn every_dependency_comes_from_the_registry_under_a_licence_that_a_shop_may_ship() {
    let mut wrong = Vec::new();
    let packages = packages();
    assert!(packages.len() > 50, "cargo metadata lists {} packages", packages.len());
    for p in packages.iter().filter(|p| p["name"] != "shopguide") {
        let name = p["name"].as_str().unwrap();
        if p["source"] != "registry+https://github.com/rust-lang/crates.io-index" {
            wrong.push(format!("{name}: from {}", p["source"]));
        }
        match p["license"].as_str() {
            Some(licence) if allowed(licence) => {}
            licence => wrong.push(format!("{name}: licence {licence:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_that_was_refused_has_come_back() {
    for p in packages() {
        if let Some((name, why)) = REFUSED.iter().find(|(name, _)| p["name"] == *name) {
            panic!("{name} is a dependency again: {why}");
        }
    }
}

#[test]
fn the_licence_check_can_fail() {
    assert!(allowed("MIT OR GPL-3.0-only"));
    assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(!allowed("GPL-3.0-only"));
    assert!(!allowed("MIT AND GPL-3.0-only"));
}
