//! Follows one camera: a pure state machine over moments. The camera's thread tells it what
//! happened.
//!
//! The state is worked out from those moments whenever someone asks, so a camera whose thread
//! hangs in a driver turns silent on time all the same. Each change of state is logged once.

use super::{CameraCounts, CameraHealth, CameraState, Trouble};
use crate::camera::decode::DecodeError;
use crate::camera::pace::Backoff;
use crate::camera::settings::CameraSettings;
use crate::clock::Now;
use crate::id::{CameraId, ZoneId};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// A picture darker than this on average (0..255) ...
const BLACK_MEAN: f32 = 8.0;
/// ... and with less between its darkest and brightest part shows nothing.
const BLACK_CONTRAST: u8 = 10;
/// A camera that showed nothing for this long is black.
const BLACK_AFTER: Duration = Duration::from_secs(4);
/// So many frames in a row that cannot be decoded are garbage.
const GARBAGE_FRAMES: u32 = 3;
/// Frames a second are counted over this time.
const FPS_WINDOW: Duration = Duration::from_secs(5);
/// At most so many arrivals are remembered for it.
const FPS_ARRIVALS: usize = 512;

/// Follows one camera.
#[derive(Debug)]
pub(crate) struct Watch {
    id: CameraId,
    zone: ZoneId,
    source: String,
    /// How long nothing may come.
    silence: Duration,
    /// When the present attempt to open began or succeeded.
    opened: Now,
    arrived: Option<Now>,
    arrivals: VecDeque<Duration>,
    good: Option<Now>,
    good_frames: u64,
    bad_in_a_row: u32,
    bad: Option<String>,
    black_since: Option<Now>,
    failure: Option<Trouble>,
    retry: Option<Duration>,
    ended: bool,
    size: Option<(u32, u32)>,
    counts: CameraCounts,
    noticed: (CameraState, Timestamp),
}

impl Watch {
    pub(crate) fn new(settings: &CameraSettings, now: Now) -> Self {
        Watch {
            id: settings.id.clone(),
            zone: settings.zone.clone(),
            source: format!("{:?}", settings.source),
            silence: settings.silence,
            opened: now,
            arrived: None,
            arrivals: VecDeque::new(),
            good: None,
            good_frames: 0,
            bad_in_a_row: 0,
            bad: None,
            black_since: None,
            failure: None,
            retry: None,
            ended: false,
            size: None,
            counts: CameraCounts::default(),
            noticed: (CameraState::Starting, now.utc),
        }
    }

    /// An attempt to open the source begins.
    pub(crate) fn opening(&mut self, now: Now) {
        self.opened = now;
        self.arrived = None;
        self.good_frames = 0;
        self.bad_in_a_row = 0;
        self.black_since = None;
        self.retry = None;
    }

    /// The source is open; nothing may come for `silence` at most.
    pub(crate) fn opened(&mut self, now: Now, silence: Duration) {
        self.opened = now;
        self.silence = silence;
        self.counts.reopened += u64::from(self.failure.is_some());
    }

