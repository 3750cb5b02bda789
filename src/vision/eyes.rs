//! Eyes: one thread's way from a frame to a sighting. Detect, track per camera, judge quality,
//! and embed the few faces that are worth it: good ones, of tracks that still need it, at most
//! [`EMBEDDED_PER_FRAME`] a frame. What it remembers of a face ends with the face's track.

use super::align;
use super::card::{Card, Task};
use super::detect::Detector;
use super::embed::Embedder;
use super::network::{ModelError, Network};
use super::quality;
use super::settings::VisionSettings;
use super::track::Tracker;
use super::{Embedding, Sighting, TrackId, TrackedFace};
use crate::camera::Frame;
use crate::clock::Now;
use crate::id::CameraId;
use image::RgbImage;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Most faces embedded in one frame.
pub const EMBEDDED_PER_FRAME: usize = 2;
/// Most faces whose crop is judged in one frame, largest first.
const JUDGED_PER_FRAME: usize = 8;
/// Pause between embeddings of an undecided track.
const UNDECIDED_PAUSE: Duration = Duration::from_millis(120);
/// Embeddings after which an undecided track is looked at less often.
const PATIENCE: u32 = 20;
/// Pause then: a stranger who stays costs little.
const STRANGER_PAUSE: Duration = Duration::from_millis(600);
/// Pause between embeddings of a settled track.
const SETTLED_PAUSE: Duration = Duration::from_secs(1);
/// Share of the matching threshold below which two embeddings of one track are two people.
const PARTED: f32 = 0.25;

/// How long each stage took for one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Scaling and laying out the detector's input.
    pub prepare: Duration,
    /// The detector.
    pub detect: Duration,
    /// The refiner.
    pub refine: Duration,
    /// Tracking, alignment and quality.
    pub judge: Duration,
    /// The embedder, all faces together.
    pub embed: Duration,
    /// Faces embedded.
    pub embedded: u32,
}

/// Tells vision which tracks are decided and need fewer embeddings. Clones share the same list,
/// so the thread that decides can keep one.
#[derive(Debug, Clone, Default)]
pub struct Settled(Arc<Mutex<HashSet<TrackId>>>);

impl Settled {
    fn lock(&self) -> MutexGuard<'_, HashSet<TrackId>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Says whether the track's identity is decided. Tracks leave the list when they end.
    pub fn set(&self, track: TrackId, settled: bool) {
        let mut list = self.lock();
        if settled {
            list.insert(track);
        } else {
            list.remove(&track);
        }
    }
}

/// What is known of a track while it lives.
#[derive(Debug, Default)]
struct Attention {
    embedded: u32,
    last: Option<Now>,
    face: Option<Embedding>,
}

/// What is remembered of one camera's faces, each as long as its track.
struct Watched {
    tracker: Tracker,
    attention: HashMap<TrackId, Attention>,
}

impl Watched {
    fn new(timeout: Duration) -> Self {
        Self { tracker: Tracker::new(timeout), attention: HashMap::new() }
    }
}

/// Every camera's memory, shared by the eyes of all threads. Eyes take a camera's out while they look
/// at its frame; the mailbox gives a camera to one thread at a time.
type Memory = Arc<Mutex<HashMap<CameraId, Watched>>>;

/// The cards of the networks that eyes look with. A card names its network by hash, so eyes with the same
/// cards see the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Cards {
    /// The detector's.
    pub detector: Card,
    /// The refiner's, if there is one.
    pub refiner: Option<Card>,
    /// The embedder's.
    pub embedder: Card,
}

impl Cards {
    /// Those of [`Eyes::load`] with these settings, without loading a network.
    pub fn of(settings: &VisionSettings) -> Result<Cards, ModelError> {
        let refiner = || Network::card(settings.refiner.as_deref(), Task::Refine);
        Ok(Cards {
            detector: Network::card(settings.detector.as_deref(), Task::Detect)?,
            refiner: settings.refines().then(refiner).transpose()?,
            embedder: Network::card(settings.embedder.as_deref(), Task::Embed)?,
        })
    }

    /// All of them, in the order of the networks' work.
    pub fn all(&self) -> impl Iterator<Item = &Card> {
        [Some(&self.detector), self.refiner.as_ref(), Some(&self.embedder)].into_iter().flatten()
    }
}

/// Detector, embedder and trackers.
pub struct Eyes {
    pub(super) detector: Detector,
    pub(super) embedder: Embedder,
    pub(super) settings: VisionSettings,
    memory: Memory,
    settled: Settled,
    timings: Timings,
}

