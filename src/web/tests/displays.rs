//! A display: the state, every change, and what it says back.

use super::super::*;
use super::site::{PERSONAL, display, site, slate};
use crate::display::AckKind;
use crate::id::SlateId;
use crate::recommend::Audience;

#[test]
fn a_display_gets_the_present_state_first_and_every_change() {
    let site = site(|_| {});
    site.desired.update(&display("tea"), |s| s.store = Some(slate("st", 1, Audience::Store, 60, "Tea")));
    let mut events = site.follow("/display/tea/events");
    let first = events.next("screen").unwrap();
    assert_eq!(first["store"]["items"][0]["price"], "€2.95");
    assert_eq!(first["store"]["items"][0]["place"], "Aisle 3");
    assert!(first["personal"].is_null());
    assert_eq!(first["now"], 1777888800000_i64);

    site.desired.update(&display("tea"), |s| s.personal = Some(slate("pe", 2, PERSONAL, 20, "Oolong")));
    let second = events.next("screen").unwrap();
    assert_eq!(second["personal"]["id"], "pe");
    assert_eq!(second["personal"]["valid_until"], 1777888820000_i64);
    assert!(!second.to_string().contains("4711"), "a member's id left the appliance: {second}");

    site.clock.advance(Duration::from_secs(20));
    let late = site.follow("/display/tea/events").next("screen").unwrap();
    assert!(late["personal"].is_null(), "an expired slate was sent: {late}");
}

#[test]
fn a_heartbeat_lets_a_page_notice_a_lost_appliance() {
    let site = site(|_| {});
    let mut events = site.follow("/display/tea/events");
    assert_eq!(events.next("beat").unwrap()["now"], 1777888800000_i64);
}

#[test]
fn an_acknowledgement_reaches_the_appliance() {
    let mut site = site(|_| {});
    let answer = site.post("/display/tea/ack", r#"{"slate":"pe","kind":"dismissed","sku":"sku-1"}"#);
    assert_eq!(answer.status, 202, "{}", answer.body);
    let Some(Request::Ack(ack)) = site.requests.blocking_recv() else { panic!("no ack") };
    assert_eq!(
        (ack.display, ack.kind, ack.sku.as_deref()),
        (display("tea"), AckKind::Dismissed, Some("sku-1"))
    );
    assert_eq!(ack.slate, SlateId("pe".into()));

    for bad in ["", "{}", "7", r#"{"slate":"","kind":"shown"}"#, r#"{"slate":"a","kind":"eaten"}"#] {
        let answer = site.post("/display/tea/ack", bad);
        assert_eq!(answer.status, 422, "{bad}: {}", answer.body);
    }
    assert!(site.requests.try_recv().is_err(), "a bad acknowledgement came through");
}

#[test]
fn a_full_queue_asks_to_come_again() {
    let site = site(|_| {});
    let ack = r#"{"slate":"pe","kind":"shown"}"#;
    let statuses: Vec<u16> = (0..10).map(|_| site.post("/display/tea/ack", ack).status).collect();
    assert_eq!(statuses[..8], [202; 8]);
    assert_eq!(statuses[8..], [503; 2]);
    assert!(site.post("/display/tea/ack", ack).head.contains("retry-after: 1"));
}

#[test]
fn an_unknown_display_is_explained_in_words() {
    let site = site(|_| {});
    let answer = site.get("/display/nowhere");
    assert_eq!(answer.status, 404);
    assert!(
        answer.body.contains("There is no display of this name") && answer.body.contains("<!DOCTYPE html>")
    );
    assert_eq!(site.send("GET", "/display/nowhere/events", "", b"").status, 404);
    assert_eq!(site.post("/display/nowhere/ack", r#"{"slate":"a","kind":"shown"}"#).status, 404);
    assert_eq!(site.get("/no/such/page").status, 404);
    assert_eq!(site.get("/display/%00").status, 404);
    assert_eq!(site.get("/display/%ff").status, 400);
}

#[test]
fn hostile_names_are_text() {
    let hostile = "<script>alert(1)</script>";
    let site = site(|state| {
        state.displays[0].title = Some(hostile.into());
    });
    for path in ["/", "/display/tea", "/live"] {
        let answer = site.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.body.contains("<script>alert"), "{path} carries a script");
        assert!(answer.body.contains("&lt;script&gt;"), "{path} lost the name");
    }
    assert!(!site.get("/").body.contains("<b>Shop"));
    assert!(!site.get("/%3Cscript%3Ealert(1)").body.contains("<script>alert"));
}
