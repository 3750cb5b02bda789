//! `shopguide demo --once` as whoever tries the program runs it: one bounded scene through the whole
//! path, whose report must say that every stage did its part, and whose store must be whole afterwards.
//!
//! The scene is played once for all tests here. Its folder stays under `target/tmp/demo` to be looked at.

mod harness;

use harness::{free_port, printed, shopguide};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::LazyLock;
use std::time::Instant;

/// What came of the scene.
struct Played {
    store: PathBuf,
    temporary: PathBuf,
    status: ExitStatus,
    report: Value,
    said: String,
}

static PLAYED: LazyLock<Played> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo");
    let _ = std::fs::remove_dir_all(&root);
    let (store, temporary) = (root.join("data"), root.join("tmp"));
    std::fs::create_dir_all(&temporary).unwrap();
    let began = Instant::now();
    let output = shopguide(["demo", "--once", "--json", "--folder"])
        .arg(&store)
        .args(["--listen", &format!("127.0.0.1:{}", free_port())])
        .args(["--mqtt", &format!("127.0.0.1:{}", free_port())])
        .env("TMPDIR", &temporary)
        .output()
        .unwrap();
    let said = printed(&output);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no report: {said}"));
    println!(
        "the demo took {:.0} s; capture to acknowledgement {}",
        began.elapsed().as_secs_f64(),
        report["latency_ms"]
    );
    Played { store, temporary, status: output.status, report, said }
});

fn number(path: &str) -> i64 {
    let found = PLAYED.report.pointer(path).and_then(Value::as_i64);
    found.unwrap_or_else(|| panic!("no number at {path}: {}", PLAYED.said))
}

#[test]
fn the_demo_ends_well_and_names_no_failure() {
    assert!(PLAYED.status.success(), "{}", PLAYED.said);
    assert_eq!(PLAYED.report["ok"], true, "{}", PLAYED.said);
    assert_eq!(PLAYED.report["failures"], Value::Array(vec![]));
}

#[test]
fn every_member_before_a_camera_is_recognised_and_shown_true_reasons() {
    let members = PLAYED.report["members"].as_array().unwrap();
    assert!(members.len() >= 4, "a scene with hardly anybody in it: {}", PLAYED.said);
    for member in members {
        for stage in ["recognised", "published", "true_reasons", "impression"] {
            assert_eq!(member[stage], true, "{stage}: {member}");
        }
        assert!(member["reason"].as_str().is_some_and(|text| !text.is_empty()), "{member}");
    }
    for zone in ["entrance", "tea"] {
        assert!(members.iter().any(|m| m["zone"] == zone), "nobody at {zone}: {}", PLAYED.said);
        assert!(number(&format!("/frames/{zone}")) > 0);
    }
    let appearances = i64::try_from(members.len()).unwrap();
    assert!(number("/impressions") >= appearances && number("/slates_published") >= appearances);
}

#[test]
fn strangers_face_the_cameras_and_none_is_taken_for_a_member() {
    assert!(number("/strangers_faced") > 0);
    assert_eq!(number("/strangers_taken_for_members"), 0, "{}", PLAYED.said);
}

#[test]
fn the_time_from_capture_to_acknowledgement_was_measured_for_every_appearance() {
    let (half, most) = (number("/latency_ms/p50"), number("/latency_ms/p95"));
    assert!(0 < half && half <= most, "p50 {half} ms, p95 {most} ms");
    let appearances = PLAYED.report["members"].as_array().unwrap().len();
    assert!(number("/latency_ms/count") >= i64::try_from(appearances).unwrap(), "{}", PLAYED.said);
}

#[test]
fn the_store_that_the_demo_leaves_is_whole() {
    assert!(PLAYED.status.success(), "{}", PLAYED.said);
    let check = shopguide(["check", "--db"]).arg(&PLAYED.store).output().unwrap();
    assert!(check.status.success(), "{}", printed(&check));
    assert!(printed(&check).contains("all is well"), "{}", printed(&check));
}

#[test]
fn the_demo_leaves_nothing_outside_its_folder() {
    assert!(PLAYED.status.success(), "{}", PLAYED.said);
    let left: Vec<_> = std::fs::read_dir(&PLAYED.temporary).unwrap().flatten().map(|f| f.path()).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}
