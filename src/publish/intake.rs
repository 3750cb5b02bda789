//! The one entrance for what displays, tills and the back office send: read strictly, hand on, and
//! say "done" only when the receiver has said so, which it does after its commit.
//!
//! The receiver works through a bounded channel of [`Delivery`]s. A delivery that is dropped or put
//! off is offered again, after 0.2 s at first and 30 s at most, until it is taken or refused or its
//! connection ends; whoever sent it has no acknowledgement until then and sends it again later.

use super::wire::{
    AckMessage, CatalogueMessage, DisplayStatusMessage, IncomingTopic, Invalid, ReceiptMessage, StockMessage,
    Topics,
};
use crate::clock::Clock;
use crate::display::Ack;
use crate::id::{DisplayId, StoreId};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Deliveries that wait for the receiver at most; senders beyond that wait, the daemon does not.
const WAITING: usize = 128;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Refusals that are logged one by one, in a window of time.
const LOGGED_PER_WINDOW: u32 = 20;
const LOG_WINDOW: Duration = Duration::from_secs(60);

/// Something received that fits the contract.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A display did something with a slate.
    Ack(Ack),
    /// A purchase.
    Receipt(ReceiptMessage),
    /// Products that are new or changed.
    Catalogue(CatalogueMessage),
    /// Present stock levels.
    Stock(StockMessage),
    /// A display came or went.
    DisplayStatus(DisplayId, DisplayStatusMessage),
}

impl Incoming {
    fn kind(&self) -> &'static str {
        match self {
            Incoming::Ack(_) => "ack",
            Incoming::Receipt(_) => "receipt",
            Incoming::Catalogue(_) => "catalogue",
            Incoming::Stock(_) => "stock",
            Incoming::DisplayStatus(..) => "display status",
        }
    }
}

/// What the receiver made of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Committed (or known already): may be acknowledged.
    Done,
    /// Will never be taken; the reason is for the log and holds no value of the message.
    Refused(String),
}

enum Reply {
    Verdict(Verdict),
    Later(String),
}

/// One message on its way to the receiver.
#[derive(Debug)]
pub struct Delivery {
    /// What came.
    pub message: Incoming,
    reply: oneshot::Sender<Reply>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}

impl Delivery {
    /// It is committed, or was before.
    pub fn done(self) {
        let _ = self.reply.send(Reply::Verdict(Verdict::Done));
    }

    /// It can never be taken, e.g. because it names an unknown product. The reason is logged: no
    /// tokens, no names.
    pub fn refuse(self, why: impl Into<String>) {
        let _ = self.reply.send(Reply::Verdict(Verdict::Refused(why.into())));
    }

    /// It cannot be taken now, e.g. because the disk is full: it stays unacknowledged and is offered
    /// again. Dropping a delivery does the same.
    pub fn later(self, why: impl Into<String>) {
        let _ = self.reply.send(Reply::Later(why.into()));
    }
}

/// Reads messages and offers them to the receiver. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    topics: Topics,
    displays: Arc<BTreeSet<DisplayId>>,
    deliveries: mpsc::Sender<Delivery>,
    clock: Clock,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    taken: AtomicU64,
    refused: AtomicU64,
    /// When the present window of the log began, and the refusals in it.
    logged: Mutex<(Duration, u32)>,
}

impl Intake {
    /// An entrance for `store` with these displays, and the receiver's end of it.
    pub fn new(
        store: &StoreId,
        displays: impl IntoIterator<Item = DisplayId>,
        clock: Clock,
    ) -> (Self, mpsc::Receiver<Delivery>) {
        let (deliveries, receiver) = mpsc::channel(WAITING);
        let displays = Arc::new(displays.into_iter().collect());
        (Self { topics: Topics::new(store), displays, deliveries, clock, counts: Arc::default() }, receiver)
    }

