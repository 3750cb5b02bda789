//! How everything is: one report, as JSON for programs, as a page for people, and as two words
//! for whoever supervises the appliance. It holds nothing about any person.

use super::{Web, assets, index};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use maud::html;
use serde::{Deserialize, Serialize};

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Whether every part is well.
    pub healthy: bool,
    /// Whether the appliance does its work at all (answered by `/readyz`).
    pub ready: bool,
    /// The program's version.
    pub version: String,
    /// When it was started.
    pub started: Timestamp,
    /// Every part, in the order to show.
    pub parts: Vec<Part>,
}

impl Status {
    /// A report that is healthy when all of `parts` are well, and ready when none has failed that
    /// the work cannot go on without (store or models).
    pub fn of(version: impl Into<String>, started: Timestamp, parts: Vec<Part>) -> Self {
        let vital = |p: &Part| matches!(p.kind, PartKind::Store | PartKind::Model);
        Self {
            healthy: parts.iter().all(|p| p.health == Health::Well),
            ready: !parts.iter().any(|p| vital(p) && p.health == Health::Failed),
            version: version.into(),
            started,
            parts,
        }
    }
}

/// One part of the appliance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What sort of part.
    pub kind: PartKind,
    /// Its name, e.g. the camera's id.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// How it is, in a few words, e.g. "9.8 frames a second".
    pub says: String,
    /// What to do about it; `None` when there is nothing to do.
    pub remedy: Option<String>,
}

/// Sorts of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// A camera.
    Camera,
    /// Detector, embedder and the like.
    Model,
    /// Recognition as a whole, e.g. turned off by the kill switch.
    Recognition,
    /// The database.
    Store,
    /// The connection to the broker.
    Bus,
    /// The embedded broker.
    Broker,
    /// A display.
    Display,
    /// An access point and its shelf labels.
    Label,
}

impl PartKind {
    fn title(self) -> &'static str {
        match self {
            PartKind::Camera => "Cameras",
            PartKind::Model => "Models",
            PartKind::Recognition => "Recognition",
            PartKind::Store => "Store data",
            PartKind::Bus => "Message bus",
            PartKind::Broker => "Embedded broker",
            PartKind::Display => "Displays",
            PartKind::Label => "Shelf labels",
        }
    }
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It does its work.
    Well,
    /// It works with limits, or heals by itself.
    Limited,
    /// It does not work.
    Failed,
}

impl Health {
    fn word(self) -> &'static str {
        match self {
            Health::Well => "well",
            Health::Limited => "limited",
            Health::Failed => "failed",
        }
    }
}

/// `GET /api/status`.
pub(super) async fn json(State(web): Web) -> Json<Status> {
    Json((web.app.status)())
}

/// `GET /livez`: the server answers.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// `GET /readyz`: whether the appliance does its work.
pub(super) async fn ready(State(web): Web) -> Response {
    if (web.app.status)().ready {
        (StatusCode::OK, "ready\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: see /status on the appliance\n").into_response()
    }
}

/// `GET /metrics`.
pub(super) async fn metrics(State(web): Web) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &web.app.metrics) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n").into_response(),
    }
}

/// `GET /status`.
pub(super) async fn page(State(web): Web) -> Html<String> {
    let status = (web.app.status)();
    let wrong = status.parts.iter().filter(|p| p.health != Health::Well).count();
    let mut kinds: Vec<PartKind> = status.parts.iter().map(|p| p.kind).collect();
    kinds.sort();
    kinds.dedup();
    let body = html! {
        main #status {
            p.verdict data-health=(if status.healthy { "well" } else if status.ready { "limited" } else { "failed" }) {
                @if status.healthy { "Everything works" }
                @else if wrong == 1 { "One thing needs attention" }
                @else { (wrong) " things need attention" }
            }
            @for kind in kinds {
                section {
                    h2 { (kind.title()) }
                    ul.parts {
                        @for part in status.parts.iter().filter(|p| p.kind == kind) {
                            li data-health=(part.health.word()) {
                                span.dot role="img" aria-label=(part.health.word()) {}
                                strong { (part.name) }
                                span.says { (part.says) }
                                @if let Some(remedy) = &part.remedy { p.remedy { (remedy) } }
                            }
                        }
                    }
                }
            }
            p.small { "shopguide " (status.version) " · started " (status.started.strftime("%Y-%m-%d %H:%M UTC")) }
        }
        p.small #silent hidden { "The appliance does not answer. This page goes on trying." }
        script src=(assets::address("status.js")) defer {}
    };
    index::frame("Status", &web.app.store.name, &["pages.css"], body)
}
