//! Pictures for training the detector and the embedder on rendered shoppers: single faces of many
//! identities, scenes with several, and the truth about every one of them. The identities come
//! from a realm of their own, so none of them is in the demo's cast.

use super::backdrop;
use super::draw::{Draw, Realm, mix, noise, rough};
use super::light::{Grain, Mood};
use super::look::ShopperLook;
use super::shopper::{DrawnFace, Placement, Pose, Shopper};
use anyhow::Context;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use serde_json::{Map, Value, json};
use std::path::Path;

const PER_IDENTITY: u64 = 12;
const SIDE: u32 = 220;

/// Writes pictures of `count` identities into `dir`: `<identity>/<n>.jpg` (220x220, one face, 12
/// each), `scenes/<n>.jpg` (960x540, 1 to 4 faces, `count / 2` of them) and `gt.json`, which gives
/// for each path a list of `{"bbox": [x, y, w, h], "landmarks": [[x, y]; 5], "identity": ".."}`.
///
/// # Errors
/// When a file or folder cannot be written.
pub fn export_faces(dir: &Path, count: usize, seed: u64) -> anyhow::Result<()> {
    let mut truth = Map::new();
    std::fs::create_dir_all(dir.join("scenes")).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut recent: Vec<(String, Shopper)> = Vec::new();
    let mut scenes = 0;
    for number in 0..count as u64 {
        let name = format!("s{seed}-{number:05}");
        std::fs::create_dir_all(dir.join(&name))
            .with_context(|| format!("cannot make a folder in {}", dir.display()))?;
        let look = ShopperLook::draw(Realm::Export, seed, number);
        let outfits = [Shopper::new(&look, seed, 0), Shopper::new(&look, seed, 1)];
        for n in 0..PER_IDENTITY {
            let d = &mut Draw::new(Realm::Picture, seed, number << 8 | n);
            let shopper = &outfits[usize::from(n * 2 >= PER_IDENTITY)];
            let (picture, face) = portrait(shopper, d);
            let path = format!("{name}/{n:02}.jpg");
            save(&picture, &dir.join(&path), d)?;
            truth.insert(path, Value::Array(vec![entry(&face, &name)]));
        }
        let [first, _] = outfits;
        recent.push((name, first));
        if recent.len() > 12 {
            recent.remove(0);
        }
        if number % 2 == 1 {
            let d = &mut Draw::new(Realm::Picture, seed, 1 << 40 | number);
            let (picture, faces) = crowd(&recent, d);
            let path = format!("scenes/{scenes:05}.jpg");
            scenes += 1;
            save(&picture, &dir.join(&path), d)?;
            truth.insert(path, Value::Array(faces));
        }
    }
    let text = serde_json::to_vec(&Value::Object(truth)).context("cannot write the truth as JSON")?;
    std::fs::write(dir.join("gt.json"), text)
        .with_context(|| format!("cannot write {}/gt.json", dir.display()))
}

fn entry(face: &DrawnFace, name: &str) -> Value {
    let b = face.bbox;
    json!({ "bbox": [b.x, b.y, b.w, b.h], "landmarks": face.landmarks, "identity": name })
}

