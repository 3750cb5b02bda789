//! `/kiosk/<id>`: where shoppers join, are recognised or show a card, and see what is kept of them.
//!
//! What always holds: the camera is opened by a shopper's own press, never before; whatever is of a
//! person comes by one address that asks for the session, and the page throws it away with the session;
//! an export is read once, by whoever holds its code.

mod page;
mod words;

use super::refusal::{Fault, fault_json, in_words};
use super::{KioskAnswer, KioskRequest, Request, Shared, Web, api, inbound};
use crate::display::KioskSettings;
use crate::id::DisplayId;
use crate::recommend::Language;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;
use serde_json::json;

/// Most products of a shopping list.
const LIST: usize = 24;

fn kiosk<'w>(web: &'w Shared, id: &str, headers: &HeaderMap) -> Result<&'w KioskSettings, Response> {
    let known = DisplayId::new(id).ok().and_then(|id| web.app.kiosks.iter().find(|k| k.id == id));
    known.ok_or_else(|| {
        in_words(
            headers,
            StatusCode::NOT_FOUND,
            "There is no kiosk of this name",
            "Open one from the first page, or add a [[kiosk]] to the configuration.",
        )
    })
}

/// What stands behind the `?` of the page's address.
#[derive(Deserialize)]
pub(super) struct Asked {
    lang: Option<Language>,
}

/// `GET /kiosk/<id>`.
pub(super) async fn page(
    State(web): Web,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    match kiosk(&web, &id, &headers) {
        Ok(kiosk) => {
            let language = asked.lang.unwrap_or(kiosk.language);
            let page = page::page(kiosk, language, &web.app.store.name, web.app.keep_days);
            Html(page.into_string()).into_response()
        }
        Err(refused) => refused,
    }
}

/// `POST /kiosk/<id>/do`.
pub(super) async fn act(
    State(web): Web,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let done = async {
        let kiosk = kiosk(&web, &id, &headers)?;
        let bytes = api::json_body(&headers, body)?;
        let request = inbound::kiosk::act(&kiosk.id, &bytes)
            .map_err(|fault| fault_json(StatusCode::UNPROCESSABLE_ENTITY, fault))?;
        answer(&web, request).await
    };
    done.await.into_response()
}

/// The session of a posted frame.
#[derive(Deserialize)]
pub(super) struct OfSession {
    session: String,
}

/// `POST /kiosk/<id>/frame?session=..`, a JPEG.
pub(super) async fn frame(
    State(web): Web,
    Path(id): Path<String>,
    Query(of): Query<OfSession>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let done = async {
        let kiosk = kiosk(&web, &id, &headers)?;
        let bytes = api::jpeg_body(&headers, body)?;
        let act = super::KioskAct::Frame(bytes);
        answer(&web, KioskRequest { kiosk: kiosk.id.clone(), session: Some(of.session), act }).await
    };
    done.await.into_response()
}

async fn answer(web: &Shared, request: KioskRequest) -> Result<Json<serde_json::Value>, Response> {
    let kiosk = request.kiosk.clone();
    let answer = api::ask(web, |reply| Request::Kiosk(request, reply)).await?;
    let answer = answer.map_err(IntoResponse::into_response)?;
    let mut json = serde_json::to_value(&answer).unwrap_or_default();
    match &answer {
        KioskAnswer::Joined(joined) => json["qr"] = picture(&joined.card).into(),
        KioskAnswer::Exported { code, .. } => json["path"] = format!("/kiosk/{kiosk}/export/{code}").into(),
        _ => {}
    }
    Ok(Json(json))
}

/// A text of the page as a code to scan; what cannot be one is an empty picture.
fn picture(text: &str) -> String {
    let svg = QrCode::with_error_correction_level(text, EcLevel::M).map(|code| {
        let colours = (svg::Color("#000000"), svg::Color("#ffffff"));
        code.render::<svg::Color<'_>>()
            .min_dimensions(320, 320)
            .dark_color(colours.0)
            .light_color(colours.1)
            .build()
    });
    let svg = svg.unwrap_or_default();
    format!("data:image/svg+xml;base64,{}", base64::engine::general_purpose::STANDARD.encode(svg))
}

/// What a page wants as a code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeIn {
    /// Products of the slate that is shown, for a shopping list.
    skus: Option<Vec<String>>,
    /// A path of this appliance, with the origin that the page knows it under.
    address: Option<String>,
}

/// `POST /kiosk/<id>/code`: a shopping list or an address, as a code. Products are named only as the
/// kiosk's slate names them now; nothing is kept.
pub(super) async fn code(
    State(web): Web,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let done = async {
        let kiosk = kiosk(&web, &id, &headers)?;
        let bytes = api::json_body(&headers, body)?;
        let bad = |error: String| {
            fault_json(StatusCode::UNPROCESSABLE_ENTITY, Fault::new(error, "", "Reload the page."))
        };
        let asked: CodeIn =
            serde_json::from_slice(&bytes).map_err(|e| bad(format!("this is no list: {e}")))?;
        if let Some(address) = asked.address.filter(|a| a.len() <= 256) {
            return Ok::<_, Response>(Json(json!({"qr": picture(&address)})));
        }
        let wanted = asked.skus.unwrap_or_default();
        let Some(screen) = web.app.desired.watch(&kiosk.id) else { return Err(bad("no such list".into())) };
        let slate = screen.borrow().at(web.app.clock.now().utc).cloned();
        let items = slate.iter().flat_map(|s| &s.items).filter(|i| wanted.contains(&i.sku));
        let line = |i: &crate::recommend::Suggestion| {
            let place = i.place.as_deref().map_or_else(String::new, |p| format!(" ({p})"));
            format!("{}{place}", i.name)
        };
        let text: Vec<String> = items.take(LIST).map(line).collect();
        let text = text.join("\n");
        Ok(Json(json!({"qr": picture(&text), "text": text})))
    };
    done.await.into_response()
}

/// `GET /kiosk/<id>/export/<code>`: once.
pub(super) async fn export(
    State(web): Web,
    Path((_, code)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    match api::ask(&web, |reply| Request::Export(code, reply)).await {
        Ok(Some(text)) => {
            let disposition = "attachment; filename=\"my-data.json\"";
            let kind = "application/json; charset=utf-8";
            ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)], text).into_response()
        }
        Ok(None) => in_words(
            &headers,
            StatusCode::NOT_FOUND,
            "This copy was read already, or its time is over",
            "Ask for another one at the kiosk.",
        ),
        Err(refused) => refused,
    }
}
