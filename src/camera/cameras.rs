//! All cameras of the shop: starts a thread for each, tells how they are, takes what browsers
//! post, changes those whose settings changed, and stops them.

use crate::camera::attention::Attention;
use crate::camera::decode::{self, DecodeError};
use crate::camera::health::{CameraHealth, Watch};
use crate::camera::mailbox::Mailbox;
use crate::camera::run::Thread;
use crate::camera::settings::{CameraSettings, Source};
pub use crate::camera::source::DemoFeed;
use crate::camera::source::{BrowserSlot, SharedFeed, Supplies};
use crate::camera::stop::Stop;
use crate::clock::Clock;
use crate::id::CameraId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long [`Cameras::stop`] waits for the threads.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Why cameras cannot be started. None was started or changed then, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Two cameras of one name.
    #[error("two cameras are named \"{0}\": give each its own id")]
    Twice(CameraId),
    /// A camera of the demo outside the demo.
    #[error("camera \"{0}\" has the source \"demo\", which only `shopguide demo` provides")]
    NoFeed(CameraId),
    /// The machine has no thread to give. Cameras before this one are running.
    #[error("no thread for camera \"{0}\": {1}; check the service's TasksMax and the memory")]
    Thread(CameraId, std::io::Error),
}

/// Why a browser's picture was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// No camera of that name.
    #[error("there is no camera \"{0}\"")]
    NoSuchCamera(CameraId),
    /// The camera has another source.
    #[error("camera \"{0}\" takes no posts: its source is not \"browser\"")]
    NotABrowser(CameraId),
    /// Not a JPEG or PNG, or too large.
    #[error(transparent)]
    NotAnImage(#[from] DecodeError),
}

struct Running {
    settings: CameraSettings,
    health: Arc<Mutex<Watch>>,
    browser: BrowserSlot,
    stop: Stop,
    thread: JoinHandle<()>,
}

/// The running cameras. Dropping it tells them to stop without waiting; [`Cameras::stop`] waits.
pub struct Cameras {
    clock: Clock,
    mailbox: Mailbox,
    attention: Attention,
    feeds: HashMap<CameraId, SharedFeed>,
    running: Mutex<BTreeMap<CameraId, Running>>,
    /// Held while cameras are being changed, which may take seconds.
    changing: Mutex<()>,
}

