//! Models by others come in through their cards alone: each card in `models/references` loads the
//! network that it names, detectors find the faces of photographs, embedders tell people apart. The
//! networks are not the project's to give away; without them these tests are left out.

mod harness;

use harness::shared;
use image::RgbImage;
use shopguide::camera::decode::decode;
use shopguide::vision::align;
use shopguide::vision::card::{Card, Task};
use shopguide::vision::detect::Detector;
use shopguide::vision::embed::Embedder;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The cards of a task.
fn cards(task: Task) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/references");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of_task = |path: &PathBuf| Card::parse(&std::fs::read_to_string(path).unwrap()).unwrap().task == task;
    let mut cards: Vec<PathBuf> = paths.filter(of_task).collect();
    cards.sort();
    assert!(cards.len() >= 2);
    cards
}

/// Two photographs each of the first `count` people who have two.
fn photographs(zip: &Path, count: usize) -> Vec<[RgbImage; 2]> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(zip).unwrap()).unwrap();
    let mut people: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in archive.file_names().filter(|name| name.ends_with(".jpg")) {
        people.entry(name.split('/').next().unwrap().into()).or_default().push(name.into());
    }
    let mut read = |name: &String| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        decode(&bytes).unwrap()
    };
    let pairs = people.into_values().filter(|names| names.len() >= 2).take(count);
    pairs.map(|names| [read(&names[0]), read(&names[1])]).collect()
}

fn over_the_middle(face: &shopguide::vision::Detection, photograph: &RgbImage) -> bool {
    let (x, y) = (photograph.width() as f32 / 2.0, photograph.height() as f32 / 2.0);
    let b = &face.bbox;
    (b.x..b.x + b.w).contains(&x) && (b.y..b.y + b.h).contains(&y)
}

#[test]
fn every_detector_by_others_finds_the_faces_of_photographs() {
    let (Some(weights), Some(zip)) = (shared("models"), shared("faces/lfw-dev.zip")) else { return };
    let people = photographs(&zip, 10);
    for path in cards(Task::Detect) {
        let mut detector = Detector::open_with(&path, &weights, None).unwrap();
        let with_landmarks = detector.card().gives_landmarks();
        for photograph in people.iter().flatten() {
            let found = detector.detect(photograph).unwrap().faces;
            let face = found.iter().find(|face| over_the_middle(face, photograph));
            let face = face.unwrap_or_else(|| panic!("{} misses a face: {found:?}", path.display()));
            assert!((50.0..160.0).contains(&face.bbox.w), "{} finds {face:?}", path.display());
            // Without landmarks nothing can be aligned, and so nobody be recognised.
            assert_eq!(align::crop(photograph, &face.landmarks).is_some(), with_landmarks);
        }
    }
}

#[test]
fn every_embedder_by_others_tells_people_apart() {
    let (Some(weights), Some(zip)) = (shared("models"), shared("faces/lfw-dev.zip")) else { return };
    let yunet = cards(Task::Detect).into_iter().find(|path| path.ends_with("yunet-n-320x320.toml")).unwrap();
    let mut detector = Detector::open_with(&yunet, &weights, None).unwrap();
    let mut crop = |photograph: &RgbImage| {
        let found = detector.detect(photograph).unwrap().faces;
        let face = found.iter().find(|face| over_the_middle(face, photograph)).unwrap();
        align::crop(photograph, &face.landmarks).unwrap()
    };
    let crops: Vec<[RgbImage; 2]> = photographs(&zip, 12).iter().map(|[a, b]| [crop(a), crop(b)]).collect();
    for path in cards(Task::Embed) {
        let mut embedder = Embedder::open_with(&path, &weights).unwrap();
        let threshold = embedder.card().threshold.matching;
        let mut embed = |crop: &RgbImage| embedder.embed(crop).unwrap();
        let pairs: Vec<_> = crops.iter().map(|[a, b]| (embed(a), embed(b))).collect();
        let mut accepted = 0;
        for (i, (a, b)) in pairs.iter().enumerate() {
            accepted += usize::from(a.cosine(b) >= threshold);
            for (_, stranger) in pairs.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| p) {
                assert!(a.cosine(stranger) < threshold, "{} takes one for another", path.display());
            }
        }
        assert!(accepted >= 9, "{} accepts {accepted} of 12 pairs", path.display());
    }
}
