//! The package in a real systemd. `life`: installed, seen, reloaded, hung, upgraded with its data, kept
//! from going back, removed and purged. `features`: all that the program does, under the hardening that
//! the unit asks for. The package is built from this very tree.

mod features;
#[path = "../harness/mod.rs"]
mod harness;
mod life;
mod machine;

use harness::{have, printed};
use machine::{PACKAGES, done};
use std::path::Path;
use std::process::Command;

#[test]
fn the_package_has_no_errors_and_its_manual_can_be_read() {
    if std::env::var_os("SHOPGUIDE_WITHOUT_SYSTEMD").is_some()
        || !["lintian", "man", "cargo-deb", "bash"].into_iter().all(have)
    {
        return;
    }
    let (package, _) = &*PACKAGES;
    done(
        "lintian",
        Command::new("lintian").args(["--fail-on", "error", "--allow-root"]).arg(package).output().unwrap(),
    );
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/package");
    for (page, word) in
        [("shopguide", "doctor"), ("shopguide-restore", "--master-key"), ("shopguide-run", "--log")]
    {
        let text = done(
            page,
            Command::new("man")
                .env("MANWIDTH", "100")
                .arg("-l")
                .arg(manual.join(format!("man1/{page}.1.gz")))
                .output()
                .unwrap(),
        );
        assert!(text.contains(word) && text.contains("FILES"), "{text}");
    }
    let complete = format!(
        ". {}; COMP_WORDS=(shopguide doc); COMP_CWORD=1; _shopguide shopguide doc shopguide; echo ${{COMPREPLY[*]}}",
        manual.join("completions/shopguide.bash").display()
    );
    let said = done("completions", Command::new("bash").args(["-c", &complete]).output().unwrap());
    assert_eq!(said.trim(), "doctor");
}

#[test]
fn the_units_are_valid_and_expose_little() {
    if !have("systemd-analyze") {
        return;
    }
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let here = tempfile::tempdir().unwrap();
    let exposure = |drop_in: Option<&str>| -> f32 {
        let unit = here.path().join("shopguide.service");
        std::fs::copy(units.join("shopguide.service"), &unit).unwrap();
        let folder = here.path().join("shopguide.service.d");
        let _ = std::fs::remove_dir_all(&folder);
        if let Some(name) = drop_in {
            std::fs::create_dir(&folder).unwrap();
            std::fs::copy(units.join("drop-in").join(name), folder.join(name)).unwrap();
        }
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(&unit)
            .output();
        let text = printed(&output.unwrap());
        let line = text
            .lines()
            .find(|line| line.contains("Overall exposure level"))
            .unwrap_or_else(|| panic!("{text}"));
        line.split(": ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    };
    let (usb, none, network) =
        (exposure(None), exposure(Some("no-usb-camera.conf")), exposure(Some("network-camera-only.conf")));
    eprintln!("exposure: USB camera {usb}, none {none}, network camera only {network}");
    assert!(usb <= 1.5 && none <= 1.2 && network <= 1.2, "{usb} {none} {network}");
}
