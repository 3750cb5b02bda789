//! How a request is refused: a program reads JSON that says what is wrong, where, and what to do;
//! a person reads a page that says the same. Nothing has changed when one of these is sent.

use super::index;
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::any::Any;

/// One thing that is wrong with what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What is wrong, with the value.
    pub error: String,
    /// Where in what was sent, e.g. `[3].lines[0].quantity`; empty for the whole of it.
    #[serde(rename = "where")]
    pub place: String,
    /// What to do about it.
    pub remedy: String,
}

impl Fault {
    /// Puts the three together.
    pub fn new(error: impl Into<String>, place: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { error: error.into(), place: place.into(), remedy: remedy.into() }
    }
}

/// Why the appliance did not do what was asked. Nothing was changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Refused {
    /// What was sent is wrong, e.g. a product that nobody knows; answered with 422.
    Bad(Vec<Fault>),
    /// It cannot be done now; answered with 503.
    Unavailable(Fault),
    /// There is no room on the disk; answered with 507.
    Full(Fault),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::Bad(faults) => faults_json(StatusCode::UNPROCESSABLE_ENTITY, faults),
            Refused::Unavailable(fault) => come_again(fault_json(StatusCode::SERVICE_UNAVAILABLE, fault)),
            Refused::Full(fault) => fault_json(StatusCode::INSUFFICIENT_STORAGE, fault),
        }
    }
}

#[derive(Serialize)]
struct Faults {
    errors: Vec<Fault>,
}

/// `{"errors": [{error, where, remedy}, ...]}`.
pub(super) fn faults_json(status: StatusCode, errors: Vec<Fault>) -> Response {
    (status, Json(Faults { errors })).into_response()
}

/// [`faults_json`] with one fault.
pub(super) fn fault_json(status: StatusCode, fault: Fault) -> Response {
    faults_json(status, vec![fault])
}

/// Asks the sender to try again in a second.
pub(super) fn come_again(mut response: Response) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Refuses in the form that suits who asked: a page for a browser that opens one, JSON otherwise.
pub(super) fn in_words(headers: &HeaderMap, status: StatusCode, error: &str, remedy: &str) -> Response {
    let person = headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if person {
        (status, index::notice(error, remedy)).into_response()
    } else {
        fault_json(status, Fault::new(error, "", remedy))
    }
}

/// There is nothing at this address.
pub(super) async fn no_such_page(uri: Uri, headers: HeaderMap) -> Response {
    let path: String = uri.path().chars().take(80).collect();
    in_words(
        &headers,
        StatusCode::NOT_FOUND,
        &format!("There is no page at {path}"),
        "Start from / to see what there is.",
    )
}

/// The address exists, but not for this method.
pub(super) async fn wrong_method(headers: HeaderMap) -> Response {
    in_words(
        &headers,
        StatusCode::METHOD_NOT_ALLOWED,
        "This address does not answer to this method",
        "Pages are read with GET; receipts, catalogue, stock, pictures and acknowledgements are sent with POST.",
    )
}

/// A handler panicked: say so, keep serving.
pub(super) fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!(id = "web-panic", "a request made the web server panic; the server goes on");
    fault_json(
        StatusCode::INTERNAL_SERVER_ERROR,
        Fault::new(
            "the appliance made a mistake over this request",
            "",
            "It goes on working. Send the log of this minute to whoever maintains it.",
        ),
    )
}