impl Cameras {
    /// Starts a thread for each camera, named `camera-<id>`. They deliver into `mailbox`; `feeds`
    /// has a renderer for each camera whose source is the demo. `clock` must be the system's, or
    /// move as fast: the cameras' pace is measured by it. That a camera cannot be opened is no
    /// error here: it is tried again and shown by [`Cameras::health`].
    pub fn start(
        settings: &[CameraSettings],
        clock: Clock,
        mailbox: Mailbox,
        feeds: HashMap<CameraId, DemoFeed>,
    ) -> Result<Cameras, StartError> {
        let feeds = feeds.into_iter().map(|(id, feed)| (id, Arc::new(Mutex::new(feed)))).collect();
        let cameras = Cameras {
            clock,
            mailbox,
            attention: Attention::default(),
            feeds,
            running: Mutex::new(BTreeMap::new()),
            changing: Mutex::new(()),
        };
        cameras.replace(settings)?;
        Ok(cameras)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<CameraId, Running>> {
        self.running.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// What vision tells of the faces it sees, so that the motion gates stay open for them.
    pub fn attention(&self) -> Attention {
        self.attention.clone()
    }

    /// How every camera is, in order of their names. Also notices (and logs) a camera whose
    /// thread hangs, so call it every second or so.
    pub fn health(&self) -> Vec<CameraHealth> {
        let now = self.clock.now();
        let snapshot = |r: &Running| r.health.lock().unwrap_or_else(|e| e.into_inner()).snapshot(now);
        self.running().values().map(snapshot).collect()
    }

    /// Takes a JPEG or PNG that the browser behind `camera` posted. Does not wait: the camera's
    /// thread decodes it, and a newer one replaces it if that takes too long. Only size and format
    /// are checked here; [`Cameras::health`] shows what could not be decoded.
    pub fn post(&self, camera: &CameraId, bytes: Vec<u8>) -> Result<(), PostError> {
        decode::sniff(&bytes)?;
        let running = self.running();
        let found = running.get(camera).ok_or_else(|| PostError::NoSuchCamera(camera.clone()))?;
        if found.settings.source != Source::Browser {
            return Err(PostError::NotABrowser(camera.clone()));
        }
        found.browser.put(bytes);
        Ok(())
    }

    /// Makes the running cameras those of `settings`: starts new ones, stops those that are gone,
    /// restarts those whose settings differ, and leaves the others alone. Returns the names of
    /// those that were started, stopped or restarted.
    pub fn replace(&self, settings: &[CameraSettings]) -> Result<Vec<CameraId>, StartError> {
        let mut wanted = BTreeMap::new();
        for camera in settings {
            if camera.source == Source::Demo && !self.feeds.contains_key(&camera.id) {
                return Err(StartError::NoFeed(camera.id.clone()));
            }
            if wanted.insert(camera.id.clone(), camera).is_some() {
                return Err(StartError::Twice(camera.id.clone()));
            }
        }
        let _changing = self.changing.lock().unwrap_or_else(|e| e.into_inner());
        let mut running = self.running();
        let gone: Vec<Running> = running
            .extract_if(.., |id, r| wanted.get(id).is_none_or(|w| **w != r.settings))
            .map(|(_, r)| r)
            .collect();
        let mut changed: BTreeSet<CameraId> = gone.iter().map(|r| r.settings.id.clone()).collect();
        drop(running);
        stop_all(gone);
        for id in &changed {
            self.attention.forget(id);
            self.mailbox.remove(id);
        }
        let mut running = self.running();
        for (id, camera) in wanted {
            if !running.contains_key(&id) {
                running.insert(id.clone(), self.spawn(camera)?);
                changed.insert(id);
            }
        }
        Ok(changed.into_iter().collect())
    }

    fn spawn(&self, settings: &CameraSettings) -> Result<Running, StartError> {
        let id = settings.id.clone();
        let health = Arc::new(Mutex::new(Watch::new(settings, self.clock.now())));
        let (stop, browser) = (Stop::default(), BrowserSlot::default());
        let thread = Thread {
            settings: settings.clone(),
            clock: self.clock.clone(),
            mailbox: self.mailbox.clone(),
            attention: self.attention.clone(),
            supplies: Supplies { browser: browser.clone(), feed: self.feeds.get(&id).cloned() },
            health: health.clone(),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("camera-{id}"))
            .spawn(move || thread.run())
            .map_err(|error| StartError::Thread(id, error))?;
        Ok(Running { settings: settings.clone(), health, browser, stop, thread })
    }

    /// Stops every camera and closes the mailbox. Returns within 5 s, also when a driver holds a
    /// thread; such a thread is named in the log and left behind.
    pub fn stop(&self) {
        let _changing = self.changing.lock().unwrap_or_else(|e| e.into_inner());
        let running = std::mem::take(&mut *self.running());
        self.mailbox.close();
        stop_all(running.into_values().collect());
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        for running in self.running().values() {
            running.stop.set();
        }
    }
}

/// Tells all of them to stop, then waits for them together.
fn stop_all(cameras: Vec<Running>) {
    for camera in &cameras {
        camera.stop.set();
    }
    let end = Instant::now() + STOP_WITHIN;
    for camera in cameras {
        while !camera.thread.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let id = &camera.settings.id;
        if !camera.thread.is_finished() {
            tracing::error!(id = "camera-thread-stuck", camera = %id, "the thread of camera {id} does not stop (a driver holds it?); left behind");
        } else if camera.thread.join().is_err() {
            tracing::error!(id = "thread-failed", camera = %id, "the thread of camera {id} had failed");
        }
    }
}
