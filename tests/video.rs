//! A film of real people through ffmpeg to its end: the camera says that it has ended, memory stays
//! flat, the child is gone, and of people who never enrolled nothing is kept.
//!
//! The film is played at four times its speed (`-readrate 4`), so its 139 s take about 35 s. It lies
//! beside the repository; without it, or without ffmpeg, this test is left out.

mod harness;

use harness::{Daemon, Shop, eventually, have, shared, within};
use std::time::{Duration, Instant};

/// Of memory, from the first fifth of the film to its end.
const GROWTH_KIB: u64 = 30 * 1024;
const FRAMES: &str = "shopguide_frames_total{camera=\"film\"}";

/// What the status says of the film's camera.
fn camera(daemon: &Daemon) -> String {
    let status = daemon.json("/api/status");
    let parts = status["parts"].as_array().unwrap();
    let camera = parts.iter().find(|p| p["kind"] == "camera").unwrap();
    camera["says"].as_str().unwrap().to_owned()
}

/// Processes whose parent is `pid`.
fn children(pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
        let Some((name, rest)) = stat.rsplit_once(')') else { continue };
        if rest.split_whitespace().nth(1) == Some(&pid.to_string()) {
            found.push(name.to_owned());
        }
    }
    found
}

#[test]
fn a_film_is_played_to_its_end_with_flat_memory() {
    if !have("ffmpeg") {
        return;
    }
    let Some(film) = shared("video/one-by-one-person-detection.mp4") else { return };
    let film = std::fs::canonicalize(film).unwrap();
    let shop = Shop::new(&format!(
        "[[camera]]\nid = \"film\"\nzone = \"door\"\nsource = \"ffmpeg\"\nurl = {:?}\n\
         input_args = [\"-readrate\", \"4\"]\nmax_fps = 60\nmotion = 0.0\n\n\
         [[display]]\nid = \"door\"\nzone = \"door\"\n",
        film.display().to_string()
    ));
    let daemon = shop.run();
    eventually("the film begins", || (daemon.metric(FRAMES) > 0.0).then_some(()));
    let (began, cpu) = (Instant::now(), daemon.cpu());
    assert!(children(daemon.child.id()).iter().any(|c| c.contains("ffmpeg")), "no ffmpeg is running");

    let fifth = Duration::from_secs(7);
    let (mut early, mut peak) = (None, 0);
    within(Duration::from_secs(180), "the film has come to its end", || {
        let rss = daemon.rss();
        if began.elapsed() >= fifth {
            early.get_or_insert(rss);
            peak = peak.max(rss);
        }
        std::thread::sleep(Duration::from_millis(200));
        (camera(&daemon) == "has come to its end").then_some(())
    });
    let took = began.elapsed();
    let (end, early) = (daemon.rss(), early.expect("the film was over within a fifth of its length"));
    let share = (daemon.cpu() - cpu).as_secs_f64() / took.as_secs_f64();
    let (frames, faces) = (daemon.metric(FRAMES), daemon.metric("shopguide_faces_total"));
    println!(
        "{:.0} s of film in {:.1} s: {frames} frames looked at ({:.1} a second), {faces} faces, {:.0} % of one core; \
         resident {} MiB after a fifth, {} MiB at the end, {} MiB at most",
        139.4,
        took.as_secs_f64(),
        frames / took.as_secs_f64(),
        100.0 * share,
        early / 1024,
        end / 1024,
        peak / 1024
    );
    assert!(frames >= 100.0, "only {frames} frames were looked at");
    assert!(faces >= 10.0, "only {faces} faces were found in a film of people");
    assert!(early > 1024, "memory could not be measured");
    assert!(end <= early + GROWTH_KIB, "memory grew from {early} to {end} KiB");
    assert!(peak <= early + 2 * GROWTH_KIB, "memory rose from {early} to {peak} KiB");
    assert_eq!(children(daemon.child.id()), Vec::<String>::new(), "the child outlived its film");
    let status = daemon.json("/api/status");
    assert_eq!(status["ready"], true, "a film's end is no failure: {status}");

    let (status, logs) = daemon.stop();
    assert!(status.success(), "{logs}");
    assert!(!logs.contains("ERROR") && !logs.contains("panic"), "{logs}");
    let database = rusqlite::Connection::open(shop.data().join("shop.sqlite")).unwrap();
    for rows in ["visits", "templates", "members", "views", "slates WHERE member IS NOT NULL"] {
        let sql = format!("SELECT count(*) FROM {rows}");
        let count: i64 = database.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 0, "{rows}: nobody in the film is a member");
    }
}
