//! A shelf display of the demo that is nothing but an MQTT client: it knows the contract, not the
//! program. It shows the slate it is sent, confirms that, and keeps what an onlooker would see.
//!
//! What always holds: it never takes a slate that is older than the one it shows, or no longer valid.

use crate::clock::Clock;
use jiff::Timestamp;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Event, MqttOptions};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A slate that came over MQTT and was shown.
#[derive(Debug, Clone)]
pub struct Received {
    /// When.
    pub at: Timestamp,
    /// The whole message.
    pub slate: Value,
}

/// The running display.
#[derive(Debug)]
pub struct ShelfDisplay {
    received: Arc<Mutex<Vec<Received>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ShelfDisplay {
    /// Connects to the broker on this machine and follows `display` of `store`.
    pub fn start(host: &str, port: u16, store: &str, display: &str, clock: Clock) -> std::io::Result<Self> {
        let mut options = MqttOptions::new(format!("display-{display}"), host, port);
        options.set_keep_alive(Duration::from_secs(5));
        let (client, mut connection) = Client::new(options, 64);
        let topic = format!("shopguide/{store}/display/{display}");
        let received = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (kept, ended) = (received.clone(), stop.clone());
        let thread = std::thread::Builder::new().name(format!("shelf-{display}")).spawn(move || {
            let mut newest = 0;
            while !ended.load(Ordering::Relaxed) {
                match connection.recv_timeout(Duration::from_millis(200)) {
                    Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                        // The queue is empty after a (re)connect, so there is room.
                        let _ = client.try_subscribe(format!("{topic}/slate"), QoS::AtLeastOnce);
                    }
                    Ok(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                        let now = clock.now().utc;
                        if let Some(slate) = accept(&publish.payload, &mut newest, now) {
                            let ack = json!({"slate": slate["slate"], "kind": "shown"}).to_string();
                            let _ = client.try_publish(format!("{topic}/ack"), QoS::AtLeastOnce, false, ack);
                            kept.lock().unwrap_or_else(|e| e.into_inner()).push(Received { at: now, slate });
                        }
                    }
                    Ok(Err(_)) => std::thread::sleep(Duration::from_millis(200)),
                    _ => {}
                }
            }
            let _ = client.try_disconnect();
        })?;
        Ok(Self { received, stop, thread: Some(thread) })
    }

    /// Everything shown so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }
}

impl Drop for ShelfDisplay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The slate of a message, if it is newer than `newest` and still valid.
fn accept(payload: &[u8], newest: &mut u64, now: Timestamp) -> Option<Value> {
    let slate: Value = serde_json::from_slice(payload).ok()?;
    let sequence = slate["sequence"].as_u64()?;
    let valid_until: Timestamp = slate["valid_until"].as_str()?.parse().ok()?;
    if sequence <= *newest || valid_until <= now {
        return None;
    }
    *newest = sequence;
    Some(slate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_or_over_is_not_shown() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let message =
            |sequence: u64, until: &str| json!({"sequence": sequence, "valid_until": until}).to_string();
        let mut newest = 5;
        assert!(accept(message(5, "2026-01-01T12:00:09Z").as_bytes(), &mut newest, now).is_none());
        assert!(accept(message(6, "2026-01-01T11:59:59Z").as_bytes(), &mut newest, now).is_none());
        assert!(accept(b"not JSON", &mut newest, now).is_none());
        assert!(accept(message(6, "2026-01-01T12:00:09Z").as_bytes(), &mut newest, now).is_some());
        assert_eq!(newest, 6);
    }
}
