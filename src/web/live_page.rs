//! `/live`: what the cameras see with the tracks over it, who is here, what each display shows and
//! why, what happened lately, how long it took. Pictures are made from memory when asked for.

use super::display::{heartbeat, stream_of, stream_place, too_many_streams};
use super::live::{LiveTrack, Picture, Watching};
use super::refusal::no_such_page;
use super::screen::SlateView;
use super::{Shared, Web, assets, index};
use crate::display::DisplaySettings;
use crate::id::{CameraId, DisplayId};
use crate::publish::Screen;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Response};
use fast_image_resize as fir;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use maud::html;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior};

/// Width of a live picture; narrower ones keep theirs.
const WIDTH: u32 = 640;
/// JPEG quality of a live picture.
const QUALITY: u8 = 72;
/// How often a stream looks for news: no more pictures come than one each time.
const LOOK_EVERY: Duration = Duration::from_millis(60);
/// How long a request for the next picture waits for it.
const PICTURE_WITHIN: Duration = Duration::from_secs(3);

/// `GET /live`.
pub(super) async fn page(State(web): Web) -> Html<String> {
    let app = &web.app;
    let body = html! {
        main.live {
            div.cameras {
                @for camera in app.live.cameras() {
                    figure data-camera=(camera.id) {
                        div.picture {
                            canvas width="640" height="360" aria-label={ "Camera " (camera.id) } {}
                            p.waiting { "Waiting for a picture" }
                        }
                        figcaption { strong { (camera.id) } span { "zone " (camera.zone) } span.rate {} }
                    }
                }
            }
            div.below {
                div {
                    section.here { h2 { "Here now" } ul #here {} p.none #nobody { "No member is here." } }
                    section.speed {
                        h2 { "From camera to display" }
                        dl {
                            div { dt { "half within" } dd #p50 { "–" } }
                            div { dt { "95 of 100 within" } dd #p95 { "–" } }
                            div { dt { "measured" } dd #count { "0" } }
                        }
                    }
                    section.events { h2 { "Lately" } ol #events {} p.none #nothing { "Nothing yet." } }
                }
                section.screens {
                    h2 { "Displays" }
                    div #screens {
                        @for display in &app.displays {
                            article data-screen=(display.id) {
                                header {
                                    a href={ "/display/" (display.id) } {
                                        (display.title.as_deref().unwrap_or(display.id.as_str()))
                                    }
                                    span.for {}
                                }
                                p.greeting {}
                                ol lang=(index::tag(display.language)) {}
                            }
                        }
                    }
                }
            }
        }
        p.small #silent hidden { "The appliance does not answer. This page goes on trying." }
        script src=(assets::address("picture.js")) defer {}
        script src=(assets::address("live.js")) defer {}
    };
    index::frame("Live view", &app.store.name, &["pages.css", "live.css"], body)
}

/// One open stream of a live page.
struct Watcher {
    web: Arc<Shared>,
    watching: Watching,
    screens: Vec<(DisplaySettings, watch::Receiver<Screen>)>,
    pictures: Vec<(CameraId, watch::Receiver<Option<Arc<Picture>>>)>,
    stopping: watch::Receiver<bool>,
    look: Interval,
    beat: Interval,
    ready: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
}

#[derive(Serialize)]
struct Shows {
    display: DisplayId,
    slate: Option<SlateView>,
    alias: Option<String>,
}

#[derive(Serialize)]
struct Tracks<'a> {
    camera: &'a CameraId,
    number: u64,
    width: u32,
    height: u32,
    tracks: &'a [LiveTrack],
}

#[derive(Serialize)]
struct Beat {
    now: i64,
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            tokio::select! {
                _ = super::server::stopped(&mut self.stopping) => return None,
                _ = self.look.tick() => self.gather(),
                _ = self.beat.tick() => {
                    let now = self.web.app.clock.now().utc.as_millisecond();
                    self.push("beat", &Beat { now });
                }
            }
        }
    }

    /// Puts everything that is new into `ready`.
    fn gather(&mut self) {
        if self.watching.story.has_changed().unwrap_or(false) {
            self.watching.story.mark_unchanged();
            let story = self.web.app.live.story();
            self.push("story", &story);
        }
        for at in 0..self.screens.len() {
            let (display, screen) = &mut self.screens[at];
            if !screen.has_changed().unwrap_or(false) {
                continue;
            }
            let screen = screen.borrow_and_update().clone();
            let app = &self.web.app;
            let slate = screen.at(app.clock.now().utc);
            let alias = slate.and_then(|s| app.live.alias(&s.id));
            let slate = slate.map(|s| SlateView::new(s, &app.store));
            let shows = Shows { display: display.id.clone(), slate, alias };
            self.push("shows", &shows);
        }
        for at in 0..self.pictures.len() {
            let (camera, latest) = &mut self.pictures[at];
            if !latest.has_changed().unwrap_or(false) {
                continue;
            }
            let Some(picture) = latest.borrow_and_update().clone() else { continue };
            let camera = camera.clone();
            let (width, height) = picture.frame.image.dimensions();
            let tracks = &picture.frame.tracks;
            self.push("tracks", &Tracks { camera: &camera, number: picture.number, width, height, tracks });
        }
    }

    fn push(&mut self, name: &str, data: &impl Serialize) {
        self.ready.extend(Event::default().event(name).json_data(data).ok());
    }
}

/// `GET /live/events`.
pub(super) async fn events(State(web): Web) -> Response {
    let mut watching = web.app.live.watch();
    let Some(place) = stream_place(&web) else { return too_many_streams() };
    watching.story.mark_changed();
    let follow = |display: &DisplaySettings| {
        let mut screen = web.app.desired.watch(&display.id)?;
        screen.mark_changed();
        Some((display.clone(), screen))
    };
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watcher = Watcher {
        watching,
        screens: web.app.displays.iter().filter_map(follow).collect(),
        pictures: web
            .app
            .live
            .cameras()
            .filter_map(|c| Some((c.id.clone(), web.app.live.pictures(&c.id)?)))
            .collect(),
        stopping: web.stopping.clone(),
        look,
        beat: heartbeat(),
        ready: VecDeque::new(),
        _place: place,
        web,
    };
    Sse::new(stream_of(watcher, |w| Box::pin(w.next()))).into_response()
}

/// Which picture a watcher has already.
#[derive(Deserialize)]
pub(super) struct After {
    after: Option<u64>,
}

/// `GET /live/<camera>.jpg?after=N`: the newest picture once it is another than N. Its number is in
/// the header `x-picture`.
pub(super) async fn picture(
    State(web): Web,
    Path(name): Path<String>,
    Query(after): Query<After>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let camera = name.strip_suffix(".jpg").and_then(|id| CameraId::new(id).ok());
    let Some(mut pictures) = camera.and_then(|c| web.app.live.pictures(&c)) else {
        return no_such_page(uri, headers).await;
    };
    // who asks for a picture watches, so that one is handed over even if no stream is open
    let _watching = web.app.live.watch();
    let newer = |p: &Option<Arc<Picture>>| p.as_ref().is_some_and(|p| Some(p.number) != after.after);
    let mut stopping = web.stopping.clone();
    let found = tokio::select! {
        found = tokio::time::timeout(PICTURE_WITHIN, pictures.wait_for(newer)) =>
            found.ok().and_then(Result::ok).and_then(|picture| picture.clone()),
        _ = super::server::stopped(&mut stopping) => None,
    };
    let Some(picture) = found else { return StatusCode::NO_CONTENT.into_response() };
    let number = picture.number;
    let made =
        tokio::task::spawn_blocking(move || picture.jpeg.get_or_init(|| jpeg(&picture.frame.image)).clone());
    match made.await {
        Ok(jpeg) if !jpeg.is_empty() => (
            [
                (header::CONTENT_TYPE, "image/jpeg".to_owned()),
                (header::HeaderName::from_static("x-picture"), number.to_string()),
            ],
            jpeg,
        )
            .into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

/// A JPEG at most [`WIDTH`] wide; empty if it cannot be made.
fn jpeg(image: &image::RgbImage) -> Bytes {
    smaller_jpeg(image).unwrap_or_else(|error| {
        tracing::debug!(%error, "a live picture could not be made");
        Bytes::new()
    })
}

fn smaller_jpeg(image: &image::RgbImage) -> anyhow::Result<Bytes> {
    let (width, height) = image.dimensions();
    anyhow::ensure!(width > 0 && height > 0, "the picture is empty");
    let mut bytes = Vec::with_capacity(48 * 1024);
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    if width <= WIDTH {
        encoder.write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8)?;
        return Ok(bytes.into());
    }
    let (to_width, to_height) = (WIDTH, (height * WIDTH / width).max(1));
    let source = fir::images::ImageRef::new(width, height, image.as_raw(), fir::PixelType::U8x3)?;
    let mut target = fir::images::Image::new(to_width, to_height, fir::PixelType::U8x3);
    let options =
        fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Bilinear));
    fir::Resizer::new().resize(&source, &mut target, &options)?;
    encoder.write_image(target.buffer(), to_width, to_height, ExtendedColorType::Rgb8)?;
    Ok(bytes.into())
}
