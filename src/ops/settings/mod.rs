//! The configuration: TOML in, checked settings out, or every mistake at once.

use crate::broker::settings::BrokerSettings;
use crate::camera::settings::CameraSettings;
use crate::display::{DisplaySettings, StoreSettings};
use crate::publish::settings::BusSettings;
use crate::storage::settings::StorageSettings;
use crate::vision::settings::VisionSettings;
use crate::visit::settings::RecognitionSettings;
use crate::web::settings::WebSettings;

/// Everything the daemon is told, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `[store]`.
    pub store: StoreSettings,
    /// Every `[[camera]]`.
    pub cameras: Vec<CameraSettings>,
    /// Every `[[display]]`.
    pub displays: Vec<DisplaySettings>,
    /// `[vision]`.
    pub vision: VisionSettings,
    /// `[recognition]`.
    pub recognition: RecognitionSettings,
    /// `[mqtt]`; `None` only when the bus is turned off.
    pub bus: Option<BusSettings>,
    /// `[broker]`; `None` when the embedded broker is off.
    pub broker: Option<BrokerSettings>,
    /// `[web]`.
    pub web: WebSettings,
    /// `[storage]`.
    pub storage: StorageSettings,
    /// `[log]`: a `tracing` filter, e.g. `info` or `shopguide=debug`.
    pub log: String,
}
