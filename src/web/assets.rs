//! Styles, scripts and the icon, compiled in. Their addresses carry a version made from their
//! content, so a browser keeps them for good and still gets new ones after an update.

use super::refusal::no_such_page;
use axum::extract::Path;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// Name, type, content.
const ASSETS: [(&str, &str, &str); 16] = [
    ("display.css", CSS, include_str!("assets/display.css")),
    ("screen.js", JS, include_str!("assets/screen.js")),
    ("display.js", JS, include_str!("assets/display.js")),
    ("kiosk.css", CSS, include_str!("assets/kiosk.css")),
    ("kiosk.js", JS, include_str!("assets/kiosk.js")),
    ("session.js", JS, include_str!("assets/session.js")),
    ("sign-in.js", JS, include_str!("assets/sign-in.js")),
    ("admin.js", JS, include_str!("assets/admin.js")),
    ("staff.js", JS, include_str!("assets/staff.js")),
    ("staff.css", CSS, include_str!("assets/staff.css")),
    ("pages.css", CSS, include_str!("assets/pages.css")),
    ("live.css", CSS, include_str!("assets/live.css")),
    ("picture.js", JS, include_str!("assets/picture.js")),
    ("live.js", JS, include_str!("assets/live.js")),
    ("status.js", JS, include_str!("assets/status.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];
const WORKER: &str = include_str!("assets/worker.js");

/// Changes whenever any asset or the program's version changes.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = blake3::Hasher::new();
    hash.update(env!("CARGO_PKG_VERSION").as_bytes());
    for (_, _, content) in ASSETS {
        hash.update(content.as_bytes());
    }
    hash.update(WORKER.as_bytes());
    hash.finalize().to_hex()[..12].to_owned()
});

/// The address of an asset, with its version.
pub(super) fn address(name: &str) -> String {
    format!("/assets/{name}?v={}", *VERSION)
}

/// `/assets/<name>`.
pub(super) async fn asset(Path(name): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let Some((_, kind, content)) = ASSETS.iter().find(|(n, _, _)| *n == name) else {
        return no_such_page(uri, headers).await;
    };
    let present = uri.query().and_then(|q| q.strip_prefix("v=")) == Some(VERSION.as_str());
    let keep = if present { "public, max-age=31536000, immutable" } else { "no-store" };
    ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, keep)], *content).into_response()
}

/// The service worker that lets a display's page survive a reload while the appliance is away.
pub(super) async fn worker() -> Response {
    let script = format!("const VERSION = \"{}\";\n{WORKER}", *VERSION);
    ([(header::CONTENT_TYPE, JS), (header::CACHE_CONTROL, "no-cache")], script).into_response()
}
