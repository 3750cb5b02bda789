//! Pages and API over HTTP: the displays' pages, the live view, frames from browsers, receipts,
//! status. Pages load nothing from elsewhere.
//!
//! What always holds:
//! - The server knows no storage, camera or bus: it reads [`AppState`] and asks the rest of the
//!   appliance through one bounded channel of [`Request`].
//! - A display's page is open to whoever reaches the port; everything that changes or reveals more
//!   needs the token, or comes from this machine itself (see [`guard`]).
//! - Nothing of a member but an alias leaves here, and of a stranger only a box in a live picture.
//! - Every body, connection, stream and wait has a limit; what is over it is refused in words.

mod admin;
mod api;
mod assets;
mod display;
mod floor;
mod guard;
pub mod inbound;
mod index;
mod kiosk;
pub mod live;
mod live_page;
mod refusal;
mod review;
mod screen;
mod server;
mod session;
pub mod settings;
mod staff;
pub mod status;

#[cfg(test)]
mod tests;

pub use admin::Kept;
pub use floor::{Floor, Guest};
pub use inbound::kiosk::{
    ConsentGiven, Erased, FactGroup, FactOffered, Joined, KioskAct, KioskAnswer, KioskHint, KioskRequest,
    Mine,
};
pub use inbound::staff::{Found, MemberFound, StaffAct};
pub use inbound::{LineIn, ProductIn, ReceiptIn, StockIn};
pub use live::{Live, LiveCamera, LiveEvent, LiveFrame, LiveLabel, LiveTrack, LiveWhat};
pub use refusal::{Fault, Refused};
pub use review::{Doubt, Review, Scores, Why};
pub use screen::AlikeView;
pub use server::serve;
pub use status::Status;

use crate::clock::Clock;
use crate::display::{Ack, Area, DisplaySettings, KioskSettings, StoreSettings};
use crate::id::{CameraId, DisplayId, MemberId, SlateId, ZoneId};
use crate::publish::Desired;
use crate::storage::{Day, Role};
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use prometheus_client::registry::Registry;
use serde::Serialize;
use settings::WebSettings;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tower_http::catch_panic::CatchPanicLayer;

/// Open event streams at most; half of the connections, so that requests always find a place.
const STREAMS: usize = 256;
/// Pause between two heartbeats of an event stream. A page that hears nothing for twice as long
/// takes the appliance for lost.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Largest body of a display's word about a slate.
const ACK_BYTES: usize = 2 * 1024;
/// Largest body of what a shopper does at a kiosk.
const KIOSK_BYTES: usize = 8 * 1024;
/// Largest body of receipts and stock.
const JSON_BYTES: usize = 2 * 1024 * 1024;
/// Largest body of catalogue changes.
const CATALOGUE_BYTES: usize = 8 * 1024 * 1024;
/// Largest picture that a browser may post.
const FRAME_BYTES: usize = 4 * 1024 * 1024;

/// What the pages and the API are made from.
#[derive(Clone)]
pub struct AppState {
    /// Token and live view; where to listen is the caller's business.
    pub web: WebSettings,
    /// Name and currency.
    pub store: StoreSettings,
    /// The displays that have a page.
    pub displays: Vec<DisplaySettings>,
    /// The kiosks that have a page.
    pub kiosks: Vec<KioskSettings>,
    /// Zones that a camera of the shop watches whether a shopper presses anything or not.
    pub watched: BTreeSet<ZoneId>,
    /// The shop's floor, for the map on which kiosks show where things stand.
    pub areas: Vec<Area>,
    /// Days that purchases are kept, as kiosks tell it.
    pub keep_days: u32,
    /// What each display should show now.
    pub desired: Desired,
    /// Who is here now.
    pub floor: Floor,
    /// How recognition does.
    pub review: Review,
    /// What the live view shows; without its page, what administrators see.
    pub live: Live,
    /// The time that pages set their clocks by.
    pub clock: Clock,
    /// Asks how everything is; must answer without waiting.
    pub status: Arc<dyn Fn() -> Status + Send + Sync>,
    /// What `/metrics` prints.
    pub metrics: Arc<Registry>,
    /// Where requests go; when it is full the sender is told to come again.
    pub requests: mpsc::Sender<Request>,
}

