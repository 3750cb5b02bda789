//! What the live view knows, and the handle that the daemon feeds.
//!
//! What always holds:
//! - Without the live view's page nothing that happened is noted: [`Live::pictures_only`] has pictures
//!   for administrators who watch, and no story.
//! - A picture is kept only while somebody watches, only the newest of each camera, only in memory.
//! - A stranger exists as a box in that picture and nowhere else: no event has room for one.
//! - Members appear under an alias. The list of events is short and forgets its oldest.

use crate::clock::Now;
use crate::display::AckKind;
use crate::id::{CameraId, DisplayId, SlateId, ZoneId};
use crate::vision::Rect;
use axum::body::Bytes;
use image::RgbImage;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// Pause between two pictures of one camera: at most 8 a second.
const PICTURE_EVERY: Duration = Duration::from_millis(120);
/// Events in the list.
const EVENTS: usize = 20;
/// Latencies that the percentiles are taken from.
const LATENCIES: usize = 200;
/// Slates whose member's alias is remembered.
const ALIASES: usize = 64;

/// One camera of the live view.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveCamera {
    /// Its name.
    pub id: CameraId,
    /// The zone it watches.
    pub zone: ZoneId,
}

/// One picture and the faces tracked in it.
#[derive(Debug, Clone)]
pub struct LiveFrame {
    /// The camera it came from.
    pub camera: CameraId,
    /// When its bytes had arrived.
    pub captured: Now,
    /// The pixels; shared, not copied.
    pub image: Arc<RgbImage>,
    /// Everybody in it.
    pub tracks: Vec<LiveTrack>,
}

/// One face in a live picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveTrack {
    /// Where, in pixels of the picture.
    pub bbox: Rect,
    /// Who, as far as decided.
    pub label: LiveLabel,
    /// Cosine to the best member of the last probe, for a member only.
    pub score: Option<f32>,
    /// Fitness for matching, 0..1.
    pub quality: Option<f32>,
}

/// Who a track is, as far as decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "alias", rename_all = "lowercase")]
pub enum LiveLabel {
    /// Votes are still being counted.
    Undecided,
    /// Nobody known. Nothing of this face outlives the picture.
    Stranger,
    /// A member, by alias.
    Member(String),
}

/// Something that happened on the path from camera to display.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiveEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: LiveWhat,
}

/// What happened. Only members (by alias) and displays can be in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum LiveWhat {
    /// A member was recognised in a zone.
    Entered {
        /// Who.
        alias: String,
        /// Where.
        zone: ZoneId,
        /// Votes that decided it.
        votes: u32,
        /// Mean cosine of those votes.
        score: f32,
    },
    /// A personal slate went to a display.
    Slate {
        /// For whom.
        alias: String,
        /// Which display.
        display: DisplayId,
        /// The slate.
        slate: SlateId,
        /// Products on it.
        items: usize,
    },
    /// A display said what it did with a slate.
    Acked {
        /// Which display.
        display: DisplayId,
        /// The slate.
        slate: SlateId,
        /// Shown, dismissed or taken.
        ack: AckKind,
        /// From the frame's capture to this word (personal slates).
        #[serde(rename = "latency_ms", serialize_with = "milliseconds")]
        latency: Option<Duration>,
    },
    /// A member left a zone.
    Left {
        /// Who.
        alias: String,
        /// Where.
        zone: ZoneId,
        /// How long the visit was.
        #[serde(rename = "stayed_ms", serialize_with = "milliseconds")]
        stayed: Option<Duration>,
    },
}

fn milliseconds<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    duration.map(|d| d.as_millis() as u64).serialize(to)
}

/// The live view's memory. Cheap to clone; feeding it never blocks for long.
#[derive(Clone)]
pub struct Live(Arc<Memory>);

struct Memory {
    /// Whether the live view has its page, and so a story.
    has_page: bool,
    cameras: Vec<(LiveCamera, watch::Sender<Option<Arc<Picture>>>)>,
    story: Mutex<Story>,
    told: watch::Sender<u64>,
    watchers: AtomicUsize,
}

/// The newest picture of a camera.
pub(super) struct Picture {
    /// Counts the camera's pictures; also names one in an address.
    pub(super) number: u64,
    pub(super) frame: LiveFrame,
    /// Made when the first watcher asks.
    pub(super) jpeg: OnceLock<Bytes>,
}

/// What happened lately.
#[derive(Debug, Clone, Default)]
struct Story {
    events: VecDeque<LiveEvent>,
    here: BTreeMap<(ZoneId, String), Timestamp>,
    latencies: VecDeque<u64>,
    aliases: VecDeque<(SlateId, String)>,
}

