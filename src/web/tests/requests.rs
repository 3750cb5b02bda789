//! What programs send, and who may send it.

use super::super::*;
use super::site::{Site, site};
use crate::recommend::Money;
use std::io::{Read, Write};

#[test]
fn receipts_are_answered_one_by_one_after_the_commit() {
    let mut site = site(|_| {});
    let one = |id: &str| {
        format!(
            r#"{{"receipt":"{id}","at":"2026-05-04T10:00:00Z","lines":[{{"sku":"a","quantity":1,"price":2}}]}}"#
        )
    };
    let book = |request| {
        let Request::Receipts(rows, reply) = request else { panic!("{request:?}") };
        assert_eq!(rows[1].lines[0].price, Money(200));
        reply.send(Ok(vec![Counted::Counted, Counted::Duplicate])).unwrap();
    };
    let two = format!("[{},{}]", one("r1"), one("r2"));
    let answer = site.answering(book, |site| site.post("/api/receipts", &two));
    assert_eq!(answer.status, 200);
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["receipts"][0], serde_json::json!({"receipt": "r1", "result": "counted"}));
    assert_eq!(body["receipts"][1]["result"], "duplicate");

    let refuse = |request| {
        let Request::Receipts(_, reply) = request else { panic!("{request:?}") };
        let _ = reply.send(Err(Refused::Full(Fault::new("the disk is full", "", "Make room."))));
    };
    assert_eq!(site.answering(refuse, |site| site.post("/api/receipts", &one("r3"))).status, 507);
    let answer = site.answering(drop, |site| site.post("/api/receipts", &one("r3")));
    assert_eq!(answer.status, 503, "a dropped reply must not read as done");
}

#[test]
fn a_bad_receipt_is_refused_with_place_and_remedy_and_asks_for_nothing() {
    let mut site = site(|_| {});
    for (body, status, place) in [
        ("{", 400, "line 1"),
        ("", 400, "line 1"),
        (r#"[{"receipt":"a","at":"x","lines":[]}]"#, 422, "at"),
        (
            r#"{"receipt":"a","at":"2026-05-04T10:00:00Z","lines":[{"sku":"a","quantity":0,"price":1}]}"#,
            422,
            "lines[0].quantity",
        ),
    ] {
        let answer = site.post("/api/receipts", body);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let fault = &json["errors"][0];
        assert!(fault["where"].as_str().unwrap().starts_with(place), "{fault}");
        assert!(
            !fault["remedy"].as_str().unwrap().is_empty() && !fault["error"].as_str().unwrap().is_empty()
        );
    }
    assert!(site.requests.try_recv().is_err());
}

#[test]
fn huge_bodies_are_refused() {
    let mut site = site(|_| {});
    let huge = vec![b' '; JSON_BYTES + 1];
    let json = "content-type: application/json\r\n";
    assert_eq!(site.send("POST", "/api/receipts", json, &huge).status, 413);
    assert_eq!(site.send("POST", "/display/tea/ack", json, &huge[..ACK_BYTES + 1]).status, 413);
    assert!(site.requests.try_recv().is_err());
}

#[test]
fn pictures_of_a_browser_go_to_their_camera() {
    let mut site = site(|_| {});
    let jpeg = "content-type: image/jpeg\r\n";
    let take = |request| {
        let Request::Frame(camera, bytes, reply) = request else { panic!("{request:?}") };
        assert_eq!((camera.as_str(), &bytes[..]), ("kiosk", &[0xff, 0xd8, 0xff][..]));
        reply.send(Ok(())).unwrap();
    };
    let post = |site: &Site| site.send("POST", "/api/cameras/kiosk/frame", jpeg, &[0xff, 0xd8, 0xff]);
    assert_eq!(site.answering(take, post).status, 204);
    let unknown = |request| {
        let Request::Frame(_, _, reply) = request else { panic!("{request:?}") };
        reply.send(Err(FrameRefused::UnknownCamera)).unwrap();
    };
    assert_eq!(site.answering(unknown, post).status, 404);
    assert_eq!(site.send("POST", "/api/cameras/kiosk/frame", jpeg, b"GIF89a").status, 422);
    assert_eq!(site.send("POST", "/api/cameras/kiosk/frame", "", b"").status, 415);
    assert_eq!(site.send("POST", "/api/cameras/KIOSK/frame", jpeg, &[0xff, 0xd8]).status, 404);
    assert!(site.requests.try_recv().is_err());
}

#[test]
fn a_token_once_configured_is_needed_even_from_here() {
    let site = site(|state| state.web.api_token = Some("secret".into()));
    for path in ["/api/status", "/status", "/metrics", "/live", "/live/events", "/live/door.jpg"] {
        let answer = site.get(path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.head.contains("www-authenticate: basic"), "{}", answer.head);
        assert_eq!(site.send("GET", path, "authorization: Bearer wrong\r\n", b"").status, 401);
    }
    assert_eq!(site.post("/api/receipts", "{}").status, 401);
    assert_eq!(site.send("GET", "/api/status", "authorization: Bearer secret\r\n", b"").status, 200);
    assert_eq!(site.send("GET", "/status", "authorization: Basic YW55OnNlY3JldA==\r\n", b"").status, 200);
    for open in ["/", "/display/tea", "/livez"] {
        assert_eq!(site.get(open).status, 200, "{open}");
    }
}

#[test]
fn without_a_token_only_this_machine_under_its_own_name_is_answered() {
    let site = site(|_| {});
    assert_eq!(site.get("/api/status").status, 200);
    // a page whose name was pointed at 127.0.0.1 sends its own name
    let mut stream = site.connect();
    stream.write_all(b"GET /api/status HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // what a proxy forwards is not from here
    assert_eq!(site.send("GET", "/api/status", "x-forwarded-for: 10.0.0.9\r\n", b"").status, 403);
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let mut site = site(|_| {});
    let ack = br#"{"slate":"pe","kind":"shown"}"#;
    let foreign = "content-type: application/json\r\norigin: http://evil.example\r\n";
    assert_eq!(site.send("POST", "/display/tea/ack", foreign, ack).status, 403);
    assert_eq!(site.send("POST", "/display/tea/ack", "content-type: text/plain\r\n", ack).status, 415);
    assert!(site.requests.try_recv().is_err());
}
