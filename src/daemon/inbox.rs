//! What displays, tills and the back office send, over MQTT or HTTP, on its way to the database:
//! each is answered only after its commit, and what can never be taken is refused in words.

use super::counter::Counter;
use super::decide::{AskAlike, AskSwap, Input, ask};
use super::desk::Desk;
use crate::camera::{Cameras, PostError};
use crate::clock::Clock;
use crate::ops::metrics::Metrics;
use crate::publish::wire::{CatalogueMessage, ProductMessage, ReceiptMessage, StockMessage};
use crate::publish::{Delivery, Incoming};
use crate::storage::{Card, NewLine, NewProduct, NewReceipt, Outcome, Recorded, StorageError, Store};
use crate::web::{
    AlikeView, Changes, Counted, Fault, FrameRefused, LineIn, ProductIn, ReceiptIn, Refused, Request,
    StockIn, Swap,
};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use tokio::sync::{Semaphore, mpsc};

/// Requests and deliveries that are worked on at once; the rest waits in their queues.
const AT_ONCE: usize = 16;

/// Products that staff are offered to put in another's place.
const INSTEAD: usize = 4;

/// Takes what comes from outside. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    /// Where it is kept.
    pub store: Store,
    /// Who wants to know.
    pub decider: SyncSender<Input>,
    /// Where posted frames go.
    pub cameras: Arc<Cameras>,
    /// Who serves the staff.
    pub counter: Arc<Counter>,
    /// Who serves the kiosks.
    pub desk: Arc<Desk>,
    /// Counters.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
}

impl Inbox {
    /// Works until both queues are closed.
    pub async fn run(self, mut requests: mpsc::Receiver<Request>, mut deliveries: mpsc::Receiver<Delivery>) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let inbox = self.clone();
            tokio::select! {
                Some(request) = requests.recv() => tokio::task::spawn_blocking(move || {
                    inbox.request(request);
                    drop(place);
                }),
                Some(delivery) = deliveries.recv() => tokio::task::spawn_blocking(move || {
                    inbox.delivery(delivery);
                    drop(place);
                }),
                else => return,
            };
        }
    }

    fn request(&self, request: Request) {
        match request {
            Request::Ack(ack) => self.tell(Input::Ack(ack)),
            Request::Receipts(receipts, reply) => {
                let _ = reply.send(self.receipts(receipts.into_iter().map(from_web).collect()));
            }
            Request::Catalogue(products, reply) => {
                let _ = reply.send(self.products(products.into_iter().map(listed).collect()));
            }
            Request::Stock(levels, reply) => {
                let levels = levels.into_iter().map(|StockIn { sku, stock }| level(sku, stock)).collect();
                let _ = reply.send(self.products(levels));
            }
            Request::Kiosk(request, reply) => {
                let _ = reply.send(self.desk.serve(request));
            }
            Request::Export(code, reply) => {
                let _ = reply.send(self.desk.export(&code));
            }
            Request::NotThem(member, zone) => self.tell(Input::NotThem(member, zone)),
            Request::Instead(member, display, sku, reply) => {
                let asked =
                    AskAlike { member, display, sku, items: INSTEAD, for_a_slate: true, language: None };
                let found = ask(&self.decider, |reply| Input::Alike(asked, reply));
                let view = |alike| AlikeView::new(alike, &self.counter.shop);
                let _ = reply.send(found.map(|f| f.into_iter().map(view).collect()).ok_or_else(busy));
            }
            Request::Swap(Swap { display, slate, sku, with }, reply) => {
                let asked = AskSwap { display, slate, sku, with };
                let _ = reply.send(ask(&self.decider, |reply| Input::Swap(asked, reply)).ok_or_else(busy));
            }
            Request::Search(words, reply) => {
                let _ = reply.send(self.counter.search(&words).map_err(refused));
            }
            Request::Member(card, by, reply) => {
                let _ = reply.send(self.counter.member(&card, &by).map_err(refused));
            }
            Request::Copy(card, by, reply) => {
                let _ = reply.send(self.counter.copy(&card, &by).map_err(refused));
            }
            Request::Day(reply) => {
                let _ = reply.send(self.counter.day().map_err(refused));
            }
            Request::Watches(by, reply) => {
                let _ = reply.send(self.counter.watches(&by).map_err(refused));
            }
            Request::Kept(reply) => {
                let _ = reply.send(self.counter.kept().map_err(refused));
            }
            Request::SignIn(name, secret, reply) => {
                let _ = reply.send(self.counter.sign_in(&name, &secret));
            }
            Request::Frame(camera, bytes, reply) => {
                let posted = self.cameras.post(&camera, bytes.to_vec());
                let _ = reply.send(posted.map_err(|error| match error {
                    PostError::NoSuchCamera(_) => FrameRefused::UnknownCamera,
                    PostError::NotABrowser(_) => FrameRefused::NotABrowserCamera,
                    PostError::NotAnImage(reason) => FrameRefused::Unreadable(reason.to_string()),
                }));
            }
        }
    }

    fn delivery(&self, delivery: Delivery) {
        let done = match &delivery.message {
            Incoming::Ack(ack) => {
                self.tell(Input::Ack(ack.clone()));
                Ok(())
            }
            Incoming::DisplayStatus(from, status) => {
                tracing::info!(display = from.as_str(), state = ?status.state, "a display reported");
                Ok(())
            }
            Incoming::Receipt(receipt) => self.record(vec![from_bus(receipt)]).map(drop),
            Incoming::Catalogue(CatalogueMessage { products }) => {
                self.store.upsert_products(&products.iter().map(from_catalogue).collect::<Vec<_>>()).map(drop)
            }
            Incoming::Stock(StockMessage { levels }) => {
                let levels: Vec<_> = levels.iter().map(|l| level(l.sku.clone(), l.stock)).collect();
                self.store.upsert_products(&levels).map(drop)
            }
        };
        match done {
            Ok(()) => delivery.done(),
            Err(error) if is_final(&error) => delivery.refuse(error.to_string()),
            Err(error) => delivery.later(error.to_string()),
        }
    }

    fn tell(&self, input: Input) {
        // Fails only while the daemon is ending.
        let _ = self.decider.send(input);
    }

    fn record(&self, receipts: Vec<NewReceipt>) -> Result<Vec<Recorded>, StorageError> {
        let began = self.clock.now();
        let recorded = self.store.record_receipts(receipts)?;
        Metrics::observe(&self.metrics.commit, self.clock.now().since(began));
        for Recorded { outcome, member, .. } in &recorded {
            if matches!(outcome, Outcome::Differs) {
                tracing::warn!(
                    id = "receipt-differs",
                    "a receipt came again with other content; the first one stays"
                );
            }
            if matches!(outcome, Outcome::Counted) {
                self.metrics.receipts.inc();
            }
            if let (Outcome::Counted | Outcome::Linked, Some(member)) = (outcome, member) {
                self.tell(Input::Bought(*member));
            }
        }
        Ok(recorded)
    }

    fn receipts(&self, receipts: Vec<NewReceipt>) -> Result<Vec<Counted>, Refused> {
        let recorded = self.record(receipts).map_err(refused)?;
        let counted = |r: &Recorded| match r.outcome {
            Outcome::Counted | Outcome::Linked => Counted::Counted,
            Outcome::Duplicate | Outcome::Differs => Counted::Duplicate,
        };
        Ok(recorded.iter().map(counted).collect())
    }

    fn products(&self, products: Vec<NewProduct>) -> Result<Changes, Refused> {
        let done = self.store.upsert_products(&products).map_err(refused)?;
        let count = |n: u32| n as usize;
        Ok(Changes { new: count(done.new), changed: count(done.changed), unchanged: count(done.unchanged) })
    }
}

