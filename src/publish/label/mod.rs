//! Shelf labels: the store-level slates of displays as pictures on tags of electronic paper, handed to
//! OpenEPaperLink access points.
//!
//! What always holds:
//! - Only store-level slates are drawn. Paper cannot follow a shopper: a personal slate never goes there.
//! - A picture goes out only if it differs from the one that its tag got last, also over restarts; and
//!   to one tag not more often than its `every`.
//! - Nothing piles up: what is sent is what is true then. An access point that is away or busy is tried
//!   again, after 2 s at first and 5 minutes at most, and heals by itself.
//! - One thread for each access point, one upload at a time. Nobody waits for it.

mod access_point;
mod font;
mod picture;
pub mod settings;

use super::desired::{Desired, Screen};
use crate::display::StoreSettings;
use crate::id::DisplayId;
use crate::recommend::{Audience, Slate};
use access_point::{AccessPoint, NotTaken};
use font::Fonts;
use image::RgbImage;
use settings::{FontFile, LabelSettings};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often a thread looks whether a slate has changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pauses after which an access point that did not take a picture is tried again.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Pause after which a tag that the access point does not know, or whose picture cannot be drawn, is
/// tried again: somebody has to mend something first.
const SLOW_PAUSE: Duration = Duration::from_secs(600);
/// A slate without products is drawn only when it lasts: a shop that has just started knows none yet, and
/// its labels should not flash for that.
const EMPTY_FOR: Duration = Duration::from_secs(60);
/// Rest of the access point between two uploads.
const BETWEEN: Duration = Duration::from_millis(500);
/// Letters that a warning names.
const NAMED: usize = 12;

/// How the labels of one access point are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelHealth {
    /// Where it is.
    pub access_point: String,
    /// Its labels.
    pub labels: usize,
    /// Those that show what they should, or have nothing to show yet.
    pub current: usize,
    /// Pictures handed over since the start.
    pub sent: u64,
    /// What went wrong last, if it still does.
    pub error: Option<String>,
}

/// The running labels. Dropping it ends their threads; an upload under way comes to its end.
pub struct Labels {
    health: Vec<Arc<Mutex<LabelHealth>>>,
    _stop: Vec<Sender<()>>,
}

/// What labels are made from.
pub struct Means {
    /// What displays should show.
    pub desired: Desired,
    /// Name and currency.
    pub store: StoreSettings,
    /// What stands on a label without products, by display; else the store's name.
    pub titles: BTreeMap<DisplayId, String>,
    /// Fonts that the configuration names; without any, those of this machine.
    pub fonts: Vec<FontFile>,
    /// Where is noted which picture each tag got last.
    pub notes: PathBuf,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Labels {
    /// Starts one thread for each access point of `labels`.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(labels: &[LabelSettings], means: Means) -> std::io::Result<Labels> {
        let mut at: BTreeMap<&str, Vec<&LabelSettings>> = BTreeMap::new();
        for label in labels {
            at.entry(&label.access_point).or_default().push(label);
        }
        let notes = Arc::new(Notes::read(means.notes.clone()));
        let means = Arc::new(means);
        let mut running = Labels { health: Vec::new(), _stop: Vec::new() };
        for (address, labels) in at {
            let health = Arc::new(Mutex::new(LabelHealth {
                access_point: address.to_owned(),
                labels: labels.len(),
                current: 0,
                sent: 0,
                error: None,
            }));
            let follow = |label: &LabelSettings| {
                let screen = means.desired.watch(&label.display)?;
                Some(Label::new(label.clone(), screen))
            };
            let round = Round {
                access_point: AccessPoint::new(address),
                labels: labels.into_iter().filter_map(follow).collect(),
                means: means.clone(),
                notes: notes.clone(),
                health: health.clone(),
                pause: FIRST_PAUSE,
                rests_until: None,
                away: None,
                unwritable: false,
            };
            let (stop, stopped) = channel();
            std::thread::Builder::new().name("labels".to_owned()).spawn(move || round.run(&stopped))?;
            running.health.push(health);
            running._stop.push(stop);
        }
        Ok(running)
    }

