//! What a camera costs. Prints; asserts nothing.

use crate::shop::{Shop, begin, coded, mjpeg, picture, send, serve, settings};
use shopguide::camera::CameraState;
use shopguide::camera::settings::{CameraSettings, Source, Url};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// CPU seconds that the thread of this name has used.
fn thread_seconds(name: &str) -> f64 {
    let task = std::fs::read_dir("/proc/self/task").unwrap().flatten().find(|t| {
        std::fs::read_to_string(t.path().join("comm")).is_ok_and(|c| c.trim() == &name[..name.len().min(15)])
    });
    let stat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
    stat.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Prints the share of one core that a camera of 960x540 at 10 frames a second takes.
/// `cargo test --release --test cameras -- --ignored --nocapture cpu`
#[test]
#[ignore = "a measurement of 40 s"]
fn cpu_of_a_still_and_of_a_moving_scene() {
    let noisy = |step: u32, moving: bool| {
        let mut image =
            shopguide::camera::decode::decode(&picture(960, 540, if moving { step } else { 1 })).unwrap();
        let mut seed = u64::from(step) * 0x9E37_79B9_7F4A_7C15 + 1;
        for value in image.iter_mut() {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *value = value.saturating_add((seed >> 61) as u8);
        }
        coded(&image)
    };
    let films: Vec<Arc<Vec<Vec<u8>>>> =
        [false, true].map(|moving| Arc::new((0..40).map(|step| noisy(step, moving)).collect())).into();
    let same = Arc::new(vec![films[0][0].clone()]);
    for (name, film) in [("still", films[0].clone()), ("moving", films[1].clone()), ("frozen", same)] {
        let bytes = film[0].len();
        let port = serve(move |stream, _, _| {
            begin(stream)?;
            for frame in film.iter().cycle() {
                send(stream, frame)?;
                std::thread::sleep(Duration::from_millis(60));
            }
            Ok(())
        });
        let camera = CameraSettings { motion: 0.004, max_fps: 10.0, ..settings(name, mjpeg(port)) };
        let mut shop = Shop::open(&[camera]);
        shop.until(name, |h| h.counts.frames > 40);
        let (cpu, begin, before) =
            (thread_seconds(&format!("camera-{name}")), Instant::now(), shop.health(name).counts);
        while begin.elapsed() < Duration::from_secs(12) {
            shop.receiver.recv_timeout(Duration::from_millis(100));
        }
        let share = (thread_seconds(&format!("camera-{name}")) - cpu) / begin.elapsed().as_secs_f64();
        let after = shop.health(name).counts;
        println!(
            "{name}: {:.2}% of a core; {} frames of about {bytes} bytes, {} decoded, {} to vision",
            100.0 * share,
            after.frames - before.frames,
            after.decoded - before.decoded,
            after.delivered - before.delivered,
        );
        shop.cameras.stop();
    }
}

/// Resident memory of this process, MiB.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 4096.0 / 1048576.0
}

/// Plays the film that `FILM` names through ffmpeg at its own pace, to its end.
/// `FILM=x.mp4 cargo test --release --test cameras -- --ignored --nocapture film`
#[test]
#[ignore = "takes as long as the film"]
fn a_film_from_outside() {
    let Ok(film) = std::env::var("FILM") else { return println!("skipped: FILM names no film") };
    let source = Source::Ffmpeg { input: Url::new(film), input_args: vec!["-re".into()] };
    let mut shop = Shop::open(&[CameraSettings { motion: 0.004, max_fps: 10.0, ..settings("film", source) }]);
    shop.frame();
    let (begin, memory) = (Instant::now(), resident());
    let mut cpu = 0.0;
    let ended = loop {
        shop.receiver.recv_timeout(Duration::from_millis(100));
        let health = shop.cameras.health().remove(0);
        match health.state {
            CameraState::Ended => break health,
            CameraState::Lost => panic!("{health:?}"),
            _ => cpu = thread_seconds("camera-film"),
        }
    };
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{:?} in {seconds:.0} s: {:.2}% of a core without ffmpeg; {:.1} MiB resident at the start, {:.1} at the end; {:?}",
        ended.size,
        100.0 * cpu / seconds,
        memory,
        resident(),
        ended.counts
    );
}
