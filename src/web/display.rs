//! The shelf display's page: a shell that never reloads, the stream that tells it what to show,
//! and its word about what it really showed.
//!
//! What always holds: on connect the present state comes first; a heartbeat follows every five
//! seconds, so that the page notices a lost appliance; a personal slate carries its end, and the
//! page hides it by its own clock (set by ours), also when nothing of us reaches it.

use super::refusal::{Fault, come_again, fault_json, in_words};
use super::screen::ScreenView;
use super::{HEARTBEAT, Request, Shared, Web, api, assets, index};
use crate::display::{Ack, AckKind, DisplaySettings, Layout};
use crate::id::SlateId;
use crate::publish::Screen;
use crate::recommend::Language;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, Stream};
use maud::{DOCTYPE, html};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// The page's own words in its display's language.
struct Words {
    welcome: &'static str,
    away: &'static str,
    not_for_me: &'static str,
    place: &'static str,
}

fn words(language: Language) -> Words {
    match language {
        Language::En => Words {
            welcome: "Welcome",
            away: "Reconnecting",
            not_for_me: "Not for me",
            place: "Where to find it",
        },
        Language::Zh => {
            Words {
                welcome: "欢迎光临", away: "正在重新连接", not_for_me: "不感兴趣", place: "位置"
            }
        }
    }
}

fn unknown(headers: &HeaderMap) -> Response {
    in_words(
        headers,
        StatusCode::NOT_FOUND,
        "There is no display of this name",
        "Open one from the first page, or add a [[display]] to the configuration.",
    )
}

/// `GET /display/<id>`.
pub(super) async fn page(State(web): Web, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let Some(display) = web.display(&id) else { return unknown(&headers) };
    let words = words(display.language);
    let store = &web.app.store.name;
    let title = display.title.as_deref().unwrap_or(store);
    let page = html! {
        (DOCTYPE)
        html lang=(index::tag(display.language)) {
            head {
                (index::head(title, &["display.css"]))
                script src=(assets::address("screen.js")) defer {}
                script src=(assets::address("display.js")) defer {}
            }
            body.display.paper[display.layout == Layout::Paper]
                data-layout=(display.layout.word()) data-display=(display.id) data-version=(*assets::VERSION)
                data-title=(title) data-not-for-me=(words.not_for_me) data-place=(words.place) {
                main #stage {
                    section.layer.empty.now {
                        div.welcome {
                            p.large { (words.welcome) }
                            p { (title) }
                            @if title != store.as_str() { p { (store) } }
                        }
                    }
                }
                p.away #away role="status" hidden { (words.away) }
            }
        }
    };
    Html(page.into_string()).into_response()
}

#[derive(Serialize)]
struct Beat {
    now: i64,
}

/// One open stream of a display's page.
struct Follower {
    web: Arc<Shared>,
    screens: watch::Receiver<Screen>,
    stopping: watch::Receiver<bool>,
    beat: Interval,
    first: bool,
    language: Option<Language>,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    /// The next event; `None` when the stream must end.
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::take(&mut self.first) {
            tokio::select! {
                _ = super::server::stopped(&mut self.stopping) => return None,
                changed = self.screens.changed() => changed.ok()?,
                _ = self.beat.tick() => {
                    let now = self.web.app.clock.now().utc.as_millisecond();
                    return Event::default().event("beat").json_data(Beat { now }).ok();
                }
            }
        }
        let screen = self.screens.borrow_and_update().clone();
        let app = &self.web.app;
        let now = app.clock.now().utc;
        let view = ScreenView::new(&screen, now, &assets::VERSION, &app.store, self.language);
        Event::default().event("screen").json_data(view).ok()
    }
}

/// What stands behind the `?` of a stream's address.
#[derive(Deserialize)]
pub(super) struct Asked {
    /// Reasons and greeting in this language instead of the display's own.
    lang: Option<Language>,
}

/// `GET /display/<id>/events`.
pub(super) async fn events(
    State(web): Web,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let Some(screens) = web.screen(&id).and_then(|d| web.app.desired.watch(&d.id)) else {
        return unknown(&headers);
    };
    let Some(place) = stream_place(&web) else { return too_many_streams() };
    let follower = Follower {
        screens,
        stopping: web.stopping.clone(),
        beat: heartbeat(),
        first: true,
        language: asked.lang,
        _place: place,
        web,
    };
    Sse::new(stream_of(follower, |f| Box::pin(f.next()))).into_response()
}

/// A stream from a state that gives one event after the other.
pub(super) fn stream_of<S: Send>(
    state: S,
    next: for<'a> fn(&'a mut S) -> BoxFuture<'a, Option<Event>>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(state, move |mut state| async move {
        let event = next(&mut state).await?;
        Some((Ok(event), state))
    })
}

/// A place among the open streams.
pub(super) fn stream_place(web: &Shared) -> Option<OwnedSemaphorePermit> {
    web.streams.clone().try_acquire_owned().ok()
}

/// All places are taken.
pub(super) fn too_many_streams() -> Response {
    let fault = Fault::new("too many pages are open", "", "Close some; the others go on.");
    come_again(fault_json(StatusCode::SERVICE_UNAVAILABLE, fault))
}

/// Ticks every [`HEARTBEAT`], the first time after one.
pub(super) fn heartbeat() -> Interval {
    let mut beat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

/// What a page posts about a slate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AckIn {
    slate: String,
    kind: AckKind,
    sku: Option<String>,
}

fn read_ack(bytes: &[u8], display: &DisplaySettings, received: jiff::Timestamp) -> Result<Ack, Fault> {
    let remedy = "Send {\"slate\": ID, \"kind\": \"shown\"|\"dismissed\"|\"taken\", \"sku\": SKU or none}.";
    let ack: AckIn = serde_json::from_slice(bytes)
        .map_err(|e| Fault::new(format!("this is no acknowledgement: {e}"), "", remedy))?;
    let word = |t: &str| (1..=64).contains(&t.chars().count()) && !t.chars().any(char::is_control);
    if !word(&ack.slate) {
        return Err(Fault::new("this is no slate id", "slate", remedy));
    }
    if ack.sku.as_deref().is_some_and(|sku| !word(sku)) {
        return Err(Fault::new("this is no SKU", "sku", remedy));
    }
    Ok(Ack { display: display.id.clone(), slate: SlateId(ack.slate), kind: ack.kind, sku: ack.sku, received })
}

/// `POST /display/<id>/ack`.
pub(super) async fn ack(
    State(web): Web,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(display) = web.screen(&id) else { return unknown(&headers) };
    let done = api::json_body(&headers, body).and_then(|bytes| {
        let ack = read_ack(&bytes, &display, web.app.clock.now().utc)
            .map_err(|fault| fault_json(StatusCode::UNPROCESSABLE_ENTITY, fault))?;
        api::hand_over(&web, Request::Ack(ack))?;
        Ok(StatusCode::ACCEPTED)
    });
    done.into_response()
}
