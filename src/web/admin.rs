//! `/admin`: what the cameras see, how recognition does, how good suggestions are, what is configured,
//! what is kept, who did what.
//!
//! What always holds: the cameras' pictures are shown only while an administrator has asked for them,
//! which is in the audit; none is ever kept.

mod plots;

use super::display::{heartbeat, stream_of, stream_place, too_many_streams};
use super::review::Doubt;
use super::session::Session;
use super::status::Health;
use super::{Request, Shared, Web, api, assets, guard, session, staff};
use crate::privacy::Audited;
use crate::storage::{Counts, User};
use crate::train::judged::Judged;
use crate::train::shelf::Listed;
use crate::vision::card::{Card, Task};
use axum::extract::{Extension, Request as HttpRequest, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Interval;

/// What the page shows of what is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Numbers of rows, and sizes.
    pub counts: Counts,
    /// The newest entries of the audit.
    pub audit: Vec<(u64, Audited)>,
    /// Whether the audit is as it was written, in words.
    pub audit_is: String,
    /// Who may sign in.
    pub users: Vec<User>,
    /// Scores that staff said were wrong.
    pub refused: Vec<f32>,
    /// The cards of the networks at work.
    pub networks: Vec<Card>,
    /// The trained rankers that are kept, the newest first.
    pub rankers: Vec<Listed>,
    /// What the gate found at each training, the oldest first.
    pub judged: Vec<Judged>,
}

/// `GET /admin`.
pub(super) async fn page(
    State(web): Web,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
) -> Response {
    let kept = match api::ask(&web, Request::Kept).await {
        Ok(Ok(kept)) => kept,
        Ok(Err(refused)) => return refused.into_response(),
        Err(refused) => return refused,
    };
    let host = headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or_default();
    let body = html! {
        main.admin {
            section #cameras { h2 { "Cameras" } (cameras(&web)) }
            section {
                h2 { "Why faces were not recognised" }
                p.small { "Live, while this page is open; for a minute, without pictures. A stranger is below the threshold, as it should be." }
                table {
                    thead { tr { th { "When" } th { "Camera" } th { "Zone" } th { "Reason" } th { "Width" } } }
                    tbody #doubts {}
                }
                p.none #no-doubts { "Nothing yet." }
            }
            section {
                h2 { "Scores" }
                (plots::distribution(&web.app.review.scores(), &kept.refused))
            }
            section { h2 { "How good suggestions are" } (plots::quality(&kept.judged)) }
            section { h2 { "Models" } (models(&kept)) }
            section { h2 { "How everything is" } (parts(&web)) }
            section { h2 { "Zones, cameras, displays, kiosks" } (places(&web, host)) }
            section { h2 { "What is kept" } (counts(&kept.counts)) }
            section {
                h2 { "Who may sign in" }
                table {
                    thead { tr { th { "Name" } th { "Role" } th { "Since" } } }
                    tbody { @for user in &kept.users {
                        tr { td { (user.name) } td { (user.role.word()) } td { (user.since.strftime("%F")) } }
                    } }
                }
                p.small { "Change it with " code { "shopguide users" } "." }
            }
            section {
                h2 { "Audit" }
                p.small { (kept.audit_is) }
                table {
                    thead { tr { th { "Entry" } th { "When (UTC)" } th { "Who" } th { "What" } th { "Member" } th { "Detail" } } }
                    tbody { @for (number, entry) in &kept.audit {
                        tr {
                            td { (number) } td { (entry.at.strftime("%F %T")) } td { (entry.by) }
                            td { (entry.action.word()) }
                            td { @if let Some(member) = entry.member { (member) } }
                            td { (entry.detail) }
                        }
                    } }
                }
            }
        }
    };
    staff::frame(&web, &session, "Administration", "admin.js", body).into_response()
}

/// The cameras, whose pictures come when they are asked for.
fn cameras(web: &Shared) -> Markup {
    html! {
        p.small {
            "Pictures with every face's box, and the score of members, come while you watch; who watched is in the \
             audit. Nothing of them is kept."
        }
        button #watch type="button" aria-pressed="false" { "Watch the cameras" }
        div.cameras #pictures hidden {
            @for camera in web.app.live.cameras() {
                figure data-camera=(camera.id) data-pictures="/admin/live" {
                    div.picture {
                        canvas width="640" height="360" aria-label={ "Camera " (camera.id) } {}
                        p.waiting { "Waiting for a picture" }
                    }
                    figcaption { strong { (camera.id) } span { "zone " (camera.zone) } span.rate {} }
                }
            }
        }
        script src=(assets::address("picture.js")) defer {}
    }
}

