//! Cameras as an administrator meets them: real HTTP servers, a real ffmpeg, real folders, and
//! everything that goes wrong with them. Only the deadlines here are about time, and they are
//! generous; a slow machine makes these tests slow, not red.

mod cost;
mod ffmpeg;
mod shop;

use image::{Rgb, RgbImage};
use shop::{
    DEADLINE, SECRET, Shop, assert_no_secret, begin, coded, id, logged, mjpeg, picture, send, serve, settings,
};
use shopguide::camera::settings::{CameraSettings, Source, Url};
use shopguide::camera::{CameraState, Cameras, Mailbox, PostError, Received, StartError};
use shopguide::clock::Clock;
use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

#[test]
fn a_camera_that_goes_silent_bad_and_black_is_noticed_each_time_and_comes_back() {
    // connection 0: good, then silent; 1: good, then garbage; 2: good, then black
    let port = serve(|stream, request, number| {
        assert!(request.contains("authorization: Basic YWRtaW46aHVzaC1odXNo"), "{request}");
        begin(stream)?;
        for step in 0..16 {
            send(stream, &picture(320, 240, step))?;
        }
        match number {
            0 => {
                std::thread::sleep(DEADLINE);
                Ok(())
            }
            1 => loop {
                send(stream, b"<html>camera is busy</html>")?;
            },
            _ => loop {
                send(stream, &coded(&RgbImage::from_pixel(320, 240, Rgb([2, 2, 2]))))?;
            },
        }
    });
    let mut shop = Shop::open(&[settings("door", mjpeg(port))]);
    let frame = shop.frame();
    assert_eq!(
        (frame.camera.as_str(), frame.zone.as_str(), frame.image.dimensions()),
        ("door", "tea", (320, 240))
    );

    shop.until_state("door", CameraState::Live);
    let silent = shop.until_state("door", CameraState::Silent);
    assert!(silent.advice.unwrap().contains("network"), "{silent:?}");
    shop.until_state("door", CameraState::Live);
    let garbage = shop.until_state("door", CameraState::Garbage);
    assert!(garbage.error.unwrap().contains("web page"));
    shop.until_state("door", CameraState::Live);
    shop.until_state("door", CameraState::Black);
    assert_no_secret(&shop);
    shop.cameras.stop();
}

#[test]
fn a_server_that_closes_and_refuses_is_opened_again() {
    let port = serve(|stream, _, number| {
        if number == 1 {
            return stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        }
        begin(stream)?;
        for step in 0.. {
            send(stream, &picture(320, 240, step))?;
            if step > 15 && number == 0 {
                break;
            }
        }
        Ok(())
    });
    let mut shop = Shop::open(&[settings("door", mjpeg(port))]);
    shop.until_state("door", CameraState::Live);
    let lost = shop.until_state("door", CameraState::Lost);
    assert!(lost.error.unwrap().contains("ended its stream"));
    let (refused, _) = shop.until("door", |h| h.error.as_ref().is_some_and(|e| e.contains("503")));
    assert!(refused.retry_in.is_some());
    let live = shop.until_state("door", CameraState::Live);
    assert_eq!((live.error, live.counts.reopened), (None, 1));
    assert_no_secret(&shop);
    shop.cameras.stop();
}

