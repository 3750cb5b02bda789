//! What an independent client sees of the contract.

use crate::peers::*;
use shopguide::display::AckKind;
use shopguide::id::ZoneId;
use shopguide::publish::Incoming;
use shopguide::publish::wire::{Audience, VisitMessage, VisitTag};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_client_sees_the_contract_and_is_heard() {
    for broker in AnyBroker::both().await {
        let port = broker.port();
        let mut daemon = Daemon::start(bus_settings(port)).connected().await;
        let general = daemon.show(&tea(), false, LONG);
        let Some(listener) = Listener::start(port, "shopguide/#") else { return };

        let status = listener.hears("the daemon is online", |m| m.topic == "shopguide/corner/status").await;
        assert!(status.retained && status.payload.contains("\"state\":\"online\""), "{status:?}");
        assert!(status.payload.contains("\"boot_id\":\"boot-1\""), "{status:?}");

        let heard = listener.hears_slate(&general).await;
        assert_eq!(heard.topic, "shopguide/corner/display/tea/slate");
        assert!(heard.retained && heard.expiry.is_some_and(|s| s <= 3600), "{heard:?}");
        assert_eq!(heard.slate().audience, Audience::Store);

        let own = daemon.show(&tea(), true, Duration::from_secs(20));
        let heard = listener.hears_slate(&own).await;
        assert!(!heard.retained && heard.expiry.is_some_and(|s| (1..=20).contains(&s)), "{heard:?}");
        let message = heard.slate();
        assert_eq!((message.audience, message.items[0].price_text.as_str()), (Audience::Personal, "€3.49"));
        assert!(message.captured.is_some());

        // withdrawn before its time: the store-level slate comes again, above it
        daemon.desired.update(&tea(), |screen| screen.personal = None);
        let id = general.id.clone();
        let ended = listener
            .hears("the store-level slate ends the personal one", |m| {
                m.topic.ends_with("/tea/slate")
                    && m.slate().slate == id
                    && m.slate().sequence > message.sequence
            })
            .await;
        assert_eq!(ended.slate().audience, Audience::Store);

        let visit = VisitMessage {
            visit: VisitTag::random(),
            zone: ZoneId::new("entrance").unwrap(),
            entered: jiff::Timestamp::now(),
            left: None,
        };
        daemon.bus.visit(&visit);
        let heard = listener.hears("the visit is heard", |m| m.topic == "shopguide/corner/visit").await;
        assert!(!heard.retained && heard.payload == serde_json::to_string(&visit).unwrap());

        let ack = format!(r#"{{"slate":"{}","kind":"taken","sku":"TEA-1"}}"#, own.id);
        mosquitto_pub(port, "shopguide/corner/display/tea/ack", &ack);
        let delivery = daemon.deliveries.recv().await.unwrap();
        match &delivery.message {
            Incoming::Ack(ack) => {
                assert_eq!((ack.display.as_str(), &ack.slate, ack.kind), ("tea", &own.id, AckKind::Taken));
                assert_eq!(ack.sku.as_deref(), Some("TEA-1"));
            }
            other => panic!("{other:?}"),
        }
        delivery.done();
        until("the ack is counted", || (daemon.bus.health().received == 1).then_some(())).await;

        // nothing that leaves knows a member
        for message in listener.all() {
            assert!(!message.payload.contains("424242"), "{message:?}");
        }

        let bus = daemon.bus;
        bus.stop().await;
        listener
            .hears("the daemon says goodbye", |m| {
                m.topic == "shopguide/corner/status" && m.payload.contains("\"state\":\"offline\"")
            })
            .await;
        println!("{}: the contract was seen", broker.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_dies_leaves_its_last_will() {
    for broker in AnyBroker::both().await {
        let Some(listener) = Listener::start(broker.port(), "shopguide/corner/status") else { return };
        let daemon = Daemon::start(bus_settings(broker.port())).connected().await;
        listener.hears("it is online", |m| m.payload.contains("online")).await;
        drop(daemon);
        listener.hears("its will is read", |m| m.payload.contains("\"state\":\"offline\"")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_display_that_comes_online_is_told_what_to_show_now() {
    let broker = AnyBroker::embedded().await;
    let mut daemon = Daemon::start(bus_settings(broker.port())).connected().await;
    let own = daemon.show(&tea(), true, LONG);
    // past the moments at which it is said again anyway
    tokio::time::sleep(Duration::from_millis(1500)).await;

    let display = Peer::plain(broker.port(), "display-tea");
    let topic = "shopguide/corner/display/tea/slate";
    display.client.subscribe(topic, rumqttc::v5::mqttbytes::QoS::AtLeastOnce).await.unwrap();
    display.publish("shopguide/corner/display/tea/status", true, r#"{"state":"online","items":3}"#).await;
    display
        .sees("the display is told", |packet| match packet {
            rumqttc::v5::mqttbytes::v5::Packet::Publish(p) => {
                String::from_utf8_lossy(&p.payload).contains(&own.id.0).then_some(())
            }
            _ => None,
        })
        .await;
    let delivery = daemon.deliveries.recv().await.unwrap();
    assert!(matches!(&delivery.message, Incoming::DisplayStatus(d, _) if *d == tea()));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_not_of_the_contract_change_nothing() {
    for broker in AnyBroker::both().await {
        let daemon = Daemon::start(bus_settings(broker.port())).connected().await;
        let peer = Peer::plain(broker.port(), "stranger");
        let bad: [(&str, &[u8]); 6] = [
            ("shopguide/corner/display/tea/ack", b"\xff\xfe not even text"),
            ("shopguide/corner/display/tea/ack", b""),
            ("shopguide/corner/display/unknown/ack", br#"{"slate":"x","kind":"shown"}"#),
            ("shopguide/corner/receipt", br#"{"receipt":"r"}"#),
            ("shopguide/corner/stock", br#"{"levels":[]}"#),
            ("shopguide/corner/catalogue", &[b'['; 60_000]),
        ];
        for (topic, payload) in bad {
            peer.publish(topic, false, payload).await;
        }
        until("all are refused", || (daemon.bus.health().rejected == 6).then_some(())).await;
        // refusing acknowledges: far more than the receive maximum pass without a stall
        for _ in 0..200 {
            peer.publish("shopguide/corner/receipt", false, "{}").await;
        }
        until("two hundred more are refused", || (daemon.bus.health().rejected == 206).then_some(())).await;
        let slate = daemon.show(&tea(), false, LONG);
        peer.client
            .subscribe("shopguide/corner/display/tea/slate", rumqttc::v5::mqttbytes::QoS::AtLeastOnce)
            .await
            .unwrap();
        peer.sees("publishing goes on", |packet| match packet {
            rumqttc::v5::mqttbytes::v5::Packet::Publish(p) => {
                String::from_utf8_lossy(&p.payload).contains(&slate.id.0).then_some(())
            }
            _ => None,
        })
        .await;
        assert_eq!(daemon.bus.health().reconnects, 0);
    }
}