/// Every model at work or at hand, and what its card says.
fn models(kept: &Kept) -> Markup {
    let does = |task: Task| match task {
        Task::Detect => "finds faces",
        Task::Refine => "looks at each once more",
        Task::Embed => "tells faces apart",
    };
    html! {
        table {
            thead { tr { th { "Network" } th { "What it does" } th { "Its card" } th { "Licence" } } }
            tbody { @for card in &kept.networks {
                tr {
                    td { (card.id()) }
                    td { (does(card.task)) }
                    td {
                        "input " (card.input.size().0) "x" (card.input.size().1)
                        @if card.task == Task::Embed {
                            ", threshold " (card.threshold.matching) ", margin " (card.threshold.margin)
                            @if !card.threshold.set_on.is_empty() { ", set on " (card.threshold.set_on) }
                        } @else { ", threshold " (card.threshold.score) }
                        ", SHA-256 " code { (card.sha256.get(..12).unwrap_or_default()) "…" }
                    }
                    td { (card.licence) }
                }
            } }
        }
        @if kept.rankers.is_empty() {
            p.none { "No ranker was trained yet: suggestions rest on evidence with fixed weights." }
        } @else {
            table {
                thead { tr { th { "Ranker" } th { "Trained" } th { "From" } th { "NDCG of lists of ten" } } }
                tbody { @for ranker in &kept.rankers {
                    tr {
                        td { (ranker.id) @if ranker.live { " " strong { "at work" } } }
                        @if let Some(card) = &ranker.card {
                            td { (card.trained.strftime("%F")) ", until " (card.learned_until.strftime("%F")) }
                            td { (card.learned_from) " members, " (card.receipts) " receipts, " (card.products) " products" }
                            td { @for figure in &card.figures { (figure.method) " " (format!("{:.3}", figure.ndcg)) " " } }
                        } @else { td colspan="3" { "its card cannot be read" } }
                    }
                } }
            }
        }
    }
}

/// Lets through to the cameras' pictures who is noted in the audit, once for each session.
pub(super) async fn audited(State(web): Web, request: HttpRequest, next: Next) -> Response {
    let Some(name) = session::first_look(&web, request.headers()) else { return next.run(request).await };
    match api::ask(&web, |reply| Request::Watches(name, reply)).await {
        Ok(Ok(())) => {
            session::has_looked(&web, request.headers());
            next.run(request).await
        }
        Ok(Err(refused)) => refused.into_response(),
        Err(refused) => refused,
    }
}

fn parts(web: &Shared) -> Markup {
    let status = (web.app.status)();
    html! {
        ul.parts { @for part in &status.parts {
            li data-health=(match part.health { Health::Well => "well", Health::Limited => "limited", Health::Failed => "failed" }) {
                span.dot {} strong { (part.name) } span { (part.says) }
                @if let Some(remedy) = &part.remedy { p.remedy { (remedy) } }
            }
        } }
    }
}

fn places(web: &Shared, host: &str) -> Markup {
    let app = &web.app;
    html! {
        table {
            thead { tr { th { "What" } th { "Name" } th { "Zone" } th { "How" } } }
            tbody {
                @for camera in app.live.cameras() {
                    tr { td { "camera" } td { (camera.id) } td { (camera.zone) } td { a href="#cameras" { "watch" } } }
                }
                @for display in &app.displays {
                    tr {
                        td { "display" } td { a href={ "/display/" (display.id) } { (display.id) } }
                        td { (display.zone) } td { "layout " (display.layout.word()) ", " (display.items) " products" }
                    }
                }
                @for kiosk in &app.kiosks {
                    tr {
                        td { "kiosk" } td { a href={ "/kiosk/" (kiosk.id) } { (kiosk.id) } } td { (kiosk.zone) }
                        td {
                            @if let Some(token) = &app.web.api_token {
                                "open once on its device: "
                                code { "http://" (host) "/kiosk/" (kiosk.id) "?device=" (guard::device_key(token, kiosk.id.as_str())) }
                            } @else { "on this machine only" }
                        }
                    }
                }
            }
        }
    }
}

fn counts(counts: &Counts) -> Markup {
    let Counts {
        products,
        members,
        templates,
        receipts,
        member_receipts,
        visits,
        slates,
        impressions,
        outcomes,
        audit,
        bytes,
        log_bytes,
        waiting,
    } = *counts;
    let rows = [
        ("members", members),
        ("templates", templates),
        ("products", products),
        ("receipts", receipts),
        ("of members", member_receipts),
        ("visits", visits),
        ("slates", slates),
        ("impressions", impressions),
        ("outcomes", outcomes),
        ("audit entries", audit),
        ("KiB on disk", bytes / 1024),
        ("KiB of log", log_bytes / 1024),
        ("changes waiting", waiting),
    ];
    html! { dl.day { @for (name, n) in rows { div { dd { (n) } dt { (name) } } } } }
}

struct Follower {
    doubts: watch::Receiver<VecDeque<Doubt>>,
    stopping: watch::Receiver<bool>,
    beat: Interval,
    first: bool,
    _place: OwnedSemaphorePermit,
    _web: Arc<Shared>,
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::take(&mut self.first) {
            tokio::select! {
                _ = super::server::stopped(&mut self.stopping) => return None,
                changed = self.doubts.changed() => changed.ok()?,
                _ = self.beat.tick() => return Event::default().event("beat").json_data(json!({})).ok(),
            }
        }
        let doubts = self.doubts.borrow_and_update().clone();
        Event::default().event("doubts").json_data(doubts).ok()
    }
}

/// `GET /admin/events`.
pub(super) async fn events(State(web): Web) -> Response {
    let Some(place) = stream_place(&web) else { return too_many_streams() };
    let follower = Follower {
        doubts: web.app.review.watch(),
        stopping: web.stopping.clone(),
        beat: heartbeat(),
        first: true,
        _place: place,
        _web: web,
    };
    Sse::new(stream_of(follower, |f| Box::pin(f.next()))).into_response()
}
