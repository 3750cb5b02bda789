//! `/kiosk/<id>`: where shoppers join, are recognised or show a card, and see what is kept of them.
//!
//! What always holds: the camera is opened by a shopper's own press, never before; whatever is of a
//! person comes by one address that asks for the session, and the page throws it away with the session;
//! an export is read once, by whoever holds its code.

mod map;
mod page;
mod words;

use super::refusal::{fault_json, in_words};
use super::{KioskAct, KioskAnswer, KioskRequest, Request, Shared, Web, api, inbound};
use crate::display::{KioskSettings, area_of};
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

/// Bytes in a code that a phone still reads off a screen.
const SCANNED: usize = 900;

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
            let page = page::page(kiosk, language, &web.app);
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
        let act = KioskAct::Frame(bytes);
        answer(&web, KioskRequest { kiosk: kiosk.id.clone(), session: Some(of.session), act }).await
    };
    done.await.into_response()
}

async fn answer(web: &Shared, request: KioskRequest) -> Result<Json<serde_json::Value>, Response> {
    let kiosk = request.kiosk.clone();
    let origin = match &request.act {
        KioskAct::Export { origin } => origin.clone(),
        _ => String::new(),
    };
    let answer = api::ask(web, |reply| Request::Kiosk(request, reply)).await?;
    let answer = answer.map_err(IntoResponse::into_response)?;
    let mut json = serde_json::to_value(&answer).unwrap_or_default();
    match &answer {
        KioskAnswer::Joined(joined) => json["qr"] = picture(&joined.card).into(),
        KioskAnswer::Exported { code, .. } => {
            let path = format!("/kiosk/{kiosk}/export/{code}");
            json["qr"] = picture(&format!("{origin}{path}")).into();
            json["path"] = path.into();
        }
        KioskAnswer::Listed { lines } => {
            let (text, left_out) = fitting(lines);
            json["qr"] = picture(&text).into();
            json["left_out"] = left_out.into();
        }
        _ => {}
    }
    Ok(Json(json))
}

/// As many lines as a code holds that a phone reads off a screen, and how many are left out.
fn fitting(lines: &[String]) -> (String, usize) {
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate() {
        if text.len() + line.len() >= SCANNED {
            return (text, lines.len() - n);
        }
        text = if n == 0 { line.clone() } else { format!("{text}\n{line}") };
    }
    (text, 0)
}

/// A text as a code to scan; what cannot be one is an empty picture.
fn picture(text: &str) -> String {
    // Codes of little text bear dirt and a bent card; those of much text must have large modules.
    let correction = if text.len() > 120 { EcLevel::L } else { EcLevel::M };
    let svg = QrCode::with_error_correction_level(text, correction).map(|code| {
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

/// Where something stands, and in which language the map says where the shopper is.
#[derive(Deserialize)]
pub(super) struct Where {
    place: String,
    lang: Option<Language>,
}

/// `GET /kiosk/<id>/map?place=..`: the shop's floor with that place; no content where no area of the
/// configuration has it.
pub(super) async fn map(
    State(web): Web,
    Path(id): Path<String>,
    Query(asked): Query<Where>,
    headers: HeaderMap,
) -> Response {
    let kiosk = match kiosk(&web, &id, &headers) {
        Ok(kiosk) => kiosk,
        Err(refused) => return refused,
    };
    let areas = &web.app.areas;
    let Some(target) = area_of(areas, &asked.place) else { return StatusCode::NO_CONTENT.into_response() };
    let here = words::say(asked.lang.unwrap_or(kiosk.language), "map-here");
    let drawn = map::map(areas, target, &kiosk.zone, here).into_string();
    ([(header::CONTENT_TYPE, "image/svg+xml; charset=utf-8")], drawn).into_response()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_how_much_of_it_does_not_fit_into_a_code() {
        let line = |n: usize| format!("{n}: {}", "橄榄油".repeat(9));
        let lines: Vec<String> = (0..24).map(line).collect();
        let (text, left_out) = fitting(&lines);
        assert!(text.len() < SCANNED && left_out > 0, "{} {left_out}", text.len());
        assert_eq!(text.lines().count() + left_out, 24);
        assert_eq!(fitting(&lines[..2]), (lines[..2].join("\n"), 0));
        assert!(QrCode::with_error_correction_level("x".repeat(SCANNED), EcLevel::L).is_ok());
    }
}
