//! The whole way on photographs of real people, with networks made by others: what a shop would
//! see if it put in models of its own by their cards. The data is not part of the project; where
//! it is missing these tests say so and are left out.

use super::card::Card;
use super::settings::VisionSettings;
use super::*;
use crate::camera::Frame;
use crate::gallery::{Gallery, Template};
use crate::id::MemberId;
use crate::visit::settings::RecognitionSettings;
use crate::visit::{Presence, TrackState, Visits};
use image::RgbImage;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("SHOPGUIDE_DATA").map_or_else(beside, PathBuf::from);
    if folder.join("models").is_dir() && folder.join("faces/lfw-dev.zip").is_file() {
        return Some(folder);
    }
    println!("left out: no models and photographs in {} (set SHOPGUIDE_DATA)", folder.display());
    None
}

/// Copies a network and writes its card.
fn card(data: &Path, folder: &Path, file: &str, task: &str, rest: &str) -> PathBuf {
    let bytes = std::fs::read(data.join("models").join(file)).unwrap();
    std::fs::write(folder.join(file), &bytes).unwrap();
    let sha256: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    let path = folder.join(format!("{task}.toml"));
    let head = format!(
        "name = \"{task}-by-others\"\nversion = \"1\"\ntask = \"{task}\"\nfile = \"{file}\"\nsha256 = \"{sha256}\"\n"
    );
    std::fs::write(&path, head + rest).unwrap();
    path
}

fn eyes(data: &Path, folder: &Path) -> Eyes {
    let names = |s: u32| format!("\"cls_{s}\", \"obj_{s}\", \"bbox_{s}\", \"kps_{s}\"");
    let detector = card(
        data,
        folder,
        "yunet_n_320_320.onnx",
        "detect",
        &format!(
            "[input]\nname = \"input\"\nshape = [1, 3, 320, 320]\ncolour = \"bgr\"\nmean = [0.0, 0.0, 0.0]\nscale = [1.0, 1.0, 1.0]\n\
             [output]\ndecoding = \"yunet\"\nnames = [{}, {}, {}]\nstrides = [8, 16, 32]\n",
            names(8),
            names(16),
            names(32)
        ),
    );
    let embedder = card(
        data,
        folder,
        "mobilefacenet_ms1m_foamliu_112.onnx",
        "embed",
        "[input]\nname = \"input\"\nshape = [1, 3, 112, 112]\ncolour = \"rgb\"\nmean = [123.675, 116.28, 103.53]\n\
         scale = [0.0171248, 0.017507, 0.0174292]\n[output]\ndecoding = \"embedding\"\nnames = [\"emb\"]\ndimensions = 128\n\
         [align]\ntemplate = \"arcface-112\"\n[threshold]\nmatch = 0.44\n",
    );
    let settings =
        VisionSettings { detector: Some(detector), embedder: Some(embedder), ..VisionSettings::default() };
    Eyes::load(&settings).unwrap()
}

/// The first `people` with at least `each` photographs, and that many photographs of each.
fn portraits(data: &Path, people: usize, each: usize) -> Vec<Vec<RgbImage>> {
    let file = std::fs::File::open(data.join("faces/lfw-dev.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in archive.file_names().filter(|n| n.ends_with(".jpg")) {
        names.entry(name.split('/').next().unwrap().into()).or_default().push(name.into());
    }
    let mut chosen: Vec<Vec<String>> = names.into_values().filter(|n| n.len() >= each).take(people).collect();
    chosen.iter_mut().for_each(|n| n.sort());
    let mut read = |name: &String| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        crate::camera::decode::decode(&bytes).unwrap()
    };
    chosen.iter().map(|n| n[..each].iter().map(&mut read).collect()).collect()
}