/// What the web asks of the rest of the appliance. A reply is sent only after the commit; a
/// dropped reply counts as "not done".
#[derive(Debug)]
pub enum Request {
    /// A display's page says what it did with a slate.
    Ack(Ack),
    /// Receipts of a point of sale: all of them or none. The reply has one entry a receipt, in order.
    Receipts(Vec<ReceiptIn>, oneshot::Sender<Result<Vec<Counted>, Refused>>),
    /// Products that are new or changed: all of them or none.
    Catalogue(Vec<ProductIn>, oneshot::Sender<Result<Changes, Refused>>),
    /// Pieces in stock: all of them or none.
    Stock(Vec<StockIn>, oneshot::Sender<Result<Changes, Refused>>),
    /// What a shopper does at a kiosk.
    Kiosk(KioskRequest, oneshot::Sender<Result<KioskAnswer, Refused>>),
    /// The copy that waits under a code; it is given once.
    Export(String, oneshot::Sender<Option<String>>),
    /// Staff say that whoever stands in the zone is not this member.
    NotThem(MemberId, ZoneId),
    /// Products that could stand in the place of one on a member's slate at a display.
    Instead(MemberId, DisplayId, String, oneshot::Sender<Result<Vec<AlikeView>, Refused>>),
    /// Staff put another product in the place of one on a slate: whether that was done.
    Swap(Swap, oneshot::Sender<Result<bool, Refused>>),
    /// Products whose name, SKU, brand or category has these words.
    Search(String, oneshot::Sender<Result<Vec<Found>, Refused>>),
    /// The member with a card, for the member of staff of that name.
    Member(String, String, oneshot::Sender<Result<Option<MemberFound>, Refused>>),
    /// All that is kept of the member with a card, for the member of staff of that name.
    Copy(String, String, oneshot::Sender<Result<Option<serde_json::Value>, Refused>>),
    /// The day so far.
    Day(oneshot::Sender<Result<Day, Refused>>),
    /// The administrator of that name watches the cameras: to be audited.
    Watches(String, oneshot::Sender<Result<(), Refused>>),
    /// What administrators see of what is kept.
    Kept(oneshot::Sender<Result<Kept, Refused>>),
    /// Name and secret: the role, if they are right. Both ways are audited.
    SignIn(String, String, oneshot::Sender<Option<Role>>),
    /// A JPEG from a browser, for the camera of that name.
    Frame(CameraId, Bytes, oneshot::Sender<Result<(), FrameRefused>>),
}

/// Another product in the place of one on a slate.
#[derive(Debug, Clone, PartialEq)]
pub struct Swap {
    /// The display that shows it.
    pub display: DisplayId,
    /// The slate.
    pub slate: SlateId,
    /// What goes.
    pub sku: String,
    /// What comes.
    pub with: String,
}

/// What became of one receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// It is on disk now.
    Counted,
    /// It was on disk already; nothing changed.
    Duplicate,
}

/// What a catalogue or stock change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Changes {
    /// Rows that did not exist.
    pub new: usize,
    /// Rows that changed.
    pub changed: usize,
    /// Rows that were so already.
    pub unchanged: usize,
}

/// Why a posted picture was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameRefused {
    /// No `[[camera]]` has this name.
    #[error("there is no camera of this name")]
    UnknownCamera,
    /// The camera's source is not `browser`.
    #[error("this camera does not take pictures from a browser")]
    NotABrowserCamera,
    /// The bytes are no picture that can be decoded.
    #[error("the picture cannot be read: {0}")]
    Unreadable(String),
}

/// [`AppState`] and what one run of the server adds to it.
struct Shared {
    app: AppState,
    streams: Arc<Semaphore>,
    sessions: session::Sessions,
    stopping: watch::Receiver<bool>,
}

impl Shared {
    fn display(&self, id: &str) -> Option<&DisplaySettings> {
        let id = DisplayId::new(id).ok()?;
        self.app.displays.iter().find(|d| d.id == id)
    }

