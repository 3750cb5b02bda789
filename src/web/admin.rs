//! `/admin`: how recognition does, what is configured, what is kept, who did what.

use super::display::{heartbeat, stream_of, stream_place, too_many_streams};
use super::review::{Doubt, Scores};
use super::session::Session;
use super::status::Health;
use super::{Request, Shared, Web, api, guard, staff};
use crate::privacy::Audited;
use crate::storage::{Counts, User};
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use maud::{Markup, PreEscaped, html};
use serde_json::json;
use std::collections::VecDeque;
use std::fmt::Write as _;
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
                (distribution(&web.app.review.scores(), &kept.refused))
            }
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
                    tr { td { "camera" } td { (camera.id) } td { (camera.zone) } td { a href="/live" { "live view" } } }
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

/// The scores of recognised members as a drawing, with the threshold and what staff said was wrong.
fn distribution(scores: &Scores, refused: &[f32]) -> Markup {
    const BINS: usize = 40;
    let (width, height) = (640.0, 180.0);
    let x = |score: f32| f64::from(score.clamp(0.0, 1.0)) * width;
    let mut bins = [0u32; BINS];
    for score in &scores.recognised {
        bins[((score.clamp(0.0, 1.0) * BINS as f32) as usize).min(BINS - 1)] += 1;
    }
    let most = f64::from(bins.iter().copied().max().unwrap_or(0).max(1));
    let mut svg = String::new();
    let bar = width / BINS as f64;
    for (n, count) in bins.iter().enumerate().filter(|(_, c)| **c > 0) {
        let tall = f64::from(*count) / most * (height - 20.0);
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" class=\"bar\"/>",
            n as f64 * bar + 1.0,
            height - tall,
            bar - 2.0
        );
    }
    for score in refused {
        let _ = write!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" class=\"wrong\"/>",
            x(*score),
            height - 8.0
        );
    }
    let at = x(scores.threshold);
    let _ = write!(svg, "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{height}\" class=\"threshold\"/>");
    for tick in 0..=10 {
        let at = f64::from(tick) * width / 10.0;
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\">{:.1}</text>",
            height + 18.0,
            f64::from(tick) / 10.0
        );
    }
    let says = format!(
        "{} recognitions since the start, {} said to be wrong by staff; a vote needs {:.2}.",
        scores.recognised.len(),
        refused.len(),
        scores.threshold
    );
    html! {
        figure.plot {
            svg viewBox="-14 -4 668 208" role="img" aria-label=(says) { (PreEscaped(svg)) }
            figcaption { (says) " Bars: mean score of the votes of recognised members. Dots: staff said it was somebody else. Line: the threshold; set another with " code { "shopguide calibrate" } "." }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_says_in_words_what_it_draws() {
        let scores = Scores { threshold: 0.42, recognised: [0.6, 0.61, 0.9, f32::NAN, 2.0].into() };
        let drawn = distribution(&scores, &[0.45]).into_string();
        assert!(
            drawn.contains("5 recognitions")
                && drawn.contains("1 said to be wrong")
                && drawn.contains("0.42")
        );
        assert_eq!(drawn.matches("class=\"wrong\"").count(), 1);
        assert!(!drawn.contains("NaN"));
    }
}