impl Eyes {
    /// Loads the models that the settings name, or those inside the program.
    pub fn load(settings: &VisionSettings) -> Result<Eyes, ModelError> {
        let detector = Detector::of_settings(settings)?;
        let embedder = Embedder::open(settings.embedder.as_deref())?;
        Ok(Eyes {
            detector,
            embedder,
            settings: settings.clone(),
            memory: Memory::default(),
            settled: Settled::default(),
            timings: Timings::default(),
        })
    }

    /// Eyes for another thread: the same weights, the same tracks. No two may look at frames of one
    /// camera at the same time, which the cameras' mailbox sees to.
    pub fn another(&self) -> Eyes {
        Eyes {
            detector: self.detector.clone(),
            embedder: self.embedder.clone(),
            settings: self.settings.clone(),
            memory: self.memory.clone(),
            settled: self.settled.clone(),
            timings: Timings::default(),
        }
    }

    /// Takes over the models of `other` and keeps the tracks. Vectors of another embedder are
    /// forgotten: comparing them would be nonsense.
    pub fn adopt(&mut self, other: &Eyes) {
        if self.model_id() != other.model_id() {
            for attention in self.remembered().values_mut().flat_map(|w| w.attention.values_mut()) {
                attention.face = None;
            }
        }
        self.detector = other.detector.clone();
        self.embedder = other.embedder.clone();
    }

    /// The networks' cards.
    pub fn cards(&self) -> Cards {
        Cards {
            detector: self.detector.card().clone(),
            refiner: self.detector.refiner().cloned(),
            embedder: self.embedder.card().clone(),
        }
    }

    /// The embedder's name and version, as templates remember it.
    pub fn model_id(&self) -> String {
        self.embedder.card().id()
    }

    /// Numbers in an embedding.
    pub fn dimensions(&self) -> usize {
        self.embedder.card().output.dimensions
    }

    /// The matching threshold and margin of the embedder's card.
    pub fn card_threshold(&self) -> (f32, f32) {
        let t = &self.embedder.card().threshold;
        (t.matching, t.margin)
    }

    /// The detector's name and version.
    pub fn detector_id(&self) -> String {
        self.detector.card().id()
    }

    /// The shared list of settled tracks, for the thread that decides.
    pub fn settled(&self) -> Settled {
        self.settled.clone()
    }

    /// Says that the identity of `track` is decided: it is embedded less often from now on.
    pub fn settle(&mut self, track: TrackId) {
        self.settled.set(track, true);
    }

    /// How long the stages took for the last frame.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// Looks at a frame. With `matching_enabled` false (the kill switch) faces are found and
    /// tracked, but neither aligned nor embedded. A failing network is logged and sees nothing.
    pub fn look(&mut self, frame: &Frame, matching_enabled: bool) -> Sighting {
        self.timings = Timings::default();
        let now = frame.captured;
        let detections = match self.detector.detect(&frame.image) {
            Ok(detected) => {
                self.timings.prepare = detected.prepare;
                self.timings.detect = detected.infer;
                self.timings.refine = detected.refine;
                detected.faces
            }
            Err(reason) => {
                tracing::error!(id = "network-failed", camera = %frame.camera, %reason, "the detector failed on a frame");
                Vec::new()
            }
        };
        let begin = Instant::now();
        let timeout = self.settings.track_timeout;
        let mut watched = self.remembered().remove(&frame.camera).unwrap_or_else(|| Watched::new(timeout));
        let tracked = watched.tracker.update(&detections, now);
        let mut ended = tracked.ended;
        self.forget(&mut watched, &ended);

        let size = frame.image.dimensions();
        let (min_face, min_quality) = (self.settings.min_face, self.settings.min_quality);
        let mut faces: Vec<TrackedFace> = detections
            .into_iter()
            .zip(tracked.tracks)
            .filter_map(|(detection, track)| {
                let quality = quality::judge(&detection, size, None, min_face, min_quality);
                Some(TrackedFace { track: track?, detection, quality, embedding: None })
            })
            .collect();
        faces.sort_by(|a, b| b.detection.bbox.w.total_cmp(&a.detection.bbox.w));
        let mut crops = HashMap::new();
        if matching_enabled {
            for face in faces.iter_mut().filter(|f| f.quality.poor.is_none()).take(JUDGED_PER_FRAME) {
                if let Some(crop) = align::crop(&frame.image, &face.detection.landmarks) {
                    face.quality = quality::judge(&face.detection, size, Some(&crop), min_face, min_quality);
                    if face.quality.poor.is_none() {
                        crops.insert(face.track, crop);
                    }
                }
            }
        }
        self.timings.judge = begin.elapsed();
        if matching_enabled {
            self.embed_some(frame, &mut watched, &mut faces, &crops, &mut ended);
        }
        self.remembered().insert(frame.camera.clone(), watched);
        Sighting {
            camera: frame.camera.clone(),
            zone: frame.zone.clone(),
            sequence: frame.sequence,
            captured: now,
            size,
            faces,
            ended,
        }
    }

