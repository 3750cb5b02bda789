//! The first page, what every page for people shares, and notices in words.

use super::{Web, assets};
use crate::recommend::Language;
use axum::extract::State;
use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

/// The language tag of a page.
pub(super) fn tag(language: Language) -> &'static str {
    match language {
        Language::En => "en",
        Language::Zh => "zh-CN",
    }
}

/// What stands in every page's head.
pub(super) fn head(title: &str, styles: &[&str]) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
        meta name="referrer" content="no-referrer";
        title { (title) }
        link rel="icon" type="image/svg+xml" href=(assets::address("icon.svg"));
        @for style in styles { link rel="stylesheet" href=(assets::address(style)); }
    }
}

/// A page for people with a heading and the way back.
pub(super) fn frame(title: &str, store: &str, styles: &[&str], body: Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { (head(&format!("{title} · {store}"), styles)) }
            body.page {
                header.top {
                    a.store href="/" { (store) }
                    h1 { (title) }
                }
                (body)
            }
        }
    };
    Html(page.into_string())
}

/// `GET /`.
pub(super) async fn page(State(web): Web) -> Html<String> {
    let app = &web.app;
    let body = html! {
        main {
            section {
                h2 { "Displays" }
                @if app.displays.is_empty() {
                    p { "None is configured. Add a [[display]] to the configuration." }
                }
                ul.links {
                    @for display in &app.displays {
                        li { a href={ "/display/" (display.id) } {
                            strong { (display.title.as_deref().unwrap_or(display.id.as_str())) }
                            span { "display " (display.id) " · zone " (display.zone) }
                        } }
                    }
                }
            }
            @if !app.kiosks.is_empty() {
                section {
                    h2 { "Kiosks" }
                    ul.links {
                        @for kiosk in &app.kiosks {
                            li { a href={ "/kiosk/" (kiosk.id) } {
                                strong { (kiosk.title.as_deref().unwrap_or(kiosk.id.as_str())) }
                                span { "kiosk " (kiosk.id) " · zone " (kiosk.zone) }
                            } }
                        }
                    }
                }
            }
            section {
                h2 { "For whoever looks after it" }
                ul.links {
                    li { a href="/staff" { strong { "Staff" } span { "who is here, what is shown, products; sign in" } } }
                    li { a href="/admin" { strong { "Administration" } span { "recognition, what is kept, audit; sign in" } } }
                    @if app.live.has_page() {
                        li { a href="/live" { strong { "Live view" } span { "what the cameras see, who is here, what is shown" } } }
                    }
                    li { a href="/status" { strong { "Status" } span { "what works, what does not, what to do" } } }
                }
            }
        }
    };
    frame("shopguide", &app.store.name, &["pages.css"], body)
}

/// A page that says what is wrong and what to do.
pub(super) fn notice(error: &str, remedy: &str) -> Html<String> {
    let body = html! {
        main.notice {
            p.verdict { (error) "." }
            p { (remedy) }
            p { a href="/" { "To the first page" } }
        }
    };
    frame("Not shown", "shopguide", &["pages.css"], body)
}