    /// How each access point's labels are.
    pub fn health(&self) -> Vec<LabelHealth> {
        self.health.iter().map(|health| locked(health).clone()).collect()
    }
}

/// One label and what it should show.
struct Label {
    settings: LabelSettings,
    screen: watch::Receiver<Screen>,
    /// What it should show and does not yet.
    wanted: Option<Arc<Slate>>,
    /// When it was first wanted to show nothing, if that is what is wanted.
    empty_since: Option<Instant>,
    /// What it shows.
    shown: Option<Arc<Slate>>,
    /// Not before this moment.
    rests_until: Option<Instant>,
    /// Why it does not show what it should, if that is not for its access point's sake.
    error: Option<String>,
}

impl Label {
    fn new(settings: LabelSettings, mut screen: watch::Receiver<Screen>) -> Self {
        screen.mark_changed();
        Self {
            settings,
            screen,
            wanted: None,
            empty_since: None,
            shown: None,
            rests_until: None,
            error: None,
        }
    }

    /// Notes whether its slate has changed.
    fn look(&mut self) {
        if !self.screen.has_changed().unwrap_or(false) {
            return;
        }
        let store = self.screen.borrow_and_update().store.clone();
        // what is for a person has no business here, wherever it came from
        let Some(slate) = store.filter(|slate| slate.audience == Audience::Store) else { return };
        // said again under another number, because a personal slate of its display has ended
        let same = |shown: &Arc<Slate>| shown.items == slate.items && shown.greeting == slate.greeting;
        let now = Instant::now();
        self.empty_since = slate.items.is_empty().then(|| self.empty_since.unwrap_or(now));
        self.wanted = (!self.shown.as_ref().is_some_and(same)).then_some(slate);
    }

    /// Notes what went wrong; true when it is news.
    fn failed(&mut self, error: String) -> bool {
        self.rests_until = Some(Instant::now() + SLOW_PAUSE);
        self.error.replace(error.clone()) != Some(error)
    }

    fn shows(&mut self, slate: Arc<Slate>) {
        self.wanted = None;
        self.error = None;
        self.shown = Some(slate);
    }
}

/// What one thread works with.
struct Round {
    access_point: AccessPoint,
    labels: Vec<Label>,
    means: Arc<Means>,
    notes: Arc<Notes>,
    health: Arc<Mutex<LabelHealth>>,
    pause: Duration,
    rests_until: Option<Instant>,
    /// Why the access point takes nothing, if it does not.
    away: Option<String>,
    /// Letters without a font were reported.
    unwritable: bool,
}