/// Whether trying again cannot help.
fn is_final(error: &StorageError) -> bool {
    matches!(error, StorageError::Invalid(_) | StorageError::NoSuchProduct(_) | StorageError::NoSuchMember(_))
}

/// A refusal of the database in words.
pub(super) fn refused(error: StorageError) -> Refused {
    let fault = |remedy: &str| Fault::new(error.to_string(), "", remedy);
    match error {
        StorageError::Full { .. } => {
            Refused::Full(fault("free some space and send it again; nothing was stored"))
        }
        _ if is_final(&error) => {
            Refused::Bad(vec![fault("mend it and send all of it again; nothing was stored")])
        }
        _ => Refused::Unavailable(fault("send it again later; nothing was stored")),
    }
}

/// The deciding thread gave no answer in time.
pub(super) fn busy() -> Refused {
    Refused::Unavailable(Fault::new(
        "the appliance is busy",
        "",
        "try again in a moment; nothing was changed",
    ))
}

fn from_bus(receipt: &ReceiptMessage) -> NewReceipt {
    let line = |l: &crate::publish::wire::LineMessage| NewLine {
        sku: l.sku.clone(),
        quantity: l.quantity,
        unit_price: l.price.0,
        name: None,
    };
    NewReceipt {
        id: receipt.receipt.clone(),
        at: receipt.time,
        member: receipt.member.clone().map(Card::Token),
        lines: receipt.lines.iter().map(line).collect(),
        source: "mqtt",
    }
}

fn from_web(receipt: ReceiptIn) -> NewReceipt {
    let line = |LineIn { sku, quantity, price }| NewLine { sku, quantity, unit_price: price.0, name: None };
    NewReceipt {
        id: receipt.receipt,
        at: receipt.at,
        member: receipt.member.map(Card::Token),
        lines: receipt.lines.into_iter().map(line).collect(),
        source: "http",
    }
}

fn from_catalogue(product: &ProductMessage) -> NewProduct {
    NewProduct {
        sku: product.sku.clone(),
        name: Some(product.name.clone()),
        price: Some(product.price),
        category: Some(product.category.clone()),
        brand: Some(product.brand.clone().unwrap_or_default()),
        attributes: Some(product.attributes.clone().into_iter().collect()),
        stock: Some(product.stock),
        place: Some(product.place.clone().unwrap_or_default()),
        withdrawn: Some(product.withdrawn),
        age_restricted: Some(product.age_restricted),
        sensitive: Some(product.sensitive),
    }
}

fn listed(product: ProductIn) -> NewProduct {
    NewProduct {
        sku: product.sku,
        name: Some(product.name),
        price: Some(product.price),
        category: Some(product.category),
        brand: Some(product.brand.unwrap_or_default()),
        attributes: Some(product.attributes),
        stock: Some(product.stock),
        place: Some(product.place.unwrap_or_default()),
        withdrawn: Some(product.withdrawn),
        age_restricted: Some(product.age_restricted),
        sensitive: Some(product.sensitive),
    }
}

fn level(sku: String, stock: Option<i64>) -> NewProduct {
    NewProduct { sku, stock: Some(stock), ..NewProduct::default() }
}
