//! The deciding thread: sightings in, desired screens out. It owns the gallery, the visits and the
//! stations, so nothing of them is shared and nothing is locked.
//!
//! What always holds: it never waits for the disk (what is to be recorded goes to the recording
//! thread), and of a face that is no member's nothing remains after its sighting was handled.

use super::record::{Record, Recorder};
use super::station::{Person, SlateIds, Station};
use crate::camera::Frame;
use crate::clock::{Clock, Now};
use crate::display::{Ack, AckKind};
use crate::gallery::{Gallery, Match};
use crate::id::{MemberId, ProductId, SlateId, ZoneId};
use crate::profile::Profile;
use crate::publish::Desired;
use crate::recommend::{Audience, Catalogue, Slate};
use crate::storage::Store;
use crate::vision::{Sighting, TrackId};
use crate::visit::{Presence, Visits};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often the thread looks at the time when nothing arrives.
const TICK: Duration = Duration::from_millis(100);
/// Popularity is counted over this many days.
const POPULAR_DAYS: u32 = 28;
/// Products on a receipt of the last hours are not suggested again.
const JUST_BOUGHT: Duration = Duration::from_secs(12 * 3600);
/// Slates whose acknowledgements are expected, at most.
const AWAITED: usize = 256;

/// What the deciding thread is told.
#[derive(Debug)]
pub enum Input {
    /// Vision looked at a frame (kept only while somebody watches the live view).
    Seen(Sighting, Option<Frame>),
    /// A display said something about a slate.
    Ack(Ack),
    /// A receipt was stored.
    Bought(MemberId),
    /// Products, stock or many receipts changed.
    CatalogueChanged,
    /// Members or templates may have changed.
    GalleryChanged,
}

/// A slate that displays may still speak about.
#[derive(Debug)]
struct Awaited {
    slate: Arc<Slate>,
    shown: bool,
}

/// Where the deciding thread's knowledge comes from and where its decisions go.
#[derive(Debug)]
pub struct Decider {
    clock: Clock,
    store: Store,
    gallery: Gallery,
    visits: Visits,
    catalogue: Catalogue,
    catalogue_stale: bool,
    stations: Vec<Station>,
    ids: SlateIds,
    personal_for: Duration,
    captured: BTreeMap<MemberId, jiff::Timestamp>,
    dismissed: BTreeMap<MemberId, BTreeMap<ProductId, Now>>,
    awaited: VecDeque<Awaited>,
    out: Out,
}

/// The ways out of the deciding thread.
#[derive(Debug, Clone)]
pub struct Out {
    /// What displays should show.
    pub desired: Desired,
    /// What is to be recorded.
    pub recorder: Recorder,
    /// Who watches the live view.
    pub live: Live,
    /// Counters.
    pub metrics: Metrics,
}

impl Decider {
    /// Takes what the thread needs to start; reads templates and catalogue on its first turn.
    pub fn new(clock: Clock, store: Store, settings: &Settings, model: &str, threshold: f32, boot: &str, out: Out) -> Self {
        Self {
            store,
            gallery: Gallery::new(model),
            visits: Visits::new(settings.recognition.clone(), threshold),
            catalogue: Catalogue::default(),
            catalogue_stale: true,
            stations: settings.displays.iter().cloned().map(Station::new).collect(),
            ids: SlateIds::new(boot),
            personal_for: settings.personal_for(),
            captured: BTreeMap::new(),
            dismissed: BTreeMap::new(),
            awaited: VecDeque::new(),
            out,
            clock,
        }
    }

