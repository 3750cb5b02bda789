//! `/staff`: who is here, what is shown to them and why, and what staff may do about it.
//!
//! What always holds: only who is signed in gets here; members appear by alias; every look at what is
//! kept of a member is by the card that the member hands over, and is audited.

use super::display::{heartbeat, stream_of, stream_place, too_many_streams};
use super::refusal::{Fault, fault_json};
use super::screen::SlateView;
use super::session::Session;
use super::{Guest, Request, Shared, StaffAct, Swap, Web, api, assets, inbound, index};
use crate::display::Ack;
use crate::id::SlateId;
use crate::storage::Role;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Interval;

/// What pages of people who are signed in share.
pub(super) fn frame(
    web: &Shared,
    session: &Session,
    title: &str,
    script: &str,
    body: Markup,
) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (index::head(&format!("{title} · {}", web.app.store.name), &["pages.css", "staff.css"]))
                script src=(assets::address("session.js")) defer {}
                script src=(assets::address(script)) defer {}
            }
            body.page.work data-csrf=(session.csrf) {
                header.top {
                    span.store { (web.app.store.name) }
                    h1 { (title) }
                    nav {
                        a href="/staff" { "Staff" }
                        @if session.role == Role::Admin {
                            a href="/admin" { "Administration" }
                            @if web.app.live.has_page() { a href="/live" { "Live view" } }
                            a href="/status" { "Status" }
                        }
                        span.who { (session.name) }
                        button #sign-out type="button" { "Sign out" }
                    }
                }
                (body)
                p.away #away role="status" hidden { "Reconnecting" }
            }
        }
    };
    Html(page.into_string())
}

/// `GET /staff`.
pub(super) async fn page(State(web): Web, Extension(session): Extension<Session>) -> Html<String> {
    let body = html! {
        main.staff {
            section aria-labelledby="here-title" {
                h2 #here-title { "Here now" }
                p.none #nobody { "No member is here." }
                div.guests #guests aria-live="polite" {}
            }
            aside {
                section {
                    h2 { "Find a product" }
                    form #search role="search" {
                        label.hidden-label for="words" { "Name, number, brand or category" }
                        input #words type="search" placeholder="Name, number, brand" maxlength="64" autocomplete="off";
                        button type="submit" { "Find" }
                    }
                    ul.found #found aria-live="polite" {}
                }
                section {
                    h2 { "A member's card" }
                    form #member {
                        label.hidden-label for="card" { "Card number" }
                        input #card type="text" placeholder="Card number" maxlength="64" autocomplete="off";
                        button type="submit" { "Look up" }
                    }
                    div.found #member-found aria-live="polite" {}
                }
                section {
                    h2 { "Today" }
                    dl.day #day {}
                }
            }
        }
        // What is printed for a member; never on the screen.
        section.copy #copy {}
    };
    frame(&web, &session, "Staff", "staff.js", body)
}

/// A guest as the page reads it.
#[derive(Serialize)]
struct GuestView {
    visit: String,
    alias: String,
    zone: String,
    /// Unix milliseconds.
    since: i64,
    joined: Option<String>,
    score: Option<f32>,
    slates: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    display: String,
    #[serde(flatten)]
    slate: SlateView,
}

fn view(guest: &Guest, web: &Shared) -> GuestView {
    let shown = |(display, slate): &(crate::id::DisplayId, Arc<crate::recommend::Slate>)| Shown {
        display: display.to_string(),
        slate: SlateView::new(slate, &web.app.store),
    };
    GuestView {
        visit: guest.visit(),
        alias: guest.alias.clone(),
        zone: guest.zone.to_string(),
        since: guest.since.as_millisecond(),
        joined: guest.joined.map(|t| t.strftime("%F").to_string()),
        score: guest.score,
        slates: guest.slates.iter().map(shown).collect(),
    }
}