/// The story as the page reads it.
#[derive(Debug, Serialize)]
pub(super) struct StoryView {
    here: Vec<Here>,
    /// Newest first.
    events: Vec<LiveEvent>,
    /// Milliseconds; `None` before the first.
    p50: Option<u64>,
    p95: Option<u64>,
    /// How many the percentiles are taken from.
    count: usize,
}

#[derive(Debug, Serialize)]
struct Here {
    alias: String,
    zone: ZoneId,
    /// Unix milliseconds.
    since: i64,
}

impl Live {
    /// A live view of these cameras, with its page.
    pub fn of(cameras: impl IntoIterator<Item = LiveCamera>) -> Self {
        Self::new(cameras, true)
    }

    /// Pictures of these cameras for administrators, and no page.
    pub fn pictures_only(cameras: impl IntoIterator<Item = LiveCamera>) -> Self {
        Self::new(cameras, false)
    }

    fn new(cameras: impl IntoIterator<Item = LiveCamera>, has_page: bool) -> Self {
        Live(Arc::new(Memory {
            has_page,
            cameras: cameras.into_iter().map(|c| (c, watch::Sender::new(None))).collect(),
            story: Mutex::default(),
            told: watch::Sender::new(0),
            watchers: AtomicUsize::new(0),
        }))
    }

    /// Whether the live view has a page.
    pub fn has_page(&self) -> bool {
        self.0.has_page
    }

    /// Whether anybody watches: only then is a picture worth handing over.
    pub fn watched(&self) -> bool {
        self.0.watchers.load(Ordering::Relaxed) > 0
    }

    /// Hands over a picture; kept only while watched, and at most 8 a second of each camera.
    pub fn show(&self, frame: LiveFrame) {
        if !self.watched() {
            return;
        }
        let Some((_, latest)) = self.0.cameras.iter().find(|(c, _)| c.id == frame.camera) else { return };
        latest.send_if_modified(|latest| {
            let number = match latest {
                Some(before) if frame.captured.since(before.frame.captured) < PICTURE_EVERY => return false,
                Some(before) => before.number + 1,
                None => 1,
            };
            *latest = Some(Arc::new(Picture { number, frame, jpeg: OnceLock::new() }));
            true
        });
        if !self.watched() {
            self.0.forget_pictures(); // the last watcher left meanwhile
        }
    }

    /// Notes what happened, for the page.
    pub fn event(&self, event: LiveEvent) {
        if self.has_page() {
            self.0.story().note(event);
            self.0.told.send_modify(|n| *n += 1);
        }
    }

    /// Starts watching; pictures are kept until the last of these is dropped.
    pub(super) fn watch(&self) -> Watching {
        self.0.watchers.fetch_add(1, Ordering::Relaxed);
        Watching { story: self.0.told.subscribe(), memory: self.0.clone() }
    }

    /// The cameras of the view.
    pub(super) fn cameras(&self) -> impl Iterator<Item = &LiveCamera> {
        self.0.cameras.iter().map(|(c, _)| c)
    }

    /// Follows one camera's newest picture.
    pub(super) fn pictures(&self, camera: &CameraId) -> Option<watch::Receiver<Option<Arc<Picture>>>> {
        self.0.cameras.iter().find(|(c, _)| c.id == *camera).map(|(_, latest)| latest.subscribe())
    }

    /// What happened lately.
    pub(super) fn story(&self) -> StoryView {
        self.0.story().view()
    }

    /// Whom a slate was made for.
    pub(super) fn alias(&self, slate: &SlateId) -> Option<String> {
        let story = self.0.story();
        story.aliases.iter().find(|(s, _)| s == slate).map(|(_, alias)| alias.clone())
    }
}

impl Memory {
    fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(|broken| broken.into_inner())
    }

    fn forget_pictures(&self) {
        for (_, latest) in &self.cameras {
            latest.send_if_modified(|latest| latest.take().is_some());
        }
    }
}

/// Someone who watches.
pub(super) struct Watching {
    memory: Arc<Memory>,
    /// Changes with every event.
    pub(super) story: watch::Receiver<u64>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        if self.memory.watchers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.memory.forget_pictures();
        }
    }
}

