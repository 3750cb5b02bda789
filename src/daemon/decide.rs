//! The deciding thread: sightings in, desired screens out. It owns the gallery, the visits and the
//! stations, so nothing of them is shared and nothing is locked.
//!
//! What always holds: it never waits for the disk to record (that is the recording thread's work),
//! and of a face that is no member's nothing remains after its sighting was handled.

mod alike;
mod presence;
mod refresh;
mod review;

pub use alike::{AskAlike, AskSwap, ask};

use super::heartbeat::Heartbeat;
use super::record::{Record, Recorder};
use super::station::{Means, Person, SlateIds, Station};
use super::stocktake::{self, Asks, Taken};
use crate::camera::Frame;
use crate::clock::{Clock, Now};
use crate::display::{Ack, AckKind};
use crate::gallery::{Gallery, Match};
use crate::id::{DisplayId, MemberId, ProductId, ZoneId};
use crate::ops::metrics::Metrics;
use crate::ops::settings::Settings;
use crate::publish::Desired;
use crate::publish::wire::{VisitMessage, VisitTag};
use crate::recommend::alike::Alike;
use crate::recommend::{Audience, Catalogue, PolicySettings, Shop, Slate};
use crate::storage::{Revisions, StorageError, Store};
use crate::vision::{Settled, Sighting, TrackId};
use crate::visit::settings::RecognitionSettings;
use crate::visit::{TrackState, Visits};
use crate::web::{Floor, Live, LiveEvent, LiveWhat, Review, Why};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

/// How often the thread looks at the time when nothing arrives.
const TICK: Duration = Duration::from_millis(50);
/// A slate made from a frame older than this answers no frame: its latency would be waiting time.
const FRESH: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);
/// Slates whose acknowledgements are expected, at most.
const AWAITED: usize = 512;

/// What the deciding thread is told.
#[derive(Debug)]
pub enum Input {
    /// Vision looked at a frame, which comes along only while somebody watches the live view.
    Seen(Sighting, Option<Frame>),
    /// A display said something about a slate.
    Ack(Ack),
    /// Who showed a card at a kiosk; `None` when they are done there.
    Card(DisplayId, Option<MemberId>),
    /// A member is done at a kiosk: they are recognised again only by new votes.
    Gone(MemberId),
    /// Staff said that whoever stands in the zone is not this member.
    NotThem(MemberId, ZoneId),
    /// Somebody wants products like one.
    Alike(AskAlike, SyncSender<Vec<Alike>>),
    /// Staff put another product in place of one; the answer says whether that was done.
    Swap(AskSwap, SyncSender<bool>),
    /// Members were erased or paused: read them again at once.
    Members,
    /// A member's receipt was stored.
    Bought(MemberId),
    /// A member declared something of themselves.
    Declared(MemberId),
    /// All receipts were read again.
    Shop(Box<Taken>),
    /// The embedder or its threshold may have changed.
    Embedder(Embedder),
    /// New settings to work with.
    Reload(Box<Settings>),
    /// Take every personal slate off and end.
    End,
}

/// The ways out of the deciding thread.
pub struct Out {
    /// What displays should show.
    pub desired: Desired,
    /// What is to be recorded.
    pub recorder: Recorder,
    /// Visits for the bus, under names that say nothing.
    pub visits: tokio::sync::mpsc::Sender<VisitMessage>,
    /// Tracks that are decided are looked at less often.
    pub settled: Settled,
    /// Asks for all receipts to be read again.
    pub stocktake: Asks,
    /// Who watches the live view.
    pub live: Live,
    /// Who is here, for the staff.
    pub floor: Floor,
    /// How recognition does, for administrators.
    pub review: Review,
    /// Counters.
    pub metrics: Metrics,
}

/// What is to be known of the embedder.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedder {
    /// Name and version.
    pub model: String,
    /// Numbers in an embedding.
    pub dimensions: usize,
    /// Threshold for a vote, when the settings give none.
    pub threshold: f32,
}

/// A slate that displays may still speak about.
#[derive(Debug)]
struct Awaited {
    slate: Arc<Slate>,
    shown: bool,
}

