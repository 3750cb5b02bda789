//! Home Assistant's discovery: what an independent client finds retained at a broker, before and after
//! the broker was away, and that nothing personal is in it.

use crate::peers::*;
use serde_json::Value;
use shopguide::publish::settings::BusSettings;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn home_assistant_finds_every_display_and_what_it_shows_to_anybody() {
    for mut broker in AnyBroker::both().await {
        let settings = BusSettings { home_assistant: true, ..bus_settings(broker.port()) };
        let daemon = Daemon::start(settings).connected().await;
        let general = daemon.show(&tea(), false, LONG);
        let own = daemon.show(&tea(), true, LONG);
        let Some(first) = Listener::start(broker.port(), "shopguide/corner/display/tea/state") else {
            return;
        };
        first.hears("the state is said", |m| m.payload.contains(&general.id.0)).await;
        for round in 0..2 {
            // whoever comes later finds it, since it is retained
            let Some(listener) = Listener::start(broker.port(), "#") else { return };
            let found = listener
                .hears("the discovery", |m| m.topic == "homeassistant/device/shopguide-corner-tea/config")
                .await;
            assert!(found.retained);
            let found: Value = serde_json::from_str(&found.payload).unwrap();
            let shows = &found["components"]["shows"];
            assert_eq!(found["device"]["identifiers"][0], "shopguide-corner-tea");
            assert_eq!(found["availability_topic"], "shopguide/corner/status");
            assert_eq!(shows["platform"], "sensor");
            let topic = shows["state_topic"].as_str().unwrap().to_owned();
            assert_eq!(topic, "shopguide/corner/display/tea/state");
            let (id, of) = (general.id.clone(), topic.clone());
            let state = listener.hears("the state", |m| m.topic == of && m.payload.contains(&id.0)).await;
            assert!(state.retained);
            let state: Value = serde_json::from_str(&state.payload).unwrap();
            assert_eq!(state["products"], general.items.len());
            assert_eq!(state["first"], general.items[0].name.as_str());
            for message in listener.all() {
                let about_own = message.payload.contains(&own.id.0);
                assert!(!about_own || message.topic.ends_with("/slate"), "{message:?}");
            }
            if round == 0 {
                broker.kill().await;
                until("the loss is noticed", || daemon.bus.health().connected_since.is_none().then_some(()))
                    .await;
                broker.start_again().await;
                first.forget();
                first.hears("the state is said again", |m| m.payload.contains(&general.id.0)).await;
            }
        }
        // a change is said at once
        let listener = Listener::start(broker.port(), "shopguide/corner/display/tea/state").unwrap();
        let next = daemon.show(&tea(), false, LONG);
        listener.hears("the change", |m| m.payload.contains(&next.id.0)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_nothing_is_said_of_it() {
    let broker = AnyBroker::embedded().await;
    let Some(listener) = Listener::start(broker.port(), "#") else { return };
    let daemon = Daemon::start(bus_settings(broker.port())).connected().await;
    let slate = daemon.show(&tea(), false, LONG);
    listener.hears_slate(&slate).await;
    for message in listener.all() {
        assert!(message.topic.starts_with("shopguide/") && !message.topic.ends_with("/state"), "{message:?}");
    }
}