    /// Embeds the faces that need it most: of undecided tracks first, then the longest unseen.
    fn embed_some(
        &mut self,
        frame: &Frame,
        watched: &mut Watched,
        faces: &mut [TrackedFace],
        crops: &HashMap<TrackId, RgbImage>,
        ended: &mut Vec<TrackId>,
    ) {
        let now = frame.captured;
        let begin = Instant::now();
        let mut due: Vec<(bool, Duration, f32, usize)> = Vec::new();
        {
            let settled = self.settled.lock();
            for (index, face) in faces.iter().enumerate().filter(|(_, f)| crops.contains_key(&f.track)) {
                let attention = watched.attention.entry(face.track).or_default();
                let waited = attention.last.map_or(Duration::MAX, |last| now.since(last));
                let is_settled = settled.contains(&face.track);
                let pause = match attention.embedded {
                    _ if is_settled => SETTLED_PAUSE,
                    n if n >= PATIENCE => STRANGER_PAUSE,
                    _ => UNDECIDED_PAUSE,
                };
                if waited >= pause {
                    due.push((is_settled, waited, face.quality.score, index));
                }
            }
        }
        due.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(b.2.total_cmp(&a.2)));
        for (_, _, _, index) in due.into_iter().take(EMBEDDED_PER_FRAME) {
            let face = &mut faces[index];
            let Some(crop) = crops.get(&face.track) else { continue };
            let embedding = match self.embedder.embed(crop) {
                Ok(embedding) => embedding,
                Err(reason) => {
                    tracing::error!(id = "network-failed", camera = %frame.camera, %reason, "the embedder failed on a face");
                    continue;
                }
            };
            self.timings.embedded += 1;
            let limit = self.embedder.card().threshold.matching * PARTED;
            let before = watched.attention.get(&face.track).and_then(|a| a.face.as_ref());
            if before.is_some_and(|b| b.cosine(&embedding) < limit) {
                // Two people passed so close that one took over the other's track.
                ended.push(face.track);
                watched.attention.remove(&face.track);
                self.settled.set(face.track, false);
                face.track = watched.tracker.part(face.track);
            }
            let attention = watched.attention.entry(face.track).or_default();
            attention.embedded = attention.embedded.saturating_add(1);
            attention.last = Some(now);
            attention.face = Some(embedding.clone());
            face.embedding = Some(embedding);
        }
        self.timings.embed = begin.elapsed();
    }

    /// Ends all tracks of a camera that is gone; gives their ids.
    pub fn lose(&mut self, camera: &CameraId) -> Vec<TrackId> {
        let Some(mut watched) = self.remembered().remove(camera) else { return Vec::new() };
        let ended = watched.tracker.end_all();
        self.forget(&mut watched, &ended);
        ended
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<CameraId, Watched>> {
        self.memory.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn forget(&self, watched: &mut Watched, ended: &[TrackId]) {
        if ended.is_empty() {
            return;
        }
        let mut settled = self.settled.lock();
        for track in ended {
            watched.attention.remove(track);
            settled.remove(track);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cards_of_settings_are_those_of_the_eyes_that_they_load() {
        let detector = std::path::PathBuf::from("models/detector-320.toml");
        let of_their_own = VisionSettings { detector: Some(detector), ..VisionSettings::default() };
        for (settings, names) in [
            (
                VisionSettings::default(),
                &["shopguide-detector", "shopguide-refiner", "shopguide-embedder"][..],
            ),
            (of_their_own, &["shopguide-detector", "shopguide-embedder"][..]),
        ] {
            let cards = Cards::of(&settings).unwrap();
            assert_eq!(cards.all().map(|card| card.name.as_str()).collect::<Vec<_>>(), names);
            assert!(cards == Eyes::load(&settings).unwrap().cards());
        }
    }
}
