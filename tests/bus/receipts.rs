//! A receipt is acknowledged after its commit and not before, whoever dies in between.

use crate::peers::*;
use rumqttc::v5::mqttbytes::v5::Packet;
use shopguide::broker::Broker;
use shopguide::clock::Clock;
use shopguide::publish::{Incoming, Intake};
use std::time::Duration;

fn receipt(id: &str) -> String {
    let now = jiff::Timestamp::now();
    format!(
        r#"{{"receipt":"{id}","time":"{now}","member":"card-1","lines":[{{"sku":"TEA-1","quantity":2,"price":349}}]}}"#
    )
}

fn receipt_id(message: &Incoming) -> &str {
    match message {
        Incoming::Receipt(receipt) => &receipt.receipt,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_comes_again_until_it_was_committed_and_then_no_more() {
    let Some(broker) = Mosquitto::anonymous().await else { return };
    let mut first = Daemon::start(bus_settings(broker.port)).connected().await;
    mosquitto_pub(broker.port, "shopguide/corner/receipt", &receipt("r-1"));
    let delivery = first.deliveries.recv().await.unwrap();
    assert_eq!(receipt_id(&delivery.message), "r-1");
    // the daemon dies between taking it and committing it
    drop((delivery, first));

    // another one comes while no daemon runs at all
    mosquitto_pub(broker.port, "shopguide/corner/receipt", &receipt("r-2"));
    let mut second = Daemon::start(bus_settings(broker.port)).connected().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let delivery = second.deliveries.recv().await.unwrap();
        ids.push(receipt_id(&delivery.message).to_owned());
        delivery.done();
    }
    ids.sort();
    assert_eq!(ids, ["r-1", "r-2"]);
    until("both are counted", || (second.bus.health().received == 2).then_some(())).await;
    second.bus.stop().await;

    let mut third = Daemon::start(bus_settings(broker.port)).connected().await;
    mosquitto_pub(broker.port, "shopguide/corner/receipt", &receipt("r-3"));
    let delivery = third.deliveries.recv().await.unwrap();
    assert_eq!(receipt_id(&delivery.message), "r-3", "a committed receipt came again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_cannot_be_stored_now_is_not_lost_and_the_bus_goes_on() {
    let broker = AnyBroker::embedded().await;
    let mut daemon = Daemon::start(bus_settings(broker.port())).connected().await;
    let till = Peer::plain(broker.port(), "till");
    till.publish("shopguide/corner/receipt", false, receipt("r-1")).await;
    daemon.deliveries.recv().await.unwrap().later("the disk is full");
    let slate = daemon.show(&tea(), false, Duration::from_secs(60));
    till.client
        .subscribe("shopguide/corner/display/tea/slate", rumqttc::v5::mqttbytes::QoS::AtLeastOnce)
        .await
        .unwrap();
    till.sees("slates go on", |packet| match packet {
        Packet::Publish(p) => String::from_utf8_lossy(&p.payload).contains(&slate.id.0).then_some(()),
        _ => None,
    })
    .await;
    let again = daemon.deliveries.recv().await.unwrap();
    assert_eq!(receipt_id(&again.message), "r-1");
    again.done();
    until("it is counted once", || (daemon.bus.health().received == 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_acknowledges_a_receipt_after_its_commit() {
    let (intake, mut deliveries) = Intake::new(&store().id, displays(), Clock::system());
    let broker = Broker::start(&embedded_settings(0), Some(intake)).await.unwrap();
    let till = Peer::plain(broker.address().port(), "till");
    let monitor = Peer::plain(broker.address().port(), "monitor");
    monitor.client.subscribe("shopguide/#", rumqttc::v5::mqttbytes::QoS::AtLeastOnce).await.unwrap();
    monitor.sees("it follows", |p| matches!(p, Packet::SubAck(_)).then_some(())).await;

    till.publish("shopguide/corner/receipt", false, receipt("r-1")).await;
    let delivery = deliveries.recv().await.unwrap();
    assert_eq!(receipt_id(&delivery.message), "r-1");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let acknowledged = || till.find(|p| matches!(p, Packet::PubAck(_)).then_some(()));
    assert!(acknowledged().is_none(), "acknowledged before the commit");
    delivery.done();
    until("it is acknowledged", acknowledged).await;
    // a receipt names a card: nobody else hears of it
    monitor.publish("shopguide/corner/marker", false, "end").await;
    let heard = monitor
        .sees("the marker", |p| match p {
            Packet::Publish(p) => Some(String::from_utf8_lossy(&p.topic).into_owned()),
            _ => None,
        })
        .await;
    assert_eq!(heard, "shopguide/corner/marker");
    broker.stop().await;
}
