//! Who may ask for what.
//!
//! What always holds:
//! - Operators' addresses (everything but displays, the index and health) answer only to the token
//!   (as bearer, or as the password of basic authentication, for browsers), or, when no token is
//!   configured, to this machine itself under one of its own names, so that a foreign page which
//!   points its own name at 127.0.0.1 gets nothing.
//! - A request that changes something and comes from a page of another origin is refused.
//! - Every answer carries headers that forbid a page to load or run anything from elsewhere.

use super::refusal::in_words;
use super::session;
use super::{Shared, Web};
use crate::storage::Role;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Time that a request may take until its answer begins.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

/// Lets only operators through.
pub(super) async fn operators_only(State(web): Web, request: Request, next: Next) -> Response {
    // Whoever signed in as administrator may look; what programs send needs the token all the same.
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    if looks && session::who(&web, request.headers()).is_some_and(|s| s.role == Role::Admin) {
        return next.run(request).await;
    }
    match refuse_operator(&web, &request) {
        None => next.run(request).await,
        Some((status, error, remedy)) => {
            let mut response = in_words(request.headers(), status, error, remedy);
            if status == StatusCode::UNAUTHORIZED {
                let challenge = HeaderValue::from_static("Basic realm=\"shopguide\", charset=\"UTF-8\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

fn refuse_operator(web: &Shared, request: &Request) -> Option<(StatusCode, &'static str, &'static str)> {
    let headers = request.headers();
    if let Some(token) = &web.app.web.api_token {
        if given_token(headers).is_some_and(|given| same(&given, token)) {
            return None;
        }
        return Some((
            StatusCode::UNAUTHORIZED,
            "This needs the appliance's API token",
            "Send it as \"Authorization: Bearer TOKEN\"; a browser asks for it: any name, and the token as password.",
        ));
    }
    let from_here = request.extensions().get::<Peer>().is_some_and(|p| p.0.ip().to_canonical().is_loopback());
    let forwarded = headers.contains_key("forwarded") || headers.contains_key("x-forwarded-for");
    if from_here && !forwarded && host(request).is_some_and(|h| names_this_machine(&h)) {
        return None;
    }
    Some((
        StatusCode::FORBIDDEN,
        "Without an API token this answers only to the appliance itself",
        "Configure a token (web.api_token_file), or ask from the appliance at 127.0.0.1.",
    ))
}

/// Lets a kiosk's own device through, and operators. A device is made a kiosk's by opening
/// `/kiosk/<id>?device=KEY` once; it gets a cookie that is good for that kiosk only.
pub(super) async fn kiosks_only(State(web): Web, request: Request, next: Next) -> Response {
    let id = request.uri().path().split('/').nth(2).unwrap_or_default().to_owned();
    let Some(key) = web.app.web.api_token.as_deref().map(|token| device_key(token, &id)) else {
        return operators_only(State(web), request, next).await;
    };
    let brought = request.uri().query().and_then(|q| q.split('&').find_map(|p| p.strip_prefix("device=")));
    if brought.is_some_and(|brought| same(brought, &key)) {
        let cookie = format!("kiosk={key}; Path=/kiosk/{id}; HttpOnly; SameSite=Strict; Max-Age=315360000");
        let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, format!("/kiosk/{id}"))];
        return (StatusCode::SEE_OTHER, headers).into_response();
    }
    if cookie(request.headers(), "kiosk").is_some_and(|given| same(&given, &key)) {
        return next.run(request).await;
    }
    operators_only(State(web), request, next).await
}

/// What makes a device the kiosk `id`; who has it can open that kiosk's page and no other.
pub(super) fn device_key(api_token: &str, id: &str) -> String {
    let key = blake3::derive_key("shopguide 2026-11 device of a kiosk", api_token.as_bytes());
    blake3::keyed_hash(&key, id.as_bytes()).to_hex()[..40].to_owned()
}

/// Compares secrets in a time that does not depend on where they differ.
pub(super) fn same(a: &str, b: &str) -> bool {
    blake3::hash(a.as_bytes()) == blake3::hash(b.as_bytes())
}

/// A cookie of the request.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = cookies.flat_map(|c| c.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(n, _)| *n == name).map(|(_, value)| value.to_owned())
}

/// The token in the request: bearer, or the password of basic authentication.
fn given_token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
    String::from_utf8(decoded).ok()?.split_once(':').map(|(_, password)| password.to_owned())
}

fn host(request: &Request) -> Option<Authority> {
    let named = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    named.or(request.uri().authority().map(Authority::as_str))?.parse().ok()
}

fn names_this_machine(authority: &Authority) -> bool {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Refuses what a page of another origin wants changed.
pub(super) async fn same_origin(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || is_same_origin(&request) {
        return next.run(request).await;
    }
    in_words(
        request.headers(),
        StatusCode::FORBIDDEN,
        "This request comes from a page of another site",
        "Only the appliance's own pages, and programs that are no browser, may change something here.",
    )
}

fn is_same_origin(request: &Request) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get("sec-fetch-site")
        && site != "same-origin"
        && site != "none"
    {
        return false;
    }
    match headers.get(header::ORIGIN).map(HeaderValue::to_str) {
        None => true,
        Some(Ok(origin)) => {
            let from = origin.split_once("://").and_then(|(_, rest)| rest.parse::<Authority>().ok());
            from.is_some() && from == host(request)
        }
        Some(Err(_)) => false,
    }
}

/// Ends a request that takes too long; event streams have answered long before.
pub(super) async fn time_limit(request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => in_words(
            &headers,
            StatusCode::REQUEST_TIMEOUT,
            "This took longer than 30 seconds",
            "Send less at a time, or again later; what was done already is not done twice.",
        ),
    }
}

const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
         worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", "camera=(self), microphone=(), geolocation=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Adds the headers that every answer carries.
pub(super) async fn headers(mut response: Response) -> Response {
    let map = response.headers_mut();
    for (name, value) in HEADERS {
        map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    map.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn post(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::post("/api/stock");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        let here = ("host", "127.0.0.1:8080");
        assert!(is_same_origin(&post(&[here])));
        assert!(is_same_origin(&post(&[here, ("origin", "http://127.0.0.1:8080")])));
        assert!(is_same_origin(&post(&[("host", "shop.example"), ("origin", "https://shop.example")])));
        for foreign in ["http://evil.example", "null", "http://127.0.0.1:9", "", "://", "http://"] {
            assert!(!is_same_origin(&post(&[here, ("origin", foreign)])), "{foreign}");
        }
        assert!(!is_same_origin(&post(&[here, ("sec-fetch-site", "cross-site")])));
    }

    #[test]
    fn only_names_of_this_machine_count_as_this_machine() {
        for (host, ours) in [
            ("localhost:8080", true),
            ("127.0.0.1", true),
            ("[::1]:8080", true),
            ("127.9.9.9:1", true),
            ("evil.example:8080", false),
            ("localhost.evil.example", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(names_this_machine(&host.parse().unwrap()), ours, "{host}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; kiosk=xyz; b=2".parse().unwrap());
        assert_eq!(cookie(&headers, "kiosk").as_deref(), Some("xyz"));
        assert_eq!(cookie(&headers, "kios"), None);
        assert_ne!(device_key("token", "k1"), device_key("token", "k2"));
    }

    #[test]
    fn the_token_is_read_from_bearer_and_basic() {
        let mut headers = HeaderMap::new();
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic YW55OmE6Yg==", Some("a:b")),
            ("Basic ???", None),
            ("Digest abc", None),
            ("abc", None),
        ] {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(given_token(&headers).as_deref(), token, "{value}");
        }
    }
}
