//! What programs send: receipts, catalogue, stock, and pictures of a kiosk's browser. An answer
//! of 200 means that it is on disk (a picture: that the camera took it); any other means that
//! nothing was changed, except 504, which says that it is not known, and that sending again is safe.

use super::refusal::{come_again, fault_json, faults_json};
use super::{Counted, Fault, FrameRefused, Request, Shared, Web, inbound};
use crate::id::CameraId;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

/// Time that a commit may take.
const COMMIT_WITHIN: Duration = Duration::from_secs(20);

type Body = Result<Bytes, BytesRejection>;

#[derive(Serialize)]
struct ReceiptDone {
    receipt: String,
    result: Counted,
}

#[derive(Serialize)]
struct ReceiptsDone {
    receipts: Vec<ReceiptDone>,
}

/// `POST /api/receipts`.
pub(super) async fn receipts(State(web): Web, headers: HeaderMap, body: Body) -> Response {
    let done = async {
        let bytes = json_body(&headers, body)?;
        let rows = inbound::receipts(&bytes, web.app.store.currency_digits).map_err(unreadable)?;
        let names: Vec<String> = rows.iter().map(|r| r.receipt.clone()).collect();
        let results = ask(&web, |reply| Request::Receipts(rows, reply)).await?;
        let results = results.map_err(IntoResponse::into_response)?;
        let pairs = names.into_iter().zip(results);
        let receipts = pairs.map(|(receipt, result)| ReceiptDone { receipt, result }).collect();
        Ok::<_, Response>(Json(ReceiptsDone { receipts }))
    };
    done.await.into_response()
}

/// `POST /api/catalogue`.
pub(super) async fn catalogue(State(web): Web, headers: HeaderMap, body: Body) -> Response {
    let done = async {
        let bytes = json_body(&headers, body)?;
        let rows = inbound::catalogue(&bytes, web.app.store.currency_digits).map_err(unreadable)?;
        let result = ask(&web, |reply| Request::Catalogue(rows, reply)).await?;
        Ok::<_, Response>(Json(result.map_err(IntoResponse::into_response)?))
    };
    done.await.into_response()
}

/// `POST /api/stock`.
pub(super) async fn stock(State(web): Web, headers: HeaderMap, body: Body) -> Response {
    let done = async {
        let bytes = json_body(&headers, body)?;
        let rows = inbound::stock(&bytes).map_err(unreadable)?;
        let result = ask(&web, |reply| Request::Stock(rows, reply)).await?;
        Ok::<_, Response>(Json(result.map_err(IntoResponse::into_response)?))
    };
    done.await.into_response()
}

/// `POST /api/cameras/<id>/frame`.
pub(super) async fn frame(
    State(web): Web,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let done = async {
        let bytes = jpeg_body(&headers, body)?;
        let refused = |error: FrameRefused| {
            let (status, remedy) = match error {
                FrameRefused::UnknownCamera => {
                    (StatusCode::NOT_FOUND, "Use the id of a [[camera]] of the configuration.")
                }
                FrameRefused::NotABrowserCamera => {
                    (StatusCode::CONFLICT, "Give the camera the source \"browser\" in the configuration.")
                }
                FrameRefused::Unreadable(_) => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "Send one complete JPEG picture.")
                }
            };
            fault_json(status, Fault::new(error.to_string(), "", remedy))
        };
        let camera = CameraId::new(id).map_err(|_| refused(FrameRefused::UnknownCamera))?;
        ask(&web, |reply| Request::Frame(camera, bytes, reply)).await?.map_err(refused)?;
        Ok::<_, Response>(StatusCode::NO_CONTENT)
    };
    done.await.into_response()
}

/// Hands a request to the appliance and waits for its answer.
pub(super) async fn ask<T>(
    web: &Shared,
    make: impl FnOnce(oneshot::Sender<T>) -> Request,
) -> Result<T, Response> {
    let (reply, answer) = oneshot::channel();
    hand_over(web, make(reply))?;
    match tokio::time::timeout(COMMIT_WITHIN, answer).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(_)) => Err(come_again(fault_json(
            StatusCode::SERVICE_UNAVAILABLE,
            Fault::new(
                "the appliance could not do this now",
                "",
                "Send it again; nothing was changed. See /status.",
            ),
        ))),
        Err(_) => Err(fault_json(
            StatusCode::GATEWAY_TIMEOUT,
            Fault::new(
                "it is not known yet whether this was done",
                "",
                "Send the same again: what was done already is not done twice.",
            ),
        )),
    }
}

/// Puts a request into the channel, or says that there is no room.
pub(super) fn hand_over(web: &Shared, request: Request) -> Result<(), Response> {
    web.app.requests.try_send(request).map_err(|error| {
        let error = match error {
            TrySendError::Full(_) => "the appliance is busy",
            TrySendError::Closed(_) => "the appliance is stopping",
        };
        let fault = Fault::new(error, "", "Send it again in a second; nothing was changed.");
        come_again(fault_json(StatusCode::SERVICE_UNAVAILABLE, fault))
    })
}

fn unreadable(faults: Vec<Fault>) -> Response {
    let syntax = faults.first().is_some_and(|f| f.place.starts_with("line "));
    faults_json(if syntax { StatusCode::BAD_REQUEST } else { StatusCode::UNPROCESSABLE_ENTITY }, faults)
}

/// The body, if it is said to be JSON. A form of a foreign page cannot say so.
pub(super) fn json_body(headers: &HeaderMap, body: Body) -> Result<Bytes, Response> {
    if !is_type(headers, "application/json") {
        return Err(fault_json(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Fault::new(
                "this is not said to be JSON",
                "content-type",
                "Send JSON, with Content-Type: application/json.",
            ),
        ));
    }
    whole(body)
}

/// The body, if it is said to be a JPEG and begins like one.
pub(super) fn jpeg_body(headers: &HeaderMap, body: Body) -> Result<Bytes, Response> {
    let remedy = "Send one complete JPEG as the body, with Content-Type: image/jpeg.";
    if !is_type(headers, "image/jpeg") {
        let fault = Fault::new("this is no image/jpeg", "content-type", remedy);
        return Err(fault_json(StatusCode::UNSUPPORTED_MEDIA_TYPE, fault));
    }
    let bytes = whole(body)?;
    if !bytes.starts_with(&[0xff, 0xd8]) {
        let fault = Fault::new("the picture cannot be read: it does not begin like a JPEG", "", remedy);
        return Err(fault_json(StatusCode::UNPROCESSABLE_ENTITY, fault));
    }
    Ok(bytes)
}

fn whole(body: Body) -> Result<Bytes, Response> {
    body.map_err(|rejection| {
        let status = rejection.status();
        let (error, remedy) = if status == StatusCode::PAYLOAD_TOO_LARGE {
            ("the body is too large", "Send fewer at a time, or a smaller picture.")
        } else {
            ("the body broke off", "Send it again.")
        };
        fault_json(status, Fault::new(error, "", remedy))
    })
}

fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    given.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case(wanted))
}