    /// Reads one message; `None` if it came on a topic that the daemon does not read.
    pub fn read(&self, topic: &str, payload: &[u8]) -> Option<Result<Incoming, Invalid>> {
        let topic = self.topics.incoming(topic)?;
        if let IncomingTopic::Ack(display) | IncomingTopic::DisplayStatus(display) = &topic
            && !self.displays.contains(display)
        {
            return Some(Err(Invalid(format!("no display \"{display}\" is configured"))));
        }
        let now = self.clock.now().utc;
        Some(match topic {
            IncomingTopic::Ack(display) => AckMessage::parse(payload).map(|ack| {
                Incoming::Ack(Ack { display, slate: ack.slate, kind: ack.kind, sku: ack.sku, received: now })
            }),
            IncomingTopic::DisplayStatus(display) => {
                DisplayStatusMessage::parse(payload).map(|status| Incoming::DisplayStatus(display, status))
            }
            IncomingTopic::Receipt => ReceiptMessage::parse(payload, now).map(Incoming::Receipt),
            IncomingTopic::Catalogue => CatalogueMessage::parse(payload).map(Incoming::Catalogue),
            IncomingTopic::Stock => StockMessage::parse(payload).map(Incoming::Stock),
        })
    }

    /// Offers `message` until the receiver has judged it. `None` when there is no receiver any more.
    pub async fn offer(&self, message: Incoming) -> Option<Verdict> {
        let mut pause = FIRST_PAUSE;
        loop {
            let (reply, answer) = oneshot::channel();
            self.deliveries.send(Delivery { message: message.clone(), reply }).await.ok()?;
            match answer.await {
                Ok(Reply::Verdict(verdict)) => {
                    match &verdict {
                        Verdict::Done => {
                            self.counts.taken.fetch_add(1, Ordering::Relaxed);
                        }
                        Verdict::Refused(why) => self.refused(message.kind(), why),
                    }
                    return Some(verdict);
                }
                Ok(Reply::Later(why)) => {
                    tracing::warn!(id = "message-postponed", reason = %why, retry_ms = pause.as_millis(), "a received message cannot be taken now");
                }
                Err(_) if self.deliveries.is_closed() => return None,
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Counts and logs a refused message: `what` it was or came on, and `why`, without any value of
    /// it. A flood of them is counted whole and logged in part.
    pub fn refused(&self, what: &str, why: &str) {
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now().mono;
        let mut window = self.counts.logged.lock().unwrap_or_else(|e| e.into_inner());
        if now.saturating_sub(window.0) >= LOG_WINDOW {
            *window = (now, 0);
        }
        window.1 += 1;
        if window.1 <= LOGGED_PER_WINDOW {
            tracing::warn!(
                id = "message-refused",
                message_on = what,
                reason = why,
                "a received message was refused"
            );
        } else if window.1 == LOGGED_PER_WINDOW + 1 {
            tracing::warn!(
                id = "message-refused",
                "more received messages are refused; the status page counts them"
            );
        }
    }

    /// Messages taken and refused so far.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.counts.taken.load(Ordering::Relaxed), self.counts.refused.load(Ordering::Relaxed))
    }

    pub(super) fn topics(&self) -> &Topics {
        &self.topics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intake() -> (Intake, mpsc::Receiver<Delivery>) {
        let tea = DisplayId::new("tea").unwrap();
        Intake::new(&StoreId::new("s").unwrap(), [tea], Clock::system())
    }

    #[test]
    fn a_display_that_is_not_configured_is_refused() {
        let (intake, _receiver) = intake();
        let ack = br#"{"slate":"b-1","kind":"shown"}"#;
        assert!(matches!(intake.read("shopguide/s/display/tea/ack", ack), Some(Ok(Incoming::Ack(_)))));
        let refused = intake.read("shopguide/s/display/coffee/ack", ack).unwrap().unwrap_err();
        assert!(refused.0.contains("\"coffee\""), "{refused}");
        assert!(intake.read("shopguide/s/status", b"{}").is_none());
    }

    #[tokio::test]
    async fn a_message_put_off_is_offered_again_until_it_is_taken() {
        let (intake, mut receiver) = intake();
        let stock = StockMessage::parse(br#"{"levels":[{"sku":"A","stock":1}]}"#).unwrap();
        let offered = tokio::spawn(async move { intake.offer(Incoming::Stock(stock)).await });
        receiver.recv().await.unwrap().later("disk full");
        drop(receiver.recv().await.unwrap());
        assert!(!offered.is_finished());
        receiver.recv().await.unwrap().done();
        assert_eq!(offered.await.unwrap(), Some(Verdict::Done));
    }

    #[tokio::test]
    async fn without_a_receiver_nothing_is_called_done() {
        let (intake, receiver) = intake();
        drop(receiver);
        let stock = StockMessage::parse(br#"{"levels":[{"sku":"A","stock":1}]}"#).unwrap();
        assert_eq!(intake.offer(Incoming::Stock(stock)).await, None);
    }
}
