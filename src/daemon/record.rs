//! The recording thread: visits, slates, impressions and outcomes on their way to the database, so
//! that a slow disk never holds up what a display shows.
//!
//! What always holds: only members are recorded; records keep their order; when the queue is full a
//! record is dropped and counted, and suggestions go on.

use crate::display::Ack;
use crate::history::View;
use crate::id::{MemberId, VisitId, ZoneId};
use crate::ops::metrics::Metrics;
use crate::recommend::{Audience, Slate};
use crate::storage::{StorageError, Store};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Records that wait at most.
const QUEUE: usize = 1024;

/// Something that happened and is to be kept.
#[derive(Debug)]
pub enum Record {
    /// A member came to a zone.
    Entered { member: MemberId, zone: ZoneId, at: Timestamp },
    /// A member left a zone.
    Left { member: MemberId, zone: ZoneId, at: Timestamp },
    /// A member dwelt before a shelf.
    Viewed { member: MemberId, view: View },
    /// Staff said that it was somebody else; without a score when a card had been shown.
    Refused { member: MemberId, zone: ZoneId, at: Timestamp, score: Option<f32>, votes: u32 },
    /// A slate was made for a display in this zone.
    Slate(Arc<Slate>, ZoneId),
    /// A display spoke about a slate.
    Ack(Ack),
}

/// The way to the recording thread. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: SyncSender<Record>,
    metrics: Metrics,
}

impl Recorder {
    /// A recorder and the end that [`run`] reads.
    pub fn new(metrics: Metrics) -> (Self, Receiver<Record>) {
        let (queue, records) = sync_channel(QUEUE);
        (Self { queue, metrics }, records)
    }

    /// Hands a record on; never waits.
    pub fn send(&self, record: Record) {
        if self.queue.try_send(record).is_err() {
            self.metrics.dropped_records.inc();
        }
    }
}

/// Writes records until every [`Recorder`] is gone.
pub fn run(records: &Receiver<Record>, store: &Store) {
    let mut open: BTreeMap<(MemberId, ZoneId), VisitId> = BTreeMap::new();
    let mut failing = false;
    for record in records {
        match write(record, store, &mut open) {
            Ok(()) => failing = false,
            Err(error) if failing => tracing::debug!(%error, "still not recorded"),
            Err(error) => {
                failing = true;
                tracing::error!(id = "records-lost", %error, "visits and impressions are not being recorded; suggestions go on");
            }
        }
    }
}

fn write(
    record: Record,
    store: &Store,
    open: &mut BTreeMap<(MemberId, ZoneId), VisitId>,
) -> Result<(), StorageError> {
    match record {
        Record::Entered { member, zone, at } => {
            let visit = store.enter_visit(member, &zone, at)?;
            open.insert((member, zone), visit);
        }
        Record::Left { member, zone, at } => {
            if let Some(visit) = open.remove(&(member, zone)) {
                store.leave_visit(visit, at)?;
            }
        }
        Record::Viewed { member, view } => match store.add_view(member, view) {
            // Erased while standing there: then nothing is kept.
            Err(StorageError::NoSuchMember(_)) => {}
            kept => kept?,
        },
        Record::Refused { member, zone, at, score, votes } => {
            store.record_refusal(member, &zone, at, score, votes)?;
        }
        Record::Slate(slate, zone) => {
            let visit = match slate.audience {
                Audience::Personal { member } => open.get(&(member, zone)).copied(),
                Audience::Store => None,
            };
            store.record_slate(&slate, visit)?;
        }
        Record::Ack(ack) => {
            store.record_ack(&ack)?;
        }
    }
    Ok(())
}
