//! Receipts, catalogue and stock: taken out of the broker's way and acknowledged after the commit.
//!
//! A broker in between would acknowledge a receipt when it has it in memory; a power cut between
//! that and the daemon's commit would lose it although the till was told "done".

use crate::publish::{Incoming, Intake, Verdict};
use mqtt5::broker::{BrokerEventHandler, ClientPublishEvent, PublishAction};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

struct AfterCommit {
    intake: Intake,
}

/// An event handler that hands such messages to `intake` and waits.
pub(super) fn after_commit(intake: Intake) -> Arc<dyn BrokerEventHandler> {
    Arc::new(AfterCommit { intake })
}

impl BrokerEventHandler for AfterCommit {
    fn on_client_publish<'a>(
        &'a self,
        event: ClientPublishEvent,
    ) -> Pin<Box<dyn Future<Output = PublishAction> + Send + 'a>> {
        Box::pin(async move {
            match self.intake.read(&event.topic, &event.payload) {
                Some(Ok(message @ (Incoming::Receipt(_) | Incoming::Catalogue(_) | Incoming::Stock(_)))) => {
                    match self.intake.offer(message).await {
                        Some(Verdict::Done | Verdict::Refused(_)) => {}
                        // the daemon is stopping: no acknowledgement, the sender tries again later
                        None => std::future::pending().await,
                    }
                    PublishAction::Handled
                }
                Some(Err(why)) => {
                    self.intake.refused(&event.topic, &why.0);
                    PublishAction::Handled
                }
                _ => PublishAction::Continue,
            }
        })
    }
}
