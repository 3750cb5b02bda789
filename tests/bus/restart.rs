//! Brokers that go away and come back: the present state is there soon after, and nothing stale.

use crate::peers::*;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn after_a_brokers_return_every_display_has_its_present_slate_and_no_stale_one() {
    for mut broker in AnyBroker::both().await {
        let Some(listener) = Listener::start(broker.port(), "shopguide/corner/display/+/slate") else {
            return;
        };
        let daemon = Daemon::start(bus_settings(broker.port())).connected().await;
        for display in displays() {
            listener.hears_slate(&daemon.show(&display, false, LONG)).await;
        }
        for round in 0..3 {
            let gone = daemon.show(&tea(), true, LONG);
            listener.hears_slate(&gone).await;
            broker.kill().await;
            until("the loss is noticed", || daemon.bus.health().connected_since.is_none().then_some(()))
                .await;
            // while it is away: many changes, a personal slate that runs out, one that is withdrawn
            let mut stale = vec![gone.id.clone()];
            for display in displays() {
                for _ in 0..50 {
                    stale.push(daemon.show(&display, false, LONG).id.clone());
                }
            }
            stale.push(daemon.show(&tea(), true, Duration::from_millis(300)).id.clone());
            tokio::time::sleep(Duration::from_millis(400 * (round + 1))).await;
            daemon.desired.update(&tea(), |screen| screen.personal = None);
            let present = displays().map(|display| daemon.show(&display, false, LONG));
            let own = daemon.show(&displays()[1], true, LONG);
            listener.forget();
            broker.start_again().await;
            let back = Instant::now();
            let mut latest = Duration::ZERO;
            for slate in present.iter().chain([&own]) {
                latest = latest.max(listener.hears_slate(slate).await.at - back);
            }
            println!("{}: every present slate heard {latest:?} after its return", broker.name());
            // all that may still come has come
            tokio::time::sleep(Duration::from_millis(1500)).await;
            for message in listener.all() {
                let slate = message.slate().slate;
                assert!(!stale.contains(&slate), "stale {slate} was delivered by {}", broker.name());
            }
            daemon.desired.update(&displays()[1], |screen| screen.personal = None);
        }
        assert_eq!(daemon.bus.health().reconnects, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_without_a_broker_starts_and_says_so_and_finds_it_later() {
    let Some(mut broker) = Mosquitto::anonymous().await else { return };
    broker.kill();
    let daemon = Daemon::start(bus_settings(broker.port));
    let slate = daemon.show(&tea(), false, LONG);
    let error = until("the error is said", || daemon.bus.health().last_error).await;
    assert!(error.contains("nothing listens at mqtt://127.0.0.1:"), "{error}");
    assert!(serde_json::to_string(&daemon.bus.health()).unwrap().contains("last_error"));
    broker.spawn().await;
    let listener = Listener::start(broker.port, "shopguide/corner/display/tea/slate").unwrap();
    listener.hears_slate(&slate).await;
    // the goodbye comes to an end although nobody acknowledges it
    broker.kill();
    daemon.bus.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stands_still_never_makes_the_daemon_wait() {
    let Some(broker) = Mosquitto::anonymous().await else { return };
    let listener = Listener::start(broker.port, "shopguide/corner/display/+/slate").unwrap();
    let daemon = Daemon::start(bus_settings(broker.port)).connected().await;
    listener.hears_slate(&daemon.show(&tea(), false, LONG)).await;
    listener.forget();
    broker.signal("STOP");
    let (mut last, mut longest) = (None, Duration::ZERO);
    for _ in 0..2000 {
        let began = Instant::now();
        last = Some(daemon.show(&tea(), false, LONG));
        longest = longest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("the longest of 2,000 changes took {longest:?} while the broker stood still");
    tokio::time::sleep(Duration::from_millis(500)).await;
    broker.signal("CONT");
    listener.hears_slate(&last.unwrap()).await;
    let heard = listener.all().len();
    println!("{heard} of 2,000 changes were sent");
    assert!(heard < 300, "{heard} messages piled up");
}