/// A member who is in a zone.
#[derive(Debug)]
struct Here {
    alias: String,
    tag: VisitTag,
    entered: Now,
    /// Capture time of the last frame that showed them.
    seen: jiff::Timestamp,
    /// Whether they agreed to views being kept.
    views: bool,
    /// Member since.
    since: Option<jiff::Timestamp>,
    /// Votes that decided it; 0 for a card.
    votes: u32,
    /// Their mean cosine.
    score: f32,
}

/// The deciding thread's own.
pub struct Decider {
    clock: Clock,
    store: Store,
    embedder: Embedder,
    recognition: RecognitionSettings,
    gallery: Gallery,
    visits: Visits,
    catalogue: Catalogue,
    shop: Shop,
    /// Newest receipt that the catalogue's popularity counts, and the pause before it is counted again.
    sold: i64,
    catalogue_rest: Duration,
    /// Newest receipt that the shop knows.
    receipts: i64,
    /// The model that was live when it was read, used or refused.
    live: Option<String>,
    /// Members whose receipts it does not learn from.
    left_out: BTreeSet<MemberId>,
    /// When all receipts were last asked to be read again.
    asked: Option<Now>,
    /// Whether that is still under way.
    taking: bool,
    policy: PolicySettings,
    time_zone: TimeZone,
    read: Option<(Now, Revisions)>,
    looked: Option<Now>,
    stations: Vec<Station>,
    ids: SlateIds,
    personal_for: Duration,
    here: BTreeMap<(MemberId, ZoneId), Here>,
    /// Who is at a kiosk by card: cameras do not end that.
    cards: BTreeMap<DisplayId, (MemberId, ZoneId)>,
    /// Why living tracks are not recognised, while an administrator watches.
    doubted: HashMap<TrackId, Why>,
    dismissed: BTreeMap<MemberId, BTreeMap<ProductId, Now>>,
    /// When members who are or were here left the shelves of which categories.
    views: BTreeMap<MemberId, BTreeMap<String, Now>>,
    awaited: VecDeque<Awaited>,
    out: Out,
}

impl Decider {
    /// Takes what the thread works with; templates and catalogue are read on its first turn.
    pub fn new(
        clock: Clock,
        store: Store,
        settings: &Settings,
        embedder: Embedder,
        boot: &str,
        out: Out,
    ) -> Self {
        let threshold = settings.recognition.threshold.unwrap_or(embedder.threshold);
        out.review.set_threshold(threshold);
        Self {
            clock,
            store,
            gallery: Gallery::new(embedder.model.as_str(), embedder.dimensions),
            embedder,
            recognition: settings.recognition.clone(),
            visits: Visits::new(settings.recognition.clone(), threshold),
            catalogue: Catalogue::default(),
            shop: Shop::new(&[], &BTreeMap::new(), HashMap::new(), None),
            sold: 0,
            catalogue_rest: Duration::ZERO,
            receipts: 0,
            live: None,
            left_out: BTreeSet::new(),
            asked: None,
            taking: false,
            policy: settings.policy.clone(),
            time_zone: TimeZone::get(&settings.store.time_zone).unwrap_or(TimeZone::UTC),
            read: None,
            looked: None,
            stations: settings.screens().map(Station::new).collect(),
            ids: SlateIds::new(boot),
            personal_for: settings.personal_for(),
            here: BTreeMap::new(),
            cards: BTreeMap::new(),
            doubted: HashMap::new(),
            dismissed: BTreeMap::new(),
            views: BTreeMap::new(),
            awaited: VecDeque::new(),
            out,
        }
    }

    /// Runs until it is told to end or every sender of `inputs` is gone; then every display goes back to store-level content.
    pub fn run(mut self, inputs: &Receiver<Input>, heartbeat: &Heartbeat) {
        loop {
            let now = self.clock.now();
            self.look_round(now);
            self.serve(now);
            heartbeat.beat(now);
            match inputs.recv_timeout(TICK) {
                Ok(Input::End) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(input) => self.handle(input, self.clock.now()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            for presence in self.visits.tick(self.clock.now()) {
                self.present(presence);
            }
        }
        for presence in self.visits.clear() {
            self.present(presence);
        }
        self.serve(self.clock.now());
    }

    fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Seen(sighting, frame) => self.seen(&sighting, frame, now),
            Input::Ack(ack) => self.ack(ack, now),
            Input::Card(kiosk, member) => self.card(&kiosk, member, now),
            Input::NotThem(member, zone) => self.not_them(member, &zone, now),
            Input::Gone(member) => {
                for presence in self.visits.forget(member) {
                    self.present(presence);
                }
            }
            Input::Alike(asked, reply) => {
                let _ = reply.try_send(self.alike(&asked, now));
            }
            Input::Swap(asked, reply) => {
                let _ = reply.try_send(self.swap(&asked, now));
            }
            Input::Members => self.looked = None,
            Input::Bought(member) => self.bought(member, now),
            Input::Declared(member) => self.remake(member, now),
            Input::Shop(taken) => self.take(*taken, now),
            Input::Embedder(embedder) => self.change_embedder(embedder),
            Input::Reload(settings) => self.reload(&settings),
            Input::End => {}
        }
    }

