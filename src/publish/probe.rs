//! One attempt to connect, for whoever asks whether the broker can be used at all: under a client id
//! of its own, so that it pushes nobody out, and without a word to any topic.

use super::connection;
use super::settings::BusSettings;
use rumqttc::v5::AsyncClient;
use rumqttc::v5::Event;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Packet};

/// Connects, logs in and says goodbye; why that does not work, in words. Waits 3 s at most.
pub async fn probe(settings: &BusSettings) -> Result<(), String> {
    let mut settings = settings.clone();
    settings.client_id = format!("{}-doctor", settings.client_id);
    let mut options = connection::options(&settings).map_err(|error| error.to_string())?;
    options.set_clean_start(true).set_connect_properties(ConnectProperties::new());
    let (client, mut events) = AsyncClient::new(options, 4);
    let attempt = async {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(connection::explain(&error, &settings).0),
            }
        }
    };
    let limit = connection::CONNECT_LIMIT;
    let connected = tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| {
        Err(format!("{} did not answer within {} s", connection::address(&settings), limit.as_secs()))
    });
    if connected.is_ok() && client.disconnect().await.is_ok() {
        // Whether the goodbye arrives is no matter here.
        let _ = tokio::time::timeout(limit, events.poll()).await;
    }
    connected
}