#[test]
fn silence_is_noticed_in_time_and_others_go_on() {
    let silent = serve(|stream, _, _| {
        begin(stream)?;
        send(stream, &picture(320, 240, 0))?;
        // a trickle of bytes is no frame
        loop {
            stream.write_all(b"-")?;
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let good = serve(|stream, _, _| {
        begin(stream)?;
        for step in 0.. {
            send(stream, &picture(320, 240, step))?;
        }
        Ok(())
    });
    let never = serve(|_, _, _| {
        std::thread::sleep(DEADLINE);
        Ok(())
    });
    let mut shop = Shop::open(&[
        settings("silent", mjpeg(silent)),
        settings("good", mjpeg(good)),
        settings("never", mjpeg(never)),
        settings("nobody", mjpeg(1)),
    ]);
    shop.until_state("good", CameraState::Live);
    shop.until_state("nobody", CameraState::Lost);
    shop.until_state("silent", CameraState::Silent);
    shop.until_state("never", CameraState::Silent);
    let before = shop.health("good").counts.frames;
    shop.until("good", |h| h.counts.frames > before + 10);
    shop.until_state("good", CameraState::Live);
    assert_no_secret(&shop);

    // threads that sleep in a read, in a backoff and in a connection are back soon
    let begin = Instant::now();
    shop.cameras.stop();
    assert!(begin.elapsed() < Duration::from_secs(5), "stopping took {:?}", begin.elapsed());
    assert!(matches!(shop.receiver.recv_timeout(DEADLINE), Received::Closed));
    assert!(shop.cameras.health().is_empty());
}

#[test]
fn what_is_not_mjpeg_is_named() {
    let port = serve(|stream, request, _| {
        let (kind, status) = match request.split_whitespace().nth(1) {
            Some("/moved") => ("text/plain", "302 Found\r\nLocation: http://192.0.2.1/x?key=hush-hush"),
            Some("/snap") => ("image/jpeg", "200 OK"),
            Some("/page") => ("text/html", "200 OK"),
            _ => ("text/plain", "401 Unauthorized"),
        };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: 2\r\n\r\nno")
    });
    let source =
        |path: &str| Source::Mjpeg { url: Url::new(format!("http://u:{SECRET}@127.0.0.1:{port}/{path}")) };
    let mut shop = Shop::open(&[
        settings("snap", source("snap")),
        settings("page", source("page")),
        settings("locked", source("x")),
        settings("moved", source("moved")),
    ]);
    for (camera, words) in [
        ("snap", "use the snapshot source"),
        ("page", "it is a web page"),
        ("locked", "check user and password"),
        ("moved", "redirects to http://192.0.2.1/x"),
    ] {
        let (health, _) = shop.until(camera, |h| h.error.is_some());
        assert!(health.error.as_ref().unwrap().contains(words), "{health:?}");
    }
    assert_no_secret(&shop);
}

#[test]
fn snapshots_come_at_their_interval_and_too_large_ones_are_refused() {
    let port = serve(|stream, request, number| {
        assert!(request.starts_with("GET /snap.jpg HTTP/1.1"), "{request}");
        let body = picture(320, 240, number);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
        stream.write_all(&body)
    });
    let large = serve(|stream, _, _| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")?;
        loop {
            stream.write_all(&[b'x'; 65536])?;
        }
    });
    let every = Duration::from_millis(100);
    let snapshot =
        |port: u16| Source::Snapshot { url: Url::new(format!("http://127.0.0.1:{port}/snap.jpg")), every };
    let mut shop = Shop::open(&[settings("door", snapshot(port)), settings("large", snapshot(large))]);
    let first = shop.frame();
    let fifth = loop {
        let frame = shop.frame();
        if frame.sequence >= first.sequence + 5 {
            break frame;
        }
    };
    let taken = fifth.captured.since(first.captured);
    assert!(taken >= Duration::from_millis(300), "six frames 100 ms apart came in {taken:?}");
    let lost = shop.until_state("large", CameraState::Lost);
    assert!(lost.error.unwrap().contains("larger than request limit"));
}

#[test]
fn a_folder_skips_its_bad_files_and_comes_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    for n in 0..10 {
        write(&format!("frame-{n}.jpg"), &picture(320, 240, n));
    }
    write("frame-3b.jpg", b"not a picture");
    write("frame-5b.jpg", &picture(320, 240, 5)[..500]);
    write("frame-7b.png", b"");
    write("notes.txt", b"left out");
    let folder = |repeat| Source::Folder { path: dir.path().to_owned(), fps: Some(20.0), repeat };
    let unlimited = |name, repeat| CameraSettings { max_fps: 1000.0, ..settings(name, folder(repeat)) };
    let mut shop = Shop::open(&[unlimited("once", false), unlimited("again", true)]);
    let ended = shop.until_state("once", CameraState::Ended);
    assert_eq!((ended.counts.frames, ended.counts.decoded, ended.counts.undecodable), (13, 10, 3));
    assert_eq!((ended.error, ended.retry_in), (None, None));
    let (again, _) = shop.until("again", |h| h.counts.frames > 40);
    assert_eq!(again.state, CameraState::Live);
    // once for each of the two cameras, however often the second came by
    let text = logged();
    assert_eq!(text.lines().filter(|l| l.contains("frame-5b.jpg") && l.contains("cut off")).count(), 2);
}

#[test]
fn a_browser_posts_frames_and_hears_what_is_wrong_with_them() {
    let mut slow = settings("kiosk", Source::Browser);
    slow.silence = Duration::from_millis(500);
    let mut shop = Shop::open(&[slow, settings("door", mjpeg(1))]);
    shop.until_state("kiosk", CameraState::Silent);
    shop.cameras.post(&id("kiosk"), picture(320, 240, 1)).unwrap();
    assert_eq!(shop.frame().camera, id("kiosk"));
    assert_eq!(
        shop.cameras.post(&id("nobody"), picture(64, 64, 1)),
        Err(PostError::NoSuchCamera(id("nobody")))
    );
    assert_eq!(shop.cameras.post(&id("door"), picture(64, 64, 1)), Err(PostError::NotABrowser(id("door"))));
    let error = shop.cameras.post(&id("kiosk"), b"{\"image\":1}".to_vec()).unwrap_err();
    assert!(error.to_string().contains("text"), "{error}");
    // a page that is closed and opened again is live at once, without waiting for a retry
    shop.until_state("kiosk", CameraState::Silent);
    shop.cameras.post(&id("kiosk"), picture(320, 240, 2)).unwrap();
    shop.frame();
    assert_eq!(shop.health("kiosk").counts.reopened, 0);
}

#[test]
fn the_demo_renders_until_its_scene_is_over() {
    let mailbox = Mailbox::new();
    let mut step = 0;
    let feed: shopguide::camera::DemoFeed = Box::new(move || {
        step += 1;
        (step <= 12).then(|| picture(320, 240, step))
    });
    let one = [settings("stage", Source::Demo)];
    let without = Cameras::start(&one, Clock::system(), mailbox.clone(), HashMap::new());
    assert!(matches!(without, Err(StartError::NoFeed(_))));
    let receiver = mailbox.receiver();
    let feeds = HashMap::from([(id("stage"), feed)]);
    let mut shop = Shop { cameras: Cameras::start(&one, Clock::system(), mailbox, feeds).unwrap(), receiver };
    let ended = shop.until_state("stage", CameraState::Ended);
    assert_eq!((ended.counts.frames, ended.counts.decoded + ended.counts.limited), (12, 12));
}

#[test]
fn a_reload_touches_only_the_cameras_that_changed() {
    let port = serve(|stream, _, _| {
        begin(stream)?;
        for step in 0.. {
            send(stream, &picture(320, 240, step))?;
        }
        Ok(())
    });
    let mut all = [settings("a", mjpeg(port)), settings("b", mjpeg(port)), settings("c", mjpeg(port))];
    let mut shop = Shop::open(&all);
    for camera in ["a", "b", "c"] {
        shop.until(camera, |h| h.counts.frames > 5);
    }
    let before = shop.health("a").counts.frames;
    all[1].max_fps = 3.0;
    all[2].id = id("d");
    assert_eq!(shop.cameras.replace(&all).unwrap(), [id("b"), id("c"), id("d")]);
    assert!(shop.health("a").counts.frames >= before);
    shop.until_state("d", CameraState::Live);
    assert_eq!(shop.cameras.health().len(), 3);
    let twice = [all[0].clone(), all[0].clone()];
    assert!(matches!(shop.cameras.replace(&twice), Err(StartError::Twice(_))));
    assert_eq!(shop.cameras.health().len(), 3, "a bad reload changed something");
}

#[test]
fn a_still_scene_costs_few_frames_and_a_moving_one_all() {
    let still = serve(|stream, _, _| {
        begin(stream)?;
        loop {
            send(stream, &picture(320, 240, 1))?;
        }
    });
    let moving = serve(|stream, _, _| {
        begin(stream)?;
        for step in 0.. {
            send(stream, &picture(320, 240, step))?;
        }
        Ok(())
    });
    let gated = |name, port| CameraSettings { motion: 0.004, ..settings(name, mjpeg(port)) };
    let mut shop = Shop::open(&[gated("still", still), gated("moving", moving)]);
    let (quiet, _) = shop.until("still", |h| h.counts.frames > 150);
    let (busy, _) = shop.until("moving", |h| h.counts.frames > 150);
    assert!(quiet.counts.gated > 40, "{quiet:?}");
    assert!(
        quiet.counts.decoded <= quiet.counts.delivered + 1,
        "the same bytes were decoded for nothing: {quiet:?}"
    );
    assert_eq!(busy.counts.gated, 0, "{busy:?}");

    // someone stands still there: as long as vision says so, it gets every frame
    let (attention, before, start) =
        (shop.cameras.attention(), shop.health("still").counts, shop.frame().captured);
    let (watched, _) = shop.until("still", |health| {
        let mut now = start;
        now.mono += Duration::from_secs(3600);
        attention.face_seen(&id("still"), now);
        health.counts.frames > before.frames + 60
    });
    let gained = watched.counts.delivered - before.delivered;
    assert!(gained > 40, "only {gained} of 60 frames reached vision");
}