struct Follower {
    web: Arc<Shared>,
    guests: watch::Receiver<Vec<Guest>>,
    stopping: watch::Receiver<bool>,
    beat: Interval,
    first: bool,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::take(&mut self.first) {
            tokio::select! {
                _ = super::server::stopped(&mut self.stopping) => return None,
                changed = self.guests.changed() => changed.ok()?,
                _ = self.beat.tick() => {
                    return Event::default().event("beat").json_data(json!({"now": self.now()})).ok();
                }
            }
        }
        let guests: Vec<GuestView> =
            self.guests.borrow_and_update().iter().map(|g| view(g, &self.web)).collect();
        Event::default().event("here").json_data(json!({"now": self.now(), "guests": guests})).ok()
    }

    fn now(&self) -> i64 {
        self.web.app.clock.now().utc.as_millisecond()
    }
}

/// `GET /staff/events`.
pub(super) async fn events(State(web): Web) -> Response {
    let Some(place) = stream_place(&web) else { return too_many_streams() };
    let follower = Follower {
        guests: web.app.floor.watch(),
        stopping: web.stopping.clone(),
        beat: heartbeat(),
        first: true,
        _place: place,
        web,
    };
    Sse::new(stream_of(follower, |f| Box::pin(f.next()))).into_response()
}

/// `POST /staff/do`.
pub(super) async fn act(
    State(web): Web,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let done = async {
        let bytes = api::json_body(&headers, body)?;
        let act = inbound::staff::act(&bytes)
            .map_err(|fault| fault_json(StatusCode::UNPROCESSABLE_ENTITY, fault))?;
        match act {
            StaffAct::NotThem { visit } => {
                let guest = web.app.floor.watch().borrow().iter().find(|g| g.visit() == visit).cloned();
                if let Some(guest) = guest {
                    tracing::info!(by = session.name, zone = %guest.zone, "not this person");
                    api::hand_over(&web, Request::NotThem(guest.member, guest.zone))?;
                }
                Ok(Json(json!({})))
            }
            StaffAct::Item { display, slate, sku, kind } => {
                let received = web.app.clock.now().utc;
                let ack = Ack { display, slate: SlateId(slate), kind, sku: Some(sku), received };
                api::hand_over(&web, Request::Ack(ack))?;
                Ok(Json(json!({})))
            }
            StaffAct::Instead { visit, display, sku } => {
                let guest = web.app.floor.watch().borrow().iter().find(|g| g.visit() == visit).cloned();
                let Some(guest) = guest else { return Ok(Json(json!({"instead": []}))) };
                let found =
                    api::ask(&web, |reply| Request::Instead(guest.member, display, sku, reply)).await?;
                Ok(Json(json!({"instead": found.map_err(IntoResponse::into_response)?})))
            }
            StaffAct::Swap { display, slate, sku, with } => {
                tracing::info!(by = session.name, slate, sku, with, "swapped on a slate");
                let swap = Swap { display, slate: SlateId(slate), sku, with };
                let done = api::ask(&web, |reply| Request::Swap(swap, reply)).await?;
                Ok(Json(json!({"done": done.map_err(IntoResponse::into_response)?})))
            }
            StaffAct::Copy { card } => {
                let copy = api::ask(&web, |reply| Request::Copy(card, session.name.clone(), reply)).await?;
                let copy = copy.map_err(IntoResponse::into_response)?.ok_or_else(unknown_card)?;
                Ok(Json(json!({"copy": copy})))
            }
            StaffAct::Search { words } => {
                let found = api::ask(&web, |reply| Request::Search(words, reply)).await?;
                Ok(Json(json!({"found": found.map_err(IntoResponse::into_response)?})))
            }
            StaffAct::Member { card } => {
                let found =
                    api::ask(&web, |reply| Request::Member(card, session.name.clone(), reply)).await?;
                let member = found.map_err(IntoResponse::into_response)?.ok_or_else(unknown_card)?;
                Ok(Json(json!({"member": member})))
            }
            StaffAct::Day => {
                let day = api::ask(&web, Request::Day).await?;
                Ok::<_, Response>(Json(json!({"day": day.map_err(IntoResponse::into_response)?})))
            }
        }
    };
    done.await.into_response()
}

fn unknown_card() -> Response {
    fault_json(StatusCode::NOT_FOUND, Fault::new("no member has this card", "card", "Check the number."))
}
