//! A slate as a page reads it: texts ready to show, no member, no score.

use crate::display::StoreSettings;
use crate::publish::Screen;
use crate::recommend::alike::Alike;
use crate::recommend::{Audience, Language, Slate, text};
use jiff::Timestamp;
use serde::Serialize;

/// What a display's page gets: the present state, always whole.
#[derive(Debug, Serialize)]
pub(super) struct ScreenView {
    /// The appliance's clock, Unix milliseconds.
    now: i64,
    /// Version of the page that this appliance serves.
    page: &'static str,
    store: Option<SlateView>,
    personal: Option<SlateView>,
}

/// One slate.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SlateView {
    id: String,
    sequence: u64,
    audience: &'static str,
    /// Unix milliseconds.
    valid_until: i64,
    greeting: Option<String>,
    items: Vec<ItemView>,
}

/// A product like another, as a page reads it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlikeView {
    /// The store's name of it.
    pub sku: String,
    /// Name.
    pub name: String,
    /// Ready to read.
    pub price: String,
    /// Pieces; `None` if they are not counted.
    pub stock: Option<i64>,
    /// Where it stands.
    pub place: Option<String>,
    /// What both have in common, in the store's words.
    pub common: Vec<String>,
    /// Why it suits the member, if that can be said.
    pub reason: Option<String>,
}

impl AlikeView {
    /// In the store's currency.
    pub fn new(alike: Alike, store: &StoreSettings) -> Self {
        let Alike { product, common, reason } = alike;
        let price = store.price(product.price);
        Self {
            sku: product.sku,
            name: product.name,
            price,
            stock: product.stock,
            place: product.place,
            common,
            reason,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct ItemView {
    sku: String,
    name: String,
    price: String,
    place: Option<String>,
    reason: String,
}

impl ScreenView {
    /// What `screen` says at `now`, its reasons in `language` if one is asked for; a personal slate that
    /// is no longer valid is left out.
    pub(super) fn new(
        screen: &Screen,
        now: Timestamp,
        page: &'static str,
        store: &StoreSettings,
        language: Option<Language>,
    ) -> Self {
        let personal = screen.personal.as_ref().filter(|s| s.valid_until > now);
        Self {
            now: now.as_millisecond(),
            page,
            store: screen.store.as_ref().map(|s| SlateView::new(s, store).said_in(language, s)),
            personal: personal.map(|s| SlateView::new(s, store).said_in(language, s)),
        }
    }
}

impl SlateView {
    /// `slate` in the store's currency.
    pub(super) fn new(slate: &Slate, store: &StoreSettings) -> Self {
        let item = |i: &crate::recommend::Suggestion| ItemView {
            sku: i.sku.clone(),
            name: i.name.clone(),
            price: store.price(i.price),
            place: i.place.clone(),
            reason: i.reason_text.clone(),
        };
        Self {
            id: slate.id.to_string(),
            sequence: slate.sequence,
            audience: match slate.audience {
                Audience::Store => "store",
                Audience::Personal { .. } => "personal",
            },
            valid_until: slate.valid_until.as_millisecond(),
            greeting: slate.greeting.clone(),
            items: slate.items.iter().map(item).collect(),
        }
    }

    /// The same with reasons and greeting in another language; what `slate` says is not changed.
    fn said_in(mut self, language: Option<Language>, slate: &Slate) -> Self {
        let Some(language) = language else { return self };
        for (view, item) in self.items.iter_mut().zip(&slate.items) {
            view.reason = text::reason(&item.reason, language);
        }
        self.greeting = self.greeting.map(|_| match slate.audience {
            Audience::Store => text::store_greeting(language).to_owned(),
            Audience::Personal { .. } => text::greeting(language).to_owned(),
        });
        self
    }
}
