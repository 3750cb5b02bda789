//! With a real ffmpeg: films made by itself, and what it cannot open. Skipped where there is none.

use crate::shop::{SECRET, Shop, assert_no_secret, settings};
use shopguide::camera::CameraState;
use shopguide::camera::settings::{Source, Url};
use std::path::Path;
use std::process::Command;

/// Runs ffmpeg; false (and a line that says so) where there is none.
fn ffmpeg(args: &[&str]) -> bool {
    match Command::new("ffmpeg").args(["-nostdin", "-loglevel", "error", "-y"]).args(args).output() {
        Ok(output) => {
            assert!(output.status.success(), "ffmpeg {args:?}: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(error) => {
            eprintln!("skipped: ffmpeg cannot be run here ({error})");
            false
        }
    }
}

fn film(path: &Path, seconds: u32) -> bool {
    let input = format!("testsrc=size=320x240:rate=15:duration={seconds}");
    ffmpeg(&["-f", "lavfi", "-i", &input, "-c:v", "mpeg4", path.to_str().unwrap()])
}

#[test]
fn a_film_is_played_through_ffmpeg_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a film.mp4");
    if !film(&path, 3) {
        return;
    }
    let input = Url::new(path.to_str().unwrap());
    let source = Source::Ffmpeg { input, input_args: vec!["-re".into()] };
    let mut shop = Shop::open(&[settings("film", source)]);
    assert_eq!(shop.frame().image.dimensions(), (320, 240));
    let ended = shop.until_state("film", CameraState::Ended);
    // 45 frames; ffmpeg may add or leave out one at the ends
    assert!((43..=47).contains(&ended.counts.frames), "{ended:?}");
    assert_eq!(ended.counts.undecodable, 0);
}

#[test]
fn what_ffmpeg_cannot_open_is_shown_without_its_password() {
    if !ffmpeg(&["-version"]) {
        return;
    }
    let bad = |url: String| Source::Ffmpeg { input: Url::new(url), input_args: vec![] };
    let mut shop = Shop::open(&[
        settings("rtsp", bad(format!("rtsp://admin:{SECRET}@127.0.0.1:1/live"))),
        settings("http", bad(format!("http://admin:{SECRET}@127.0.0.1:1/x?pass={SECRET}"))),
        settings("file", bad("/nowhere/film.mp4".into())),
    ]);
    for camera in ["rtsp", "http", "file"] {
        let (health, _) = shop.until(camera, |h| h.error.is_some());
        assert_eq!(health.state, CameraState::Lost);
        assert!(health.error.as_ref().unwrap().contains("ffmpeg ended"), "{health:?}");
    }
    assert!(shop.health("file").error.unwrap().contains("No such file"));
    assert_no_secret(&shop);
}

#[test]
fn ffmpeg_is_gone_when_its_camera_is() {
    if !ffmpeg(&["-version"]) {
        return;
    }
    // a mark in the input that finds the child again
    let mark = format!("drawbox=x={}", std::process::id());
    let input_args = ["-re", "-f", "lavfi"].map(String::from).to_vec();
    let input = Url::new(format!("testsrc=size=160x120:rate=10:duration=600,{mark}:w=4:h=4"));
    let running = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|p| std::fs::read_to_string(p.path().join("cmdline")).ok());
        lines.into_iter().any(|line| line.starts_with("ffmpeg\0") && line.contains(&mark))
    };
    let mut shop = Shop::open(&[settings("film", Source::Ffmpeg { input, input_args })]);
    shop.frame();
    assert!(running());
    shop.cameras.stop();
    assert!(!running());
}
