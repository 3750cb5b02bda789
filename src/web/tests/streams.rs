//! Open streams, silent clients and bytes that mean nothing.

use super::super::*;
use super::site::{Events, site};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn streams_end_at_once_when_the_server_stops() {
    let site = site(|_| {});
    let mut display = site.follow("/display/tea/events");
    let mut live = site.follow("/live/events");
    assert!(display.next("screen").is_some() && live.next("story").is_some());
    site.stop.send(true).unwrap();
    assert!(display.next("screen").is_none() && live.next("story").is_none());
    let served =
        site.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), site.served).await });
    served.expect("the server did not stop").unwrap().unwrap();
    assert!(TcpStream::connect(site.address).is_err(), "it still listens");
}

#[test]
fn streams_are_bounded() {
    let site = site(|_| {});
    let open: Vec<Events> = (0..STREAMS)
        .map(|_| site.follow("/display/tea/events"))
        .map(|mut e| {
            assert!(e.next("screen").is_some());
            e
        })
        .collect();
    assert_eq!(site.send("GET", "/display/tea/events", "", b"").status, 503);
    assert_eq!(site.get("/display/tea").status, 200, "pages are still served");
    drop(open);
}

#[test]
fn a_silent_client_is_closed() {
    let site = site(|_| {});
    let mut silent = site.connect();
    silent.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").unwrap();
    let mut rest = Vec::new();
    let closed = silent.read_to_end(&mut rest);
    assert!(
        closed.is_ok() || closed.is_err_and(|e| e.kind() != std::io::ErrorKind::WouldBlock),
        "still open"
    );
}

#[test]
fn no_bytes_on_the_wire_stop_the_server() {
    let site = site(|_| {});
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(200));
    let paths = prop_oneof![
        Just("/display/tea/ack"),
        Just("/api/receipts"),
        Just("/api/catalogue"),
        Just("/api/stock"),
        Just("/api/cameras/kiosk/frame"),
        Just("/live/door.jpg"),
    ];
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    runner
        .run(&(paths, bytes.clone(), bytes), |(path, body, raw)| {
            let answer = site.send("POST", path, "content-type: application/json\r\n", &body);
            prop_assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
            let mut stream = site.connect();
            let _ = stream.write_all(&raw);
            Ok(())
        })
        .unwrap();
    assert_eq!(site.get("/livez").status, 200);
}