    /// A frame's bytes arrived; its number.
    pub(crate) fn arrived(&mut self, now: Now) -> u64 {
        self.arrived = Some(now);
        if self.arrivals.len() == FPS_ARRIVALS {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(now.mono);
        self.counts.frames += 1;
        self.counts.frames
    }

    /// The frame came too soon after the last.
    pub(crate) fn limited(&mut self) {
        self.counts.limited += 1;
    }

    /// The frame showed nothing new.
    pub(crate) fn gated(&mut self) {
        self.counts.gated += 1;
    }

    /// The frame went into the mailbox, and perhaps replaced one there.
    pub(crate) fn delivered(&mut self, replaced: bool) {
        self.counts.delivered += 1;
        self.counts.dropped += u64::from(replaced);
    }

    /// The frame is a picture of this size, brightness and contrast.
    pub(crate) fn decoded(&mut self, now: Now, size: (u32, u32), mean: f32, contrast: u8) {
        self.counts.decoded += 1;
        self.size = Some(size);
        self.good = Some(now);
        self.bad_in_a_row = 0;
        self.bad = None;
        if mean < BLACK_MEAN && contrast < BLACK_CONTRAST {
            self.black_since.get_or_insert(now);
        } else {
            self.black_since = None;
            self.good_frames += 1;
        }
        let black = self.failure.as_ref().is_some_and(|f| f.state == CameraState::Black);
        if !black || self.black_since.is_none() {
            self.failure = None;
        }
    }

    /// The frame is no picture.
    pub(crate) fn undecodable(&mut self, error: &DecodeError) {
        self.counts.undecodable += 1;
        self.bad_in_a_row += 1;
        self.bad = Some(error.to_string());
    }

    /// The attempt failed; the next begins after `retry`.
    pub(crate) fn failed(&mut self, now: Now, trouble: Trouble, retry: Duration) {
        self.failure = Some(trouble);
        self.retry = Some(now.mono + retry);
    }

    /// The source came to its end.
    pub(crate) fn ended(&mut self) {
        self.ended = true;
    }

    /// Pictures that showed something since the source was opened.
    pub(crate) fn good_frames(&self) -> u64 {
        self.good_frames
    }

    /// Why the source should be opened anew, if it should: silent, garbage, or black for long.
    pub(crate) fn complaint(&self, now: Now) -> Option<Trouble> {
        let seconds = |time: Duration| time.as_secs_f32().round();
        let last = self.arrived.unwrap_or(self.opened);
        if now.since(last) >= self.silence {
            return Some(Trouble::silent(format!("no frame for {} s", seconds(now.since(last)))));
        }
        let good = self.good.map_or(self.opened, |good| good.max(self.opened));
        if self.bad_in_a_row >= GARBAGE_FRAMES && now.since(good) >= self.silence {
            let bad = self.bad.as_deref().unwrap_or_default();
            return Some(Trouble::garbage(format!(
                "no picture among {} frames; the last: {bad}",
                self.bad_in_a_row
            )));
        }
        let black = self.black_since.map_or(Duration::ZERO, |since| now.since(since));
        if black >= Backoff::MOST {
            return Some(Trouble::black(format!("black for {} s", seconds(black))));
        }
        None
    }

    fn state(&self, now: Now) -> CameraState {
        let last = self.arrived.unwrap_or(self.opened);
        if self.ended {
            CameraState::Ended
        } else if let Some(failure) = &self.failure {
            failure.state
        } else if now.since(last) >= self.silence {
            CameraState::Silent
        } else if self.bad_in_a_row >= GARBAGE_FRAMES {
            CameraState::Garbage
        } else if self.black_since.is_some_and(|since| now.since(since) >= BLACK_AFTER) {
            CameraState::Black
        } else if self.good.is_none() {
            CameraState::Starting
        } else {
            CameraState::Live
        }
    }

    fn error(&self, state: CameraState) -> Option<String> {
        match state {
            CameraState::Starting | CameraState::Live | CameraState::Ended => None,
            CameraState::Garbage if self.failure.is_none() => self.bad.clone(),
            _ => self.failure.as_ref().map(|f| f.what.clone()),
        }
    }

    /// The state at `now`, and the one before if it has changed since this was last asked.
    pub(crate) fn observe(&mut self, now: Now) -> (CameraState, Option<CameraState>) {
        let state = self.state(now);
        let before = (self.noticed.0 != state).then_some(self.noticed.0);
        if before.is_some() {
            self.noticed = (state, now.utc);
        }
        (state, before)
    }

    /// Logs the state if it has changed since this was last called.
    pub(crate) fn log_changes(&mut self, now: Now) {
        let (state, Some(before)) = self.observe(now) else { return };
        let (camera, source) = (&self.id, &self.source);
        let (state_name, before) = (state.as_str(), before.as_str());
        let error = self.error(state).unwrap_or_default();
        match state.advice() {
            Some(advice) => tracing::warn!(
                id = %format_args!("camera-{state_name}"), %camera, %source, state = state_name, before, %error,
                "camera {camera} is {state_name}: {advice}; it is tried again by itself"
            ),
            None => {
                tracing::info!(%camera, %source, state = state_name, before, "camera {camera} is {state_name}")
            }
        }
    }

    /// Everything that is known at `now`.
    pub(crate) fn snapshot(&mut self, now: Now) -> CameraHealth {
        self.log_changes(now);
        let (state, since) = self.noticed;
        let window = self.arrivals.iter().filter(|at| now.mono.saturating_sub(**at) < FPS_WINDOW);
        let lived = now.since(self.opened).clamp(Duration::from_secs(1), FPS_WINDOW);
        CameraHealth {
            id: self.id.clone(),
            zone: self.zone.clone(),
            source: self.source.clone(),
            state,
            since,
            last_frame: self.arrived.map(|at| at.utc),
            error: self.error(state),
            advice: state.advice(),
            retry_in: self.retry.map(|at| at.saturating_sub(now.mono).as_secs_f32()),
            fps: window.count() as f32 / lived.as_secs_f32(),
            size: self.size,
            counts: self.counts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::settings::{Source, Url};
    use crate::clock::Clock;

    struct Scene {
        clock: Clock,
        health: Watch,
    }

    impl Scene {
        fn new() -> Self {
            let clock = Clock::simulated("2026-03-01T09:00:00Z".parse().unwrap());
            let settings = CameraSettings {
                id: CameraId::new("door").unwrap(),
                zone: ZoneId::new("tea").unwrap(),
                source: Source::Mjpeg { url: Url::new("http://u:hush@h/v") },
                max_fps: 10.0,
                motion: 0.004,
                silence: Duration::from_secs(5),
            };
            let mut health = Watch::new(&settings, clock.now());
            health.opening(clock.now());
            health.opened(clock.now(), settings.silence);
            Scene { clock, health }
        }

        /// Lets `tenths` of a second pass, each with what `step` does.
        fn run(&mut self, tenths: u64, mut step: impl FnMut(&mut Watch, Now)) -> CameraState {
            for _ in 0..tenths {
                self.clock.advance(Duration::from_millis(100));
                step(&mut self.health, self.clock.now());
            }
            self.state()
        }

        fn state(&mut self) -> CameraState {
            self.health.snapshot(self.clock.now()).state
        }
    }

    fn good(health: &mut Watch, now: Now) {
        health.arrived(now);
        health.decoded(now, (640, 360), 120.0, 200);
    }

    fn black(health: &mut Watch, now: Now) {
        health.arrived(now);
        health.decoded(now, (640, 360), 2.0, 3);
    }

    fn garbage(health: &mut Watch, now: Now) {
        health.arrived(now);
        health.undecodable(&DecodeError::CutShort);
    }

    #[test]
    fn a_silent_camera_is_noticed_after_its_silence_even_if_nobody_reports_it() {
        let mut scene = Scene::new();
        assert_eq!(scene.state(), CameraState::Starting);
        assert_eq!(scene.run(3, good), CameraState::Live);
        assert_eq!(scene.run(49, |_, _| ()), CameraState::Live);
        assert_eq!(scene.run(1, |_, _| ()), CameraState::Silent);
        assert!(scene.health.complaint(scene.clock.now()).is_some());
        assert_eq!(scene.run(1, good), CameraState::Live);
    }

    #[test]
    fn a_black_camera_is_noticed_within_five_seconds_and_opened_anew_after_thirty() {
        let mut scene = Scene::new();
        scene.run(30, good);
        assert_eq!(scene.run(50, black), CameraState::Black);
        assert_eq!(scene.health.complaint(scene.clock.now()), None);
        scene.run(251, black);
        let trouble = scene.health.complaint(scene.clock.now()).unwrap();
        let now = scene.clock.now();
        scene.health.failed(now, trouble, Duration::from_secs(1));
        scene.run(10, |_, _| ());
        let now = scene.clock.now();
        scene.health.opening(now);
        scene.health.opened(now, Duration::from_secs(5));
        assert_eq!(scene.run(5, black), CameraState::Black, "still black while it is opened anew");
        assert_eq!(scene.health.good_frames(), 0);
        assert_eq!(scene.run(1, good), CameraState::Live);
    }

    #[test]
    fn garbage_is_noticed_at_the_third_frame_and_named() {
        let mut scene = Scene::new();
        scene.run(5, good);
        assert_eq!(scene.run(2, garbage), CameraState::Live);
        assert_eq!(scene.run(1, garbage), CameraState::Garbage);
        let snapshot = scene.health.snapshot(scene.clock.now());
        assert_eq!(snapshot.error.as_deref(), Some(DecodeError::CutShort.to_string().as_str()));
        assert_eq!(scene.health.complaint(scene.clock.now()), None);
        scene.run(50, garbage);
        assert_eq!(scene.health.complaint(scene.clock.now()).unwrap().state, CameraState::Garbage);
    }

    #[test]
    fn a_failure_shows_until_the_first_good_frame() {
        let mut scene = Scene::new();
        let now = scene.clock.now();
        scene.health.failed(now, Trouble::lost("connection refused"), Duration::from_secs(4));
        scene.run(10, |_, _| ());
        let snapshot = scene.health.snapshot(scene.clock.now());
        assert_eq!((snapshot.state, snapshot.retry_in), (CameraState::Lost, Some(3.0)));
        assert_eq!(snapshot.error.as_deref(), Some("connection refused"));
        let now = scene.clock.now();
        scene.health.opening(now);
        scene.health.opened(now, Duration::from_secs(5));
        assert_eq!(scene.state(), CameraState::Lost);
        assert_eq!(scene.run(1, good), CameraState::Live);
        let snapshot = scene.health.snapshot(scene.clock.now());
        assert_eq!((snapshot.error, snapshot.retry_in, snapshot.counts.reopened), (None, None, 1));
    }

    #[test]
    fn a_change_of_state_is_reported_once() {
        let mut scene = Scene::new();
        scene.run(1, |health, now| {
            health.arrived(now);
            health.decoded(now, (640, 360), 120.0, 200);
            assert_eq!(health.observe(now), (CameraState::Live, Some(CameraState::Starting)));
            assert_eq!(health.observe(now), (CameraState::Live, None));
        });
    }

    #[test]
    fn frames_a_second_are_those_of_the_last_seconds() {
        let mut scene = Scene::new();
        scene.run(100, good);
        assert!((scene.health.snapshot(scene.clock.now()).fps - 10.0).abs() < 0.3);
        scene.run(25, |_, _| ());
        assert!((scene.health.snapshot(scene.clock.now()).fps - 5.0).abs() < 0.3);
        assert!(scene.health.arrivals.len() <= FPS_ARRIVALS);
    }

    #[test]
    fn a_snapshot_can_be_shown_to_anyone() {
        let mut scene = Scene::new();
        let json = serde_json::to_string(&scene.health.snapshot(scene.clock.now())).unwrap();
        assert!(json.contains(r#""state":"starting""#) && !json.contains("hush"), "{json}");
    }
}