#[test]
fn members_are_recognised_from_other_photographs_and_strangers_never() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut eyes = eyes(&data, folder.path());
    let people = portraits(&data, 16, 4);
    let (members, strangers) = people.split_at(8);
    let mut gallery = Gallery::new(eyes.model_id(), eyes.dimensions());
    for (id, photographs) in members.iter().enumerate() {
        for photograph in &photographs[..3] {
            // A photograph that is turned too far is refused, as it would be in the shop.
            let Ok((embedding, _)) = eyes.enrol(photograph) else { continue };
            let template = Template { member: MemberId(id as i64), model: eyes.model_id(), embedding };
            gallery.add(&template).unwrap();
        }
    }
    assert_eq!(gallery.len(), 8);

    let threshold = eyes.card_threshold().0;
    let mut visits = Visits::new(RecognitionSettings::default(), threshold);
    let mut entered = HashSet::new();
    let mut ms = 0;
    // Each walks through the frame once, beside a stranger, for two seconds.
    for (member, stranger) in members.iter().zip(strangers) {
        for step in 0..14u32 {
            ms += 150;
            let mut image = RgbImage::from_pixel(640, 480, image::Rgb([90, 100, 110]));
            image::imageops::replace(&mut image, &member[3], 20 + 6 * step as i64, 120);
            image::imageops::replace(&mut image, &stranger[3], 400 - 5 * step as i64, 150);
            let captured = Now { mono: Duration::from_millis(ms), utc: Timestamp::UNIX_EPOCH };
            let frame = Frame {
                camera: CameraId::new("door").unwrap(),
                zone: ZoneId::new("tea").unwrap(),
                sequence: ms / 150,
                captured,
                image: Arc::new(image),
            };
            let sighting = eyes.look(&frame, true);
            assert!(eyes.timings().embedded as usize <= eyes::EMBEDDED_PER_FRAME);
            let matches: Vec<_> = sighting
                .faces
                .iter()
                .filter_map(|f| Some((f.track, gallery.search(f.embedding.as_ref()?))))
                .collect();
            for change in visits.observe(&sighting, &matches, captured) {
                if let Presence::Entered { member, .. } = change {
                    entered.insert(member);
                }
            }
            for face in &sighting.faces {
                let settled = matches!(visits.who(face.track), TrackState::Member(_));
                eyes.settled().set(face.track, settled);
            }
        }
        ms += 3000;
    }
    // One photograph each: some may be turned too far, none may be another's.
    assert!(entered.len() >= 7, "{entered:?} entered");
    assert_eq!(visits.present().count(), 1, "only the last is still there");
    let blind = Frame {
        camera: CameraId::new("door").unwrap(),
        zone: ZoneId::new("tea").unwrap(),
        sequence: 1,
        captured: Now { mono: Duration::from_millis(ms), utc: Timestamp::UNIX_EPOCH },
        image: Arc::new(members[0][0].clone()),
    };
    let sighting = eyes.look(&blind, false);
    assert_eq!(sighting.faces.len(), 1);
    assert!(sighting.faces[0].embedding.is_none(), "the kill switch is on");
}

#[test]
fn a_picture_that_a_face_fills_is_enrolled_too() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut eyes = eyes(&data, folder.path());
    let people = portraits(&data, 12, 1);
    let mut taken = 0;
    for photograph in people.iter().map(|p| &p[0]) {
        // 112x112 around the face, and the same twice as large.
        let tight = image::imageops::crop_imm(photograph, 39, 39, 112, 112).to_image();
        let large = image::imageops::resize(&tight, 224, 224, image::imageops::FilterType::CatmullRom);
        let whole = eyes.enrol(photograph);
        for (e, _) in [eyes.enrol(&tight), eyes.enrol(&large)].into_iter().flatten() {
            if let Ok((whole, _)) = &whole {
                taken += 1;
                assert!(whole.cosine(&e) > 0.6, "{}", whole.cosine(&e));
            }
        }
    }
    assert!(taken >= 16, "{taken} of 24 taken");
}

#[test]
fn cards_of_other_networks_parse() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let eyes = eyes(&data, folder.path());
    assert_eq!(eyes.model_id(), "embed-by-others/1");
    assert_eq!(eyes.detector_id(), "detect-by-others/1");
    let text = std::fs::read_to_string(folder.path().join("detect.toml")).unwrap();
    assert_eq!(
        Card::parse(&text).unwrap().output_lengths()[..4],
        [Some(1600), Some(1600), Some(6400), Some(16000)]
    );
}