fn save(picture: &RgbImage, path: &Path, d: &mut Draw) -> anyhow::Result<()> {
    let file = std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let quality = 70 + d.below(26) as u8;
    JpegEncoder::new_with_quality(std::io::BufWriter::new(file), quality)
        .encode_image(picture)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A pose as seen at a kiosk, sometimes turned far.
pub(super) fn any_pose(d: &mut Draw) -> Pose {
    let far = d.chance(0.25);
    let yaw = if far { d.uniform(-55.0, 55.0) } else { d.normal(0.0, 14.0) };
    Pose {
        yaw,
        pitch: d.normal(-1.0, if far { 10.0 } else { 6.0 }),
        roll: d.normal(0.0, 5.0),
        body: 0.5 * yaw + d.normal(0.0, 8.0),
        blink: if d.chance(0.07) { d.uniform(0.3, 1.0) } else { 0.0 },
        smile: d.uniform(-0.4, 1.2),
    }
}

fn portrait(shopper: &Shopper, d: &mut Draw) -> (RgbImage, DrawnFace) {
    let mood = *d.pick(&Mood::ALL);
    let light = mood.light(d);
    let mut picture = clutter(SIDE, SIDE, mood, d);
    let head_px = d.uniform(80.0, 185.0);
    let slack = 0.5 * (SIDE as f32 - head_px) * 0.6;
    let centre = [110.0 + d.uniform(-1.0, 1.0) * (slack + 8.0), 104.0 + d.uniform(-1.0, 1.0) * slack];
    let soft = if d.chance(0.5) { d.uniform(0.0, 0.9) } else { 0.0 };
    let smear = if d.chance(0.15) { d.uniform(0.0, 5.0) } else { 0.0 };
    let face = shopper.draw(&mut picture, Placement { centre, head_px, smear, soft }, &any_pose(d), &light);
    if d.chance(0.12) {
        hide_a_corner(&mut picture, &face, d);
    }
    let sd = d.uniform(0.5, 5.0);
    let frame = d.seed();
    Grain::new(d, sd).add(&mut picture, frame);
    (picture, face)
}

fn crowd(shoppers: &[(String, Shopper)], d: &mut Draw) -> (RgbImage, Vec<Value>) {
    let mood = *d.pick(&Mood::ALL);
    let light = mood.light(d);
    let mut picture = clutter(960, 540, mood, d);
    let many = 1 + d.weighted(&[0.3, 0.35, 0.2, 0.15]);
    let first = d.below(shoppers.len());
    let mut places: Vec<(f32, f32)> = Vec::new();
    for _ in 0..many {
        let head_px = 62.0 * (200.0f32 / 62.0).powf(d.uniform(0.0, 1.0));
        let free = (0..30).find_map(|_| {
            let x = d.uniform(0.5 * head_px, 960.0 - 0.5 * head_px);
            places.iter().all(|p| (p.0 - x).abs() > 0.55 * (p.1 + head_px)).then_some(x)
        });
        places.extend(free.map(|x| (x, head_px)));
    }
    // the nearest last
    places.sort_by(|a, b| a.1.total_cmp(&b.1));
    let faces = places.iter().enumerate().filter_map(|(i, &(x, head_px))| {
        let (name, shopper) = &shoppers[(first + i) % shoppers.len()];
        let centre = [x, d.uniform(0.65 * head_px, (540.0 - 0.8 * head_px).min(330.0))];
        let smear = if d.chance(0.2) { d.uniform(0.0, 6.0) } else { 0.0 };
        let at = Placement { centre, head_px, smear, soft: d.uniform(0.0, 0.5) };
        let face = shopper.draw(&mut picture, at, &any_pose(d), &light);
        face.visible.then(|| entry(&face, name))
    });
    let faces = faces.collect();
    let sd = d.uniform(0.5, 5.0);
    let frame = d.seed();
    Grain::new(d, sd).add(&mut picture, frame);
    (picture, faces)
}

/// Shelves, boxes and stains of colour: something that is no face.
fn clutter(width: u32, height: u32, mood: Mood, d: &mut Draw) -> RgbImage {
    if d.chance(0.5) {
        return in_the_shop(width, height, mood, d);
    }
    let grey = d.uniform(50.0, 210.0);
    let base = [0, 1, 2].map(|_| grey + d.uniform(-35.0, 35.0));
    let grain = d.seed() as u32;
    let gain = mood.on_background();
    let scale = d.uniform(20.0, 120.0);
    let tilt = d.uniform(-50.0, 50.0);
    let mut picture = RgbImage::from_fn(width, height, |x, y| {
        let (fx, fy) = (x as f32, y as f32);
        let k = 45.0 * noise(grain, fx / scale, fy / scale) + tilt * (fy / height as f32 - 0.5);
        Rgb([0, 1, 2].map(|c| ((base[c] + k) * gain[c]).clamp(0.0, 255.0) as u8))
    });
    for _ in 0..d.below(30) * (width as usize / 200).min(3) {
        let colour = [d.uniform(20.0, 235.0), d.uniform(20.0, 235.0), d.uniform(20.0, 235.0)];
        let (w, h) = (d.uniform(6.0, 70.0) as u32, d.uniform(6.0, 70.0) as u32);
        let (left, top) = (d.below(width as usize) as u32, d.below(height as usize) as u32);
        let round = d.chance(0.25);
        for y in top..(top + h).min(height) {
            for x in left..(left + w).min(width) {
                let (u, v) = ((x - left) as f32 / w as f32 - 0.5, (y - top) as f32 / h as f32 - 0.5);
                if round && u.hypot(v) > 0.5 {
                    continue;
                }
                let k = 1.0 + 0.25 * rough(grain ^ w, x as f32 / 9.0, y as f32 / 5.0) - 0.4 * u;
                picture.put_pixel(
                    x,
                    y,
                    Rgb([0, 1, 2].map(|c| (colour[c] * k * gain[c]).clamp(0.0, 255.0) as u8)),
                );
            }
        }
    }
    picture
}

/// A part of a shop's view.
fn in_the_shop(width: u32, height: u32, mood: Mood, d: &mut Draw) -> RgbImage {
    let gain = mood.on_background();
    let (w, h) = if width < 400 { (640, 360) } else { (width, height) };
    let mut view = backdrop::draw(w, h, d.seed(), 0);
    for p in view.pixels_mut() {
        p.0 = [0, 1, 2].map(|c| (f32::from(p.0[c]) * gain[c]).min(255.0) as u8);
    }
    let (left, top) = (d.below((w - width + 1) as usize), d.below((h - height + 1) as usize));
    image::imageops::crop_imm(&view, left as u32, top as u32, width, height).to_image()
}

/// Something before a part of the face: a hand, a bag, a shelf.
fn hide_a_corner(picture: &mut RgbImage, face: &DrawnFace, d: &mut Draw) {
    let b = face.bbox;
    let colour = [d.uniform(40.0, 220.0), d.uniform(40.0, 200.0), d.uniform(30.0, 190.0)];
    let right = d.chance(0.5);
    let x = if right { b.x + b.w * d.uniform(0.75, 1.0) } else { b.x + b.w * d.uniform(0.0, 0.25) };
    let y = b.y + b.h * d.uniform(0.0, 1.0);
    let (rx, ry) = (b.w * d.uniform(0.15, 0.35), b.h * d.uniform(0.15, 0.5));
    for py in 0..picture.height() {
        for px in 0..picture.width() {
            let (u, v) = ((px as f32 - x) / rx, (py as f32 - y) / ry);
            if u * u * u * u + v * v * v * v < 1.0 {
                let k = mix(1.1, 0.7, 0.5 + 0.5 * u);
                picture.put_pixel(px, py, Rgb(colour.map(|c| (c * k).clamp(0.0, 255.0) as u8)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_complete_repeatable_and_its_truth_lies_in_the_pictures() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            export_faces(&dir.path().join(name), 2, 9).unwrap();
        }
        let read = |p: &str| std::fs::read(dir.path().join(p)).unwrap();
        assert_eq!(read("a/gt.json"), read("b/gt.json"));
        assert_eq!(read("a/s9-00001/03.jpg"), read("b/s9-00001/03.jpg"));
        let truth: Map<String, Value> = serde_json::from_slice(&read("a/gt.json")).unwrap();
        assert_eq!(truth.len(), 2 * PER_IDENTITY as usize + 1);
        for (path, faces) in truth {
            let picture = crate::camera::decode::decode(&read(&format!("a/{path}"))).unwrap();
            for face in faces.as_array().unwrap() {
                let b: Vec<f64> = serde_json::from_value(face["bbox"].clone()).unwrap();
                let marks: Vec<[f64; 2]> = serde_json::from_value(face["landmarks"].clone()).unwrap();
                for m in marks {
                    assert!(
                        m[0] >= b[0] && m[0] <= b[0] + b[2] && m[1] >= b[1] && m[1] <= b[1] + b[3],
                        "{path}"
                    );
                    assert!(
                        m[0] < f64::from(picture.width()) && m[1] < f64::from(picture.height()),
                        "{path}"
                    );
                }
            }
        }
    }
}