    fn seen(&mut self, sighting: &Sighting, frame: Option<Frame>, now: Now) {
        let search =
            |f: &crate::vision::TrackedFace| Some((f.track, self.gallery.search(f.embedding.as_ref()?)));
        let matches: Vec<(TrackId, Match)> = sighting.faces.iter().filter_map(search).collect();
        self.out.metrics.searches.inc_by(matches.len() as u64);
        for presence in self.visits.observe(sighting, &matches, now) {
            self.present(presence);
        }
        for face in &sighting.faces {
            let who = self.visits.who(face.track);
            self.out.settled.set(face.track, matches!(who, TrackState::Member(_)));
            if let TrackState::Member(member) = who
                && let Some(here) = self.here.get_mut(&(member, sighting.zone.clone()))
            {
                here.seen = sighting.captured.utc;
            }
        }
        self.review(sighting, &matches, now);
        for track in &sighting.ended {
            self.out.settled.set(*track, false);
            self.doubted.remove(track);
        }
        if let Some(frame) = frame {
            self.show_live(&frame, sighting, &matches);
        }
    }

    fn alias(&self, member: MemberId) -> String {
        self.here
            .iter()
            .find(|((m, _), _)| *m == member)
            .map_or_else(String::new, |(_, here)| here.alias.clone())
    }

    fn event(&self, now: Now, what: LiveWhat) {
        self.out.live.event(LiveEvent { at: now.utc, what });
    }

    fn tell(&self, visit: VisitMessage) {
        // A visit that the bus has no room for is not said: it is an event, and events are not kept back.
        let _ = self.out.visits.try_send(visit);
    }

    fn stations_of<'a>(&'a mut self, zone: &'a ZoneId) -> impl Iterator<Item = &'a mut Station> {
        self.stations.iter_mut().filter(move |s| s.settings.zone == *zone)
    }

    /// Gives every display the slate of the member whose turn it is.
    fn serve(&mut self, now: Now) {
        let mut stations = std::mem::take(&mut self.stations);
        for station in &mut stations {
            match station.turn(now) {
                Some(member) if station.serving() == Some(member) => station.extend(now, self.personal_for),
                Some(member) => self.make(station, member, now),
                None => station.clear_personal(now),
            }
            station.publish(&self.out.desired);
        }
        self.stations = stations;
        self.say_who_is_here();
    }

    fn make(&mut self, station: &mut Station, member: MemberId, now: Now) {
        let person = match self.person(member, &station.settings.zone, now) {
            Ok(person) => person,
            Err(error) => {
                tracing::error!(id = "history-unread", %error, "a history cannot be read; the display keeps to store-level content");
                return station.clear_personal(now);
            }
        };
        let personal_for = self.personal_for;
        let began = self.clock.now();
        let slate = station.personal(&person, &mut self.means(now), personal_for);
        Metrics::observe(&self.out.metrics.making, self.clock.now().since(began));
        self.event(
            now,
            LiveWhat::Slate {
                alias: self.alias(member),
                display: slate.display.clone(),
                slate: slate.id.clone(),
                items: slate.items.len(),
            },
        );
        self.made(slate, &station.settings.zone);
    }

    fn made(&mut self, slate: Arc<Slate>, zone: &ZoneId) {
        self.out.metrics.slates.inc();
        self.out.recorder.send(Record::Slate(slate.clone(), zone.clone()));
        if self.awaited.len() == AWAITED {
            self.awaited.pop_front();
        }
        self.awaited.push_back(Awaited { slate, shown: false });
    }