    /// The screen of a display or of a kiosk.
    fn screen(&self, id: &str) -> Option<DisplaySettings> {
        let kiosk = || self.app.kiosks.iter().find(|k| k.id.as_str() == id).map(KioskSettings::display);
        self.display(id).cloned().or_else(kiosk)
    }
}

/// The handlers' view of [`Shared`].
type Web = axum::extract::State<Arc<Shared>>;

/// All routes. `stopping` turns true (or its sender is dropped) when event streams must end.
fn router(app: AppState, stopping: watch::Receiver<bool>) -> Router {
    let shared = Arc::new(Shared {
        app,
        streams: Arc::new(Semaphore::new(STREAMS)),
        sessions: session::Sessions::default(),
        stopping,
    });

    let open = Router::new()
        .route("/", get(index::page))
        .route("/display/{id}", get(display::page))
        .route("/display/{id}/events", get(display::events))
        .route("/display/{id}/ack", post(display::ack).layer(DefaultBodyLimit::max(ACK_BYTES)))
        .route("/sign-in", get(session::page).post(session::sign_in).layer(DefaultBodyLimit::max(ACK_BYTES)))
        .route("/sign-out", post(session::sign_out))
        .route("/kiosk/{id}/export/{code}", get(kiosk::export))
        .route("/display/worker.js", get(assets::worker))
        .route("/assets/{name}", get(assets::asset))
        .route("/livez", get(status::alive))
        .route("/readyz", get(status::ready));

    let mut guarded = Router::new()
        .route("/status", get(status::page))
        .route("/metrics", get(status::metrics))
        .route("/api/status", get(status::json))
        .route("/api/receipts", post(api::receipts).layer(DefaultBodyLimit::max(JSON_BYTES)))
        .route("/api/stock", post(api::stock).layer(DefaultBodyLimit::max(JSON_BYTES)))
        .route("/api/catalogue", post(api::catalogue).layer(DefaultBodyLimit::max(CATALOGUE_BYTES)))
        .route("/api/cameras/{id}/frame", post(api::frame).layer(DefaultBodyLimit::max(FRAME_BYTES)));
    if shared.app.live.has_page() {
        guarded = guarded
            .route("/live", get(live_page::page))
            .route("/live/events", get(live_page::events))
            .route("/live/{picture}", get(live_page::picture));
    }
    let guarded =
        guarded.route_layer(axum::middleware::from_fn_with_state(shared.clone(), guard::operators_only));

    let kiosks = Router::new()
        .route("/kiosk/{id}", get(kiosk::page))
        .route("/kiosk/{id}/map", get(kiosk::map))
        .route("/kiosk/{id}/do", post(kiosk::act).layer(DefaultBodyLimit::max(KIOSK_BYTES)))
        .route("/kiosk/{id}/frame", post(kiosk::frame).layer(DefaultBodyLimit::max(FRAME_BYTES)))
        .route_layer(axum::middleware::from_fn_with_state(shared.clone(), guard::kiosks_only));

    let signed_in = Router::new()
        .route("/staff", get(staff::page))
        .route("/staff/events", get(staff::events))
        .route("/staff/do", post(staff::act).layer(DefaultBodyLimit::max(ACK_BYTES)))
        .route_layer(axum::middleware::from_fn_with_state(shared.clone(), session::staff_only));

    let admins = Router::new()
        .route("/admin", get(admin::page))
        .route("/admin/events", get(admin::events))
        .merge(
            Router::new()
                .route("/admin/live/events", get(live_page::events))
                .route("/admin/live/{picture}", get(live_page::picture))
                .route_layer(axum::middleware::from_fn_with_state(shared.clone(), admin::audited)),
        )
        .route_layer(axum::middleware::from_fn_with_state(shared.clone(), session::admins_only));

    open.merge(guarded)
        .merge(admins)
        .merge(signed_in)
        .merge(kiosks)
        .fallback(refusal::no_such_page)
        .method_not_allowed_fallback(refusal::wrong_method)
        .layer(axum::middleware::from_fn(guard::same_origin))
        .layer(axum::middleware::from_fn(guard::time_limit))
        .layer(CatchPanicLayer::custom(refusal::after_panic))
        .layer(axum::middleware::map_response(guard::headers))
        .with_state(shared)
}
