//! The one place that says what each display should show now. Publishers and pages watch it;
//! only the deciding thread writes it. A missed intermediate state is no loss: only the last counts.

use crate::id::DisplayId;
use crate::recommend::Slate;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What one display should show: its store-level slate, and a personal one while it is true.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Screen {
    /// For anybody; kept until replaced.
    pub store: Option<Arc<Slate>>,
    /// For the member before it; not to be shown after its `valid_until`.
    pub personal: Option<Arc<Slate>>,
}

impl Screen {
    /// The slate to show at `utc`.
    pub fn at(&self, utc: jiff::Timestamp) -> Option<&Arc<Slate>> {
        self.personal.as_ref().filter(|s| s.valid_until > utc).or(self.store.as_ref())
    }
}

/// All displays' screens. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desired {
    screens: Arc<BTreeMap<DisplayId, watch::Sender<Screen>>>,
}

impl Desired {
    /// Starts every display with nothing to show.
    pub fn new(displays: impl IntoIterator<Item = DisplayId>) -> Self {
        let screens = displays.into_iter().map(|d| (d, watch::Sender::new(Screen::default()))).collect();
        Self { screens: Arc::new(screens) }
    }

    /// The configured displays, in order of name.
    pub fn displays(&self) -> impl Iterator<Item = &DisplayId> {
        self.screens.keys()
    }

    /// Follows one display; `None` if there is no such display.
    pub fn watch(&self, display: &DisplayId) -> Option<watch::Receiver<Screen>> {
        self.screens.get(display).map(watch::Sender::subscribe)
    }

    /// Changes one display's screen; watchers wake only if it really changed.
    pub fn update(&self, display: &DisplayId, change: impl FnOnce(&mut Screen)) {
        if let Some(sender) = self.screens.get(display) {
            sender.send_if_modified(|screen| {
                let before = screen.clone();
                change(screen);
                *screen != before
            });
        }
    }
}
