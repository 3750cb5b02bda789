//! MQTT over WebSocket: binary frames of the subprotocol `mqtt`, turned into a stream of bytes.

use futures_util::{SinkExt, StreamExt};
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";
const BUFFER: usize = 16 * 1024;

/// Accepts the handshake; the stream carries the bytes as long as the future is driven.
pub(super) async fn accept(
    stream: TcpStream,
    max_packet: usize,
) -> Result<(DuplexStream, impl Future<Output = Result<()>>)> {
    let limits = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(max_packet + BUFFER)
        .max_message_size(Some(max_packet))
        .max_frame_size(Some(max_packet));
    let socket =
        accept_hdr_async_with_config(stream, choose_subprotocol, Some(limits)).await.map_err(other)?;
    let (outside, inside) = tokio::io::duplex(BUFFER);
    let pump = async move {
        let (mut to_client, mut from_client) = socket.split();
        let (mut from_broker, mut to_broker) = tokio::io::split(inside);
        let upwards = async {
            while let Some(message) = from_client.next().await {
                match message.map_err(other)? {
                    Message::Binary(bytes) => to_broker.write_all(&bytes).await?,
                    Message::Close(_) => break,
                    Message::Text(_) => return Err(Error::new(ErrorKind::InvalidData, "a text frame")),
                    _ => {}
                }
            }
            to_broker.shutdown().await
        };
        let downwards = async {
            let mut buffer = vec![0; BUFFER];
            loop {
                let n = from_broker.read(&mut buffer).await?;
                if n == 0 {
                    return to_client.close().await.map_err(other);
                }
                to_client.send(Message::binary(buffer[..n].to_vec())).await.map_err(other)?;
            }
        };
        tokio::select! {
            ended = upwards => ended,
            ended = downwards => ended,
        }
    };
    Ok((outside, pump))
}

fn other(error: tokio_tungstenite::tungstenite::Error) -> Error {
    match error {
        tokio_tungstenite::tungstenite::Error::Io(e) => e,
        e => Error::other(e),
    }
}

/// A client must offer `mqtt`; browsers and MQTT libraries do.
#[allow(clippy::result_large_err)] // the shape is the library's
fn choose_subprotocol(
    request: &Request,
    mut response: Response,
) -> std::result::Result<Response, ErrorResponse> {
    let offered = request.headers().get_all(SUBPROTOCOL).iter();
    let mut names = offered.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim);
    if names.any(|name| name == "mqtt") {
        response.headers_mut().insert(SUBPROTOCOL, HeaderValue::from_static("mqtt"));
        Ok(response)
    } else {
        let mut refusal = ErrorResponse::new(Some("the WebSocket subprotocol must be mqtt".to_owned()));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        Err(refusal)
    }
}