    /// Runs until every sender of `inputs` is gone; beats after each turn.
    pub fn run(mut self, inputs: &Receiver<Input>, heartbeat: &Heartbeat) {
        self.refresh_gallery();
        loop {
            let input = inputs.recv_timeout(TICK);
            let now = self.clock.now();
            match input {
                Ok(input) => self.handle(input, now),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            for presence in self.visits.tick(now) {
                self.present(presence);
            }
            self.refresh_catalogue(now);
            self.serve(now);
            heartbeat.beat(now);
        }
        let now = self.clock.now();
        for station in &mut self.stations {
            station.clear_personal(now);
            station.publish(&self.out.desired);
        }
    }

    fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Seen(sighting, frame) => self.seen(&sighting, frame, now),
            Input::Ack(ack) => self.ack(ack, now),
            Input::Bought(member) => self.remake(member, now),
            Input::CatalogueChanged => self.catalogue_stale = true,
            Input::GalleryChanged => self.refresh_gallery(),
            Input::Reload(settings) => self.reload(*settings),
        }
    }

    fn seen(&mut self, sighting: &Sighting, frame: Option<Frame>, now: Now) {
        let search = |f: &crate::vision::TrackedFace| Some((f.track, self.gallery.search(f.embedding.as_ref()?)));
        let matches: Vec<(TrackId, Match)> = sighting.faces.iter().filter_map(search).collect();
        self.out.metrics.searches.inc_by(matches.len() as u64);
        for presence in self.visits.observe(sighting, &matches, now) {
            self.present(presence);
        }
        if let Some(frame) = frame {
            let alias = |member| self.store.alias(member);
            self.out.live.show(live_frame(&frame, sighting, &self.visits, &matches, alias));
        }
    }

    fn present(&mut self, presence: Presence) {
        match presence {
            Presence::Entered { member, zone, at, captured, votes, score } => {
                self.out.metrics.visits.inc();
                self.out.metrics.present.inc();
                Metrics::observe(&self.out.metrics.decision, at.since(captured));
                self.captured.insert(member, captured.utc);
                tracing::info!(%zone, votes, score = f64::from(score), "a member came");
                self.out.recorder.send(Record::Entered { member, zone: zone.clone(), at: at.utc });
                self.stations_of(&zone).for_each(|s| s.enter(member));
            }
            Presence::Dwelt { .. } => {}
            Presence::Left { member, zone, at, .. } => {
                self.out.metrics.present.dec();
                tracing::info!(%zone, "a member left");
                self.out.recorder.send(Record::Left { member, zone: zone.clone(), at: at.utc });
                self.stations_of(&zone).for_each(|s| s.leave(member));
                self.captured.remove(&member);
            }
        }
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
    }

    fn make(&mut self, station: &mut Station, member: MemberId, now: Now) {
        let person = match self.person(member, now) {
            Ok(person) => person,
            Err(error) => {
                tracing::error!(%error, "a member's history cannot be read; the display keeps to store-level content");
                return station.clear_personal(now);
            }
        };
        let slate = station.personal(member, &person, &self.catalogue, &mut self.ids, now, self.personal_for);
        self.made(slate);
    }

    fn made(&mut self, slate: Arc<Slate>) {
        self.out.metrics.slates.inc();
        self.out.recorder.send(Record::Slate(slate.clone()));
        if self.awaited.len() == AWAITED {
            self.awaited.pop_front();
        }
        self.awaited.push_back(Awaited { slate, shown: false });
    }

    fn person(&self, member: MemberId, now: Now) -> Result<Person, crate::storage::StorageError> {
        let history = self.store.history(member)?;
        let profile = Profile::new(&history, now.utc, |product| self.catalogue.category(product));
        let mut excluded: BTreeSet<ProductId> = history.bought_since(now.utc - JUST_BOUGHT).collect();
        let dismissed = self.dismissed.get(&member);
        excluded.extend(dismissed.into_iter().flatten().filter(|(_, at)| now.since(**at) < COOL_DOWN).map(|(p, _)| *p));
        let captured = self.captured.get(&member).copied().unwrap_or(now.utc);
        Ok(Person { profile, excluded, captured })
    }

    /// Makes the slates of a member who is being served anew.
    fn remake(&mut self, member: MemberId, now: Now) {
        let mut stations = std::mem::take(&mut self.stations);
        for station in stations.iter_mut().filter(|s| s.serving() == Some(member)) {
            self.make(station, member, now);
            station.publish(&self.out.desired);
        }
        self.stations = stations;
    }

    fn ack(&mut self, ack: Ack, now: Now) {
        let Some(awaited) = self.awaited.iter_mut().find(|a| a.slate.id == ack.slate) else {
            tracing::debug!(display = %ack.display, "an acknowledgement of a slate that is not awaited was ignored");
            return;
        };
        if awaited.slate.display != ack.display {
            tracing::warn!(display = %ack.display, "a display acknowledged another display's slate; ignored");
            return;
        }
        let slate = awaited.slate.clone();
        match ack.kind {
            AckKind::Shown if awaited.shown => return,
            AckKind::Shown => {
                awaited.shown = true;
                self.out.metrics.impressions.inc();
                if let Some(captured) = slate.captured {
                    let took = ack.received.duration_since(captured);
                    Metrics::observe(&self.out.metrics.shown, Duration::try_from(took).unwrap_or_default());
                }
            }
            AckKind::Dismissed => self.dismiss(&slate, ack.sku.as_deref(), now),
            AckKind::Taken => {}
        }
        self.out.recorder.send(Record::Ack(ack));
    }

    /// A product (or, without one, the whole slate) was not wanted.
    fn dismiss(&mut self, slate: &Slate, sku: Option<&str>, now: Now) {
        let Audience::Personal { member } = slate.audience else { return };
        let products = slate.items.iter().filter(|i| sku.is_none_or(|sku| i.sku == sku)).map(|i| (i.product, now));
        self.dismissed.entry(member).or_default().extend(products);
        self.remake(member, now);
    }

    fn refresh_catalogue(&mut self, now: Now) {
        if !std::mem::take(&mut self.catalogue_stale) {
            return;
        }
        let since = now.utc - Duration::from_secs(u64::from(POPULAR_DAYS) * 86_400);
        let read = self.store.products().and_then(|products| Ok((products, self.store.popularity(since)?)));
        match read {
            Ok((products, popularity)) => {
                self.catalogue = Catalogue::new(products, &popularity, POPULAR_DAYS);
                for i in 0..self.stations.len() {
                    if let Some(slate) = self.stations[i].refresh_store(&self.catalogue, &mut self.ids, now) {
                        self.made(slate);
                    }
                }
            }
            Err(error) => tracing::error!(%error, "the catalogue cannot be read; the last one is used on"),
        }
    }

    fn refresh_gallery(&mut self) {
        match self.store.templates() {
            Ok(templates) => {
                let refused = self.gallery.replace(templates);
                if refused > 0 {
                    tracing::warn!(refused, "templates of another embedder are not used: those members need to enrol again");
                }
            }
            Err(error) => tracing::error!(%error, "the templates cannot be read; the gallery stays as it is"),
        }
    }
}