    fn person(&mut self, member: MemberId, zone: &ZoneId, now: Now) -> Result<Person, StorageError> {
        let just_bought = self.store.bought_since(member, now.utc - self.policy.just_bought)?;
        let mut dismissed = BTreeSet::new();
        if let Some(products) = self.dismissed.get_mut(&member) {
            products.retain(|_, at| now.since(*at) < self.policy.cool_down);
            dismissed.extend(products.keys());
        }
        let seen = self.here.get(&(member, zone.clone())).map(|here| here.seen);
        let fresh = |seen: &jiff::Timestamp| now.utc.duration_since(*seen) < FRESH;
        let captured = seen.filter(fresh);
        let facts = self.store.declared(member)?;
        let viewed = self.viewed(member, zone, now);
        Ok(Person { member, just_bought, dismissed, facts, viewed, captured })
    }

    fn means(&mut self, now: Now) -> Means<'_> {
        Means {
            shop: &mut self.shop,
            catalogue: &self.catalogue,
            policy: &self.policy,
            ids: &mut self.ids,
            now,
            hour: now.utc.to_zoned(self.time_zone.clone()).hour(),
        }
    }

    /// Makes the slates of a member who is being served anew.
    fn remake(&mut self, member: MemberId, now: Now) {
        let mut stations = std::mem::take(&mut self.stations);
        for station in stations.iter_mut().filter(|s| s.serving() == Some(member)) {
            self.make(station, member, now);
        }
        self.stations = stations;
    }

    fn ack(&mut self, ack: Ack, now: Now) {
        let Some(awaited) = self.awaited.iter_mut().find(|a| a.slate.id == ack.slate) else {
            tracing::debug!(display = %ack.display, "ignored: the acknowledgement of a slate that is not awaited");
            return;
        };
        if awaited.slate.display != ack.display {
            tracing::warn!(id = "ack-of-another", display = %ack.display, "ignored: a display acknowledged another display's slate");
            return;
        }
        let slate = awaited.slate.clone();
        let mut latency = None;
        match ack.kind {
            AckKind::Shown if awaited.shown => return,
            AckKind::Shown => {
                awaited.shown = true;
                self.out.metrics.impressions.inc();
                latency =
                    slate.captured.and_then(|c| Duration::try_from(ack.received.duration_since(c)).ok());
                if let Some(latency) = latency {
                    Metrics::observe(&self.out.metrics.shown, latency);
                }
            }
            AckKind::Dismissed => self.dismiss(&slate, ack.sku.as_deref(), now),
            AckKind::Taken => {}
        }
        let (display, slate) = (ack.display.clone(), ack.slate.clone());
        self.event(now, LiveWhat::Acked { display, slate, ack: ack.kind, latency });
        self.out.recorder.send(Record::Ack(ack));
    }

    /// A product (or, without one, all of the slate) was not wanted: others take its place.
    fn dismiss(&mut self, slate: &Slate, sku: Option<&str>, now: Now) {
        let Audience::Personal { member } = slate.audience else { return };
        let unwanted = slate.items.iter().filter(|i| sku.is_none_or(|sku| i.sku == sku));
        self.dismissed.entry(member).or_default().extend(unwanted.map(|i| (i.product, now)));
        self.remake(member, now);
    }

    fn set_threshold(&mut self) {
        let threshold = self.threshold();
        self.out.review.set_threshold(threshold);
        self.visits.set(self.recognition.clone(), threshold);
    }

    /// Templates of another model are of no use: the gallery is filled anew.
    fn change_embedder(&mut self, embedder: Embedder) {
        if embedder != self.embedder {
            self.embedder = embedder;
            self.set_threshold();
            self.read = None;
            self.looked = None;
        }
    }

    fn reload(&mut self, settings: &Settings) {
        self.recognition = settings.recognition.clone();
        self.set_threshold();
        self.personal_for = settings.personal_for();
        self.policy = settings.policy.clone();
        if !settings.recognition.enabled {
            for presence in self.visits.clear() {
                self.present(presence);
            }
        }
        for station in &mut self.stations {
            if let Some(new) = settings.screens().find(|d| d.id == station.settings.id) {
                station.settings = new;
            }
        }
        self.read = None;
        self.looked = None;
    }
}
