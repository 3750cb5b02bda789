//! What a shopper is told while joining by face, frame by frame, asked as the kiosk's page asks.

use super::{Scene, film};
use image::imageops::{FilterType, overlay, resize};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};

fn act(scene: &Scene, act: Value) -> Value {
    let (status, body) =
        scene.daemon.post("/kiosk/k1/do", "application/json", act.to_string().as_bytes()).unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// A frame of the kiosk's camera.
fn show(scene: &Scene, session: &str, frame: &RgbImage) -> Value {
    let path = format!("/kiosk/k1/frame?session={session}");
    let (status, body) = scene.daemon.post(&path, "image/jpeg", &film::jpeg(frame)).unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// An empty room with pictures of shoppers in it: which, how wide, and where.
fn room(shoppers: &[(usize, u32, i64)]) -> RgbImage {
    let mut room = RgbImage::from_pixel(640, 480, Rgb([126, 124, 120]));
    for (who, wide, x) in shoppers {
        let picture = resize(&film::shopper(*who)[0], *wide, *wide, FilterType::Triangle);
        overlay(&mut room, &picture, *x, i64::from(480 - wide) / 2);
    }
    room
}

#[test]
fn a_shopper_is_told_what_would_make_the_next_frame_a_good_one() {
    let scene = Scene::new("300 s");
    let begin = |scene: &Scene| {
        let session = act(scene, json!({"do": "begin"}))["session"].as_str().unwrap().to_owned();
        let agree = json!({"do": "agree", "session": session, "scope": "face", "old_enough": true});
        let answer = act(scene, agree);
        assert_eq!((&answer["is"], &answer["of"]), (&json!("joining"), &json!(3)));
        session
    };
    let session = begin(&scene);
    let mut dark = room(&[(0, 480, 80)]);
    dark.iter_mut().for_each(|v| *v /= 9);
    let blurred = image::imageops::blur(&room(&[(0, 480, 80)]), 6.0);
    for (what, frame, hint) in [
        ("nobody", room(&[]), "look-here"),
        ("two people", room(&[(0, 320, 0), (1, 320, 320)]), "alone"),
        ("far away", room(&[(0, 90, 280)]), "nearer"),
        ("in the dark", dark, "light"),
        ("moving", blurred, "still"),
        ("half outside", room(&[(0, 480, -235)]), "middle"),
        ("as it should be", room(&[(0, 480, 80)]), "good"),
    ] {
        let answer = show(&scene, &session, &frame);
        println!("{what}: {answer}");
        assert_eq!(answer["hint"], hint, "{what}");
    }

    // somebody else in between begins it anew: three frames must be of one person
    std::thread::sleep(std::time::Duration::from_millis(750));
    let answer = show(&scene, &session, &room(&[(2, 480, 80)]));
    assert_eq!((&answer["hint"], &answer["good"]), (&json!("again"), &json!(1)), "{answer}");
    assert!(scene.members().contains("no members"), "{}", scene.members());

    // too young, by their own word: nothing begins
    let session = act(&scene, json!({"do": "begin"}))["session"].as_str().unwrap().to_owned();
    let young = json!({"do": "agree", "session": session, "scope": "face", "old_enough": false});
    assert_eq!(act(&scene, young)["is"], "too-young");
    assert_eq!(show(&scene, &session, &room(&[(0, 480, 80)]))["is"], "noted", "a frame was looked at");
    assert!(scene.members().contains("no members"), "{}", scene.members());
}