impl Story {
    fn note(&mut self, event: LiveEvent) {
        match &event.what {
            LiveWhat::Entered { alias, zone, .. } => {
                self.here.insert((zone.clone(), alias.clone()), event.at);
            }
            LiveWhat::Left { alias, zone, .. } => {
                self.here.remove(&(zone.clone(), alias.clone()));
            }
            LiveWhat::Slate { alias, slate, .. } => {
                self.aliases.push_front((slate.clone(), alias.clone()));
                self.aliases.truncate(ALIASES);
            }
            LiveWhat::Acked { ack: AckKind::Shown, latency: Some(latency), .. } => {
                self.latencies.push_front(latency.as_millis() as u64);
                self.latencies.truncate(LATENCIES);
            }
            LiveWhat::Acked { .. } => {}
        }
        self.events.push_front(event);
        self.events.truncate(EVENTS);
    }

    fn view(&self) -> StoryView {
        let mut sorted: Vec<u64> = self.latencies.iter().copied().collect();
        sorted.sort_unstable();
        // the smallest latency that at least `share` percent do not exceed
        let percentile =
            |share: usize| sorted.get((sorted.len() * share).div_ceil(100).saturating_sub(1)).copied();
        let here = |((zone, alias), since): (&(ZoneId, String), &Timestamp)| Here {
            alias: alias.clone(),
            zone: zone.clone(),
            since: since.as_millisecond(),
        };
        StoryView {
            here: self.here.iter().map(here).collect(),
            events: self.events.iter().cloned().collect(),
            p50: percentile(50),
            p95: percentile(95),
            count: sorted.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Live {
        Live::of([LiveCamera { id: CameraId::new("door").unwrap(), zone: ZoneId::new("tea").unwrap() }])
    }

    fn frame(millis: u64) -> LiveFrame {
        LiveFrame {
            camera: CameraId::new("door").unwrap(),
            captured: Now { mono: Duration::from_millis(millis), utc: Timestamp::UNIX_EPOCH },
            image: Arc::new(RgbImage::new(8, 8)),
            tracks: vec![],
        }
    }

    fn newest(live: &Live) -> Option<u64> {
        let pictures = live.pictures(&CameraId::new("door").unwrap()).unwrap();

        pictures.borrow().as_ref().map(|p| p.number)
    }

    fn event(what: LiveWhat) -> LiveEvent {
        LiveEvent { at: Timestamp::UNIX_EPOCH, what }
    }

    fn shown(millis: u64) -> LiveEvent {
        event(LiveWhat::Acked {
            display: DisplayId::new("d").unwrap(),
            slate: SlateId("s".into()),
            ack: AckKind::Shown,
            latency: Some(Duration::from_millis(millis)),
        })
    }

    #[test]
    fn a_picture_is_kept_only_while_someone_watches() {
        let live = live();
        let image = frame(0);
        let pixels = image.image.clone();
        live.show(image);
        assert_eq!((newest(&live), Arc::strong_count(&pixels)), (None, 1));

        let watching = live.watch();
        let second = live.watch();
        live.show(LiveFrame { image: pixels.clone(), ..frame(0) });
        assert_eq!(newest(&live), Some(1));
        drop(second);
        assert_eq!(newest(&live), Some(1));
        drop(watching);
        assert_eq!((newest(&live), Arc::strong_count(&pixels)), (None, 1), "the pixels are still held");
    }

    #[test]
    fn pictures_come_at_most_eight_times_a_second() {
        let live = live();
        let _watching = live.watch();
        for millis in (0..1000).step_by(10) {
            live.show(frame(millis));
        }
        assert!(newest(&live).unwrap() <= 9, "{:?}", newest(&live));
    }

    #[test]
    fn without_its_page_nothing_that_happened_is_noted() {
        let live = Live::pictures_only([]);
        live.event(shown(5));
        assert_eq!((live.story().count, live.story().events.len()), (0, 0));
    }

    #[test]
    fn the_list_is_short_and_who_left_is_gone() {
        let live = live();
        let zone = ZoneId::new("tea").unwrap();
        let alias = "Heron".to_owned();
        live.event(event(LiveWhat::Entered {
            alias: alias.clone(),
            zone: zone.clone(),
            votes: 4,
            score: 0.6,
        }));
        assert_eq!(live.story().here.len(), 1);
        live.event(event(LiveWhat::Left { alias, zone, stayed: Some(Duration::from_secs(7)) }));
        assert_eq!(live.story().here.len(), 0);
        for _ in 0..100 {
            live.event(shown(1));
        }
        assert_eq!(live.story().events.len(), EVENTS);
    }

    #[test]
    fn percentiles_are_taken_from_what_was_measured() {
        let live = live();
        let none = live.story();
        assert_eq!((none.p50, none.p95, none.count), (None, None, 0));
        for millis in 1..=100 {
            live.event(shown(millis));
        }
        let story = live.story();
        assert_eq!((story.p50, story.p95, story.count), (Some(50), Some(95), 100));
        live.event(shown(9));
    }
}
