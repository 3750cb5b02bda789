//! The embedded broker among clients that are silent, mad or many.

use crate::peers::*;
use futures_util::{SinkExt, StreamExt};
use rand::{Rng, RngCore, SeedableRng};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use shopguide::broker::Broker;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// An MQTT 5 CONNECT with a clean start.
fn connect(id: &str) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x05\x02\0\x3c\0".to_vec();
    body.extend((id.len() as u16).to_be_bytes());
    body.extend(id.as_bytes());
    [&[0x10, body.len() as u8], &body[..]].concat()
}

/// Publishes and hears its own message: the broker works.
async fn works(port: u16, id: &str) {
    let peer = Peer::plain(port, id);
    let topic = format!("test/{id}");
    peer.client.subscribe(&topic, QoS::AtLeastOnce).await.unwrap();
    peer.publish(&topic, false, "hello").await;
    peer.sees("a healthy client is served", |p| matches!(p, Packet::Publish(_)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_before_and_after_login_leave_the_broker_standing() {
    let broker = Broker::start(&embedded_settings(0), None).await.unwrap();
    let address = broker.address();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    for i in 0..1500 {
        let mut bytes = if i % 2 == 0 { Vec::new() } else { connect(&format!("mad-{i}")) };
        let known = bytes.len();
        bytes.resize(known + random.random_range(1..200), 0);
        random.fill_bytes(&mut bytes[known..]);
        if i % 3 == 0 {
            // as the packets that are known to end other brokers: five bytes, and all kinds of types
            bytes.truncate(known + 5);
            bytes[known] = (i % 16) as u8 * 16;
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(&bytes).await;
        if i % 100 == 0 {
            works(address.port(), &format!("healthy-{i}")).await;
        }
    }
    works(address.port(), "healthy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_clients_lose_their_place_and_keep_nobody_out() {
    let mut settings = embedded_settings(0);
    settings.websocket = Some("127.0.0.1:0".parse().unwrap());
    let broker = Broker::start(&settings, None).await.unwrap();
    let mut silent = Vec::new();
    for i in 0..700 {
        let address = if i % 2 == 0 { broker.address() } else { broker.websocket_address().unwrap() };
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // the room has 512 places, and all are taken
    works(broker.address().port(), "healthy").await;
    let mut closed = 0;
    for mut stream in silent {
        let mut byte = [0];
        let end = tokio::time::timeout(PATIENCE, stream.read(&mut byte)).await;
        closed += usize::from(matches!(end, Ok(Ok(0) | Err(_))));
    }
    assert_eq!(closed, 700);
    works(broker.address().port(), "healthy-still").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_retained_messages_are_all_kept() {
    let broker = Broker::start(&embedded_settings(0), None).await.unwrap();
    let writer = Peer::plain(broker.address().port(), "writer");
    for n in 0..3000 {
        writer.publish(&format!("shelf/{n}"), true, n.to_string()).await;
    }
    let published = |p: &Packet| matches!(p, Packet::PubAck(_));
    until("all are acknowledged", || (writer.count(published) == 3000).then_some(())).await;
    let reader = Peer::plain(broker.address().port(), "reader");
    reader.client.subscribe("shelf/+", QoS::AtLeastOnce).await.unwrap();
    let retained = |p: &Packet| matches!(p, Packet::Publish(p) if p.retain);
    until("all are delivered", || (reader.count(retained) == 3000).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mqtt_over_websocket_reaches_the_same_broker() {
    let mut settings = embedded_settings(0);
    settings.websocket = Some("127.0.0.1:0".parse().unwrap());
    let broker = Broker::start(&settings, None).await.unwrap();
    let address = broker.websocket_address().unwrap();
    let request = |subprotocol: Option<&'static str>| {
        let mut request = format!("ws://{address}/mqtt").into_client_request().unwrap();
        if let Some(name) = subprotocol {
            request.headers_mut().insert("Sec-WebSocket-Protocol", name.parse().unwrap());
        }
        request
    };
    let stream = TcpStream::connect(address).await.unwrap();
    assert!(tokio_tungstenite::client_async(request(None), stream).await.is_err(), "without a subprotocol");

    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, response) =
        tokio_tungstenite::client_async(request(Some("mqttv3.1, mqtt")), stream).await.unwrap();
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "mqtt");
    // a packet may come in pieces
    let packet = connect("browser");
    let (head, tail) = packet.split_at(3);
    socket.send(Message::binary(head.to_vec())).await.unwrap();
    socket.send(Message::binary(tail.to_vec())).await.unwrap();
    let mut received = Vec::new();
    let mut until_contains = async |socket: &mut tokio_tungstenite::WebSocketStream<TcpStream>,
                                    wanted: &[u8]| {
        while !received.windows(wanted.len()).any(|w| w == wanted) {
            match tokio::time::timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap() {
                Message::Binary(bytes) => received.extend(bytes),
                other => panic!("{other:?}"),
            }
        }
    };
    until_contains(&mut socket, &[0x20]).await;
    let subscribe = b"\x82\x0b\0\x01\0\0\x05a/b/c\x01";
    socket.send(Message::binary(subscribe.to_vec())).await.unwrap();
    until_contains(&mut socket, &[0x90]).await;
    let plain = Peer::plain(broker.address().port(), "plain");
    plain.publish("a/b/c", false, vec![b'x'; 60_000]).await;
    until_contains(&mut socket, &[b'x'; 60_000]).await;

    // a frame beyond the largest packet ends this connection only
    let _ = socket.send(Message::binary(vec![0x30; 1 << 20])).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), async {
        while let Some(Ok(_)) = socket.next().await {}
    });
    ended.await.unwrap();
    works(broker.address().port(), "healthy").await;
}
