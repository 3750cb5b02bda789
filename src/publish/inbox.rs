//! What one connection receives: read, handed on, and acknowledged in order after the receiver's
//! commit. The broker sends at most 64 messages beyond those acknowledged, so nothing piles up.

use super::connection::RECEIVE_MAXIMUM;
use super::intake::{Incoming, Intake, Verdict};
use super::wire::State;
use crate::id::DisplayId;
use futures_util::StreamExt;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{PubAck, PubAckProperties, PubAckReason, Publish};
use rumqttc::v5::{AsyncClient, Request};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;

/// Messages that the receiver works on at once; acknowledged in order all the same.
const AT_WORK: usize = 32;

/// The poll task's end: it only puts messages in and takes refusals out, and never waits.
pub(super) struct Inbox {
    intake: Intake,
    to_offer: mpsc::Sender<(Publish, Incoming)>,
    refused: Arc<Mutex<Vec<PubAck>>>,
    overrun: AtomicBool,
}

impl Inbox {
    /// An inbox for the connection of `client`; its task ends with `tasks`.
    pub(super) fn open(intake: Intake, client: AsyncClient, tasks: &mut JoinSet<()>) -> Inbox {
        let (to_offer, received) = mpsc::channel(usize::from(RECEIVE_MAXIMUM) * 2);
        let refused = Arc::default();
        tasks.spawn(acknowledge(intake.clone(), client, received, Arc::clone(&refused)));
        Inbox { intake, to_offer, refused, overrun: AtomicBool::new(false) }
    }

    /// Takes one message in; what is not of the contract is refused at once, through `pending`.
    /// Returns the display that just reported itself online, if this was such a report.
    pub(super) fn take(&self, message: &Publish, pending: &mut VecDeque<Request>) -> Option<DisplayId> {
        let topic = String::from_utf8_lossy(&message.topic);
        let receipt = Publish { qos: message.qos, pkid: message.pkid, ..Publish::default() };
        let incoming = match self.intake.read(&topic, &message.payload) {
            Some(Ok(incoming)) => incoming,
            Some(Err(why)) => {
                self.intake.refused(&topic, &why.0);
                pending.extend(refusal(&receipt, &why.0).map(Request::PubAck));
                return None;
            }
            None => {
                pending.extend(refusal(&receipt, "not a topic that is read").map(Request::PubAck));
                return None;
            }
        };
        let online = match &incoming {
            Incoming::DisplayStatus(display, status) if status.state == State::Online && !message.retain => {
                Some(display.clone())
            }
            _ => None,
        };
        match self.to_offer.try_send((receipt, incoming)) {
            // closed: nobody receives any more, so nothing is acknowledged
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) if message.qos == QoS::AtMostOnce => {
                self.intake.refused(&topic, "too many at once for QoS 0; use QoS 1");
            }
            Err(TrySendError::Full(_)) => self.overrun.store(true, Ordering::Relaxed),
        }
        online
    }

    /// Whether the broker sent more than it may, so that the connection must end.
    pub(super) fn overrun(&self) -> bool {
        self.overrun.load(Ordering::Relaxed)
    }

    /// Sends the receiver's refusals out through `pending`.
    pub(super) fn refuse(&self, pending: &mut VecDeque<Request>) {
        pending.extend(self.refused.lock().unwrap_or_else(|e| e.into_inner()).drain(..).map(Request::PubAck));
    }
}

/// An acknowledgement that says no; QoS 0 has none.
fn refusal(message: &Publish, why: &str) -> Option<PubAck> {
    (message.qos == QoS::AtLeastOnce).then(|| PubAck {
        pkid: message.pkid,
        reason: PubAckReason::PayloadFormatInvalid,
        properties: Some(PubAckProperties {
            reason_string: Some(why.to_owned()),
            user_properties: Vec::new(),
        }),
    })
}

/// Offers received messages to the receiver, and acknowledges each after its commit, in order.
async fn acknowledge(
    intake: Intake,
    client: AsyncClient,
    received: mpsc::Receiver<(Publish, Incoming)>,
    refused: Arc<Mutex<Vec<PubAck>>>,
) {
    let offered = ReceiverStream::new(received).map(|(message, incoming)| {
        let intake = intake.clone();
        async move { (message, intake.offer(incoming).await) }
    });
    let mut judged = std::pin::pin!(offered.buffered(AT_WORK));
    while let Some((message, verdict)) = judged.next().await {
        match verdict {
            Some(Verdict::Done) => {
                if client.ack(&message).await.is_err() {
                    return;
                }
            }
            Some(Verdict::Refused(why)) => {
                refused.lock().unwrap_or_else(|e| e.into_inner()).extend(refusal(&message, &why));
            }
            None => return,
        }
    }
}