impl Round {
    fn run(mut self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            self.labels.iter_mut().for_each(Label::look);
            for n in 0..self.labels.len() {
                if self.is_due(n) {
                    self.serve(n);
                    self.say_how_it_is();
                }
                if stopped.try_recv() == Err(TryRecvError::Disconnected) {
                    return;
                }
            }
            self.say_how_it_is();
        }
    }

    fn say_how_it_is(&self) {
        let mut health = locked(&self.health);
        health.current = self.labels.iter().filter(|label| label.wanted.is_none()).count();
        health.error = self.away.clone().or_else(|| self.labels.iter().find_map(|l| l.error.clone()));
    }

    fn is_due(&self, n: usize) -> bool {
        let now = Instant::now();
        let rested = |until: Option<Instant>| until.is_none_or(|until| now >= until);
        let label = &self.labels[n];
        let lasts = label.empty_since.is_none_or(|since| now >= since + EMPTY_FOR);
        label.wanted.is_some() && lasts && rested(self.rests_until) && rested(label.rests_until)
    }

    /// Brings one label up to date, if that can be done now.
    fn serve(&mut self, n: usize) {
        let Some(slate) = self.labels[n].wanted.clone() else { return };
        let settings = self.labels[n].settings.clone();
        let picture = match self.draw(&slate, &settings) {
            Ok(picture) => picture,
            Err(error) => {
                if self.labels[n].failed(error.to_string()) {
                    tracing::error!(id = "label-font", %error, "a label cannot be drawn");
                }
                return;
            }
        };
        let mark = mark(&picture);
        if self.notes.has(&settings.mac, &mark) {
            return self.labels[n].shows(slate);
        }
        let at = self.access_point.address().to_owned();
        match self.access_point.send(&settings.mac, &picture) {
            Ok(()) => {
                tracing::debug!(mac = settings.mac, display = %settings.display, "a label's picture was handed over");
                self.notes.note(&settings.mac, mark);
                self.labels[n].shows(slate);
                self.labels[n].rests_until = Some(Instant::now() + settings.every);
                self.pause = FIRST_PAUSE;
                locked(&self.health).sent += 1;
                if self.away.take().is_some() {
                    tracing::info!(access_point = at, "labels are served again");
                }
                std::thread::sleep(BETWEEN);
            }
            Err(error @ NotTaken::UnknownTag(_)) => {
                if self.labels[n].failed(error.to_string()) {
                    tracing::warn!(id = "label-unknown", access_point = at, %error, "a label's picture was refused");
                }
            }
            Err(error @ (NotTaken::Away(_) | NotTaken::Busy)) => {
                if self.away.is_none() {
                    tracing::warn!(id = "label-access-point-away", access_point = at, %error, "labels keep what they show");
                }
                self.away = Some(error.to_string());
                self.rests_until = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    fn draw(&mut self, slate: &Slate, label: &LabelSettings) -> Result<RgbImage, font::FontError> {
        let mut fonts = Fonts::open(&self.means.fonts)?;
        let store = &self.means.store;
        let title = self.means.titles.get(&label.display).unwrap_or(&store.name);
        let picture = picture::draw(slate, title, label, store, &mut fonts)?;
        if !fonts.missing().is_empty() && !self.unwritable {
            self.unwritable = true;
            let letters: String = fonts.missing().iter().take(NAMED).collect();
            tracing::warn!(
                id = "label-letters",
                letters,
                "no font has these letters; labels show boxes instead"
            );
        }
        Ok(picture)
    }
}

/// What tells one picture from another.
fn mark(picture: &RgbImage) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&picture.width().to_le_bytes());
    hasher.update(picture.as_raw());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Which picture each tag got last, kept in a small file so that a restart does not flash every label
/// of the shop. A file that is lost or damaged costs one upload for each label.
struct Notes {
    file: PathBuf,
    marks: Mutex<BTreeMap<String, String>>,
}

impl Notes {
    fn read(file: PathBuf) -> Self {
        let text = std::fs::read(&file).ok().filter(|bytes| bytes.len() < 1 << 20);
        let marks = text.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { file, marks: Mutex::new(marks) }
    }

    fn has(&self, mac: &str, mark: &str) -> bool {
        locked(&self.marks).get(mac).is_some_and(|last| last == mark)
    }

    fn note(&self, mac: &str, mark: String) {
        let mut marks = locked(&self.marks);
        marks.insert(mac.to_owned(), mark);
        let part = self.file.with_extension("part");
        let text = serde_json::to_vec(&*marks).unwrap_or_default();
        let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &self.file));
        if let Err(error) = written {
            tracing::warn!(id = "label-not-noted", %error, "which picture a label got could not be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tag_got_last_is_known_after_a_restart_and_damage_is_forgiven() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("labels");
        let notes = Notes::read(file.clone());
        assert!(!notes.has("00AA", "m1"));
        notes.note("00AA", "m1".into());
        let again = Notes::read(file.clone());
        assert!(again.has("00AA", "m1") && !again.has("00AA", "m2") && !again.has("00AB", "m1"));
        std::fs::write(&file, b"{\"00AA\": [").unwrap();
        assert!(!Notes::read(file).has("00AA", "m1"));
    }
}
