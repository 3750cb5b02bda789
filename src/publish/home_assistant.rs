//! What Home Assistant is told of the displays, if `[mqtt] home_assistant` asks for it: one retained
//! discovery message for each display, by which it sets the display up as a device (since its version
//! 2024.11), and one retained message with what the display shows to anybody.
//!
//! What always holds: nothing of a personal slate is in it, not even that there is one: who keeps a
//! history of these states keeps nothing of when a member stood there.

use super::desired::Screen;
use super::wire::{DisplayStateMessage, Topics};
use crate::display::StoreSettings;
use crate::id::DisplayId;
use serde_json::{Value, json};

/// A retained message: its topic and payload.
pub(super) type Retained = (String, Vec<u8>);

/// What was told of one display.
pub(super) struct House {
    discovery: Retained,
    topic: String,
    told: Option<DisplayStateMessage>,
}

impl House {
    pub(super) fn new(topics: &Topics, store: &StoreSettings, display: &DisplayId) -> Self {
        let topic = format!("homeassistant/device/{}/config", name(store, display));
        Self {
            discovery: (topic, discovery(topics, store, display).to_string().into_bytes()),
            topic: topics.display_state(display),
            told: None,
        }
    }

    /// The messages that bring Home Assistant from what it was told to `screen`; with `all` also what it
    /// was told already.
    pub(super) fn messages(&mut self, screen: &Screen, all: bool) -> Vec<Retained> {
        let state = DisplayStateMessage::of(screen.store.as_deref());
        let mut said = Vec::new();
        if all || self.told.is_none() {
            said.push(self.discovery.clone());
        }
        if all || self.told.as_ref() != Some(&state) {
            said.push((self.topic.clone(), serde_json::to_vec(&state).unwrap_or_default()));
        }
        self.told = Some(state);
        said
    }

    /// The messages did not all go out: they are to be said again.
    pub(super) fn forget(&mut self) {
        self.told = None;
    }
}

fn name(store: &StoreSettings, display: &DisplayId) -> String {
    format!("shopguide-{}-{display}", store.id)
}

fn discovery(topics: &Topics, store: &StoreSettings, display: &DisplayId) -> Value {
    let name = name(store, display);
    let state = topics.display_state(display);
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "device": {
            "identifiers": [name],
            "name": format!("{} {display}", store.name),
            "manufacturer": "shopguide",
            "model": "Display",
            "sw_version": version,
        },
        "origin": { "name": "shopguide", "sw_version": version },
        "availability_topic": topics.status(),
        "availability_template": "{{ value_json.state }}",
        "qos": 1,
        "components": {
            "shows": {
                "platform": "sensor",
                "unique_id": format!("{name}-shows"),
                "name": "Shows",
                "icon": "mdi:storefront-outline",
                "state_topic": state,
                "value_template": "{{ value_json.first or 'nothing' }}",
                "json_attributes_topic": state,
            },
            "products": {
                "platform": "sensor",
                "unique_id": format!("{name}-products"),
                "name": "Products",
                "icon": "mdi:counter",
                "state_topic": state,
                "value_template": "{{ value_json.products }}",
            },
            "connected": {
                "platform": "binary_sensor",
                "unique_id": format!("{name}-connected"),
                "name": "Connected by MQTT",
                "device_class": "connectivity",
                "entity_category": "diagnostic",
                "state_topic": topics.display_status(display),
                "value_template": "{{ 'ON' if value_json.state == 'online' else 'OFF' }}",
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{MemberId, ProductId, SlateId, StoreId};
    use crate::recommend::{Audience, Money, Reason, Slate, Suggestion};
    use jiff::Timestamp;
    use std::sync::Arc;

    fn house() -> House {
        let id = StoreId::new("corner").unwrap();
        let store = StoreSettings {
            id: id.clone(),
            name: "Corner Market".into(),
            currency: "€".into(),
            currency_digits: 2,
            time_zone: "UTC".into(),
        };
        House::new(&Topics::new(&id), &store, &DisplayId::new("tea").unwrap())
    }

    fn slate(name: &str, audience: Audience) -> Arc<Slate> {
        Arc::new(Slate {
            id: SlateId(format!("slate-{name}")),
            display: DisplayId::new("tea").unwrap(),
            sequence: 1,
            audience,
            made_at: Timestamp::UNIX_EPOCH,
            valid_until: Timestamp::MAX,
            captured: None,
            greeting: None,
            items: vec![Suggestion {
                product: ProductId(1),
                sku: "T1".into(),
                name: name.into(),
                price: Money(250),
                place: None,
                score: 1.0,
                propensity: 1.0,
                reason: Reason::Popular { receipts: 3, days: 28 },
                reason_text: "Popular here".into(),
            }],
        })
    }

    #[test]
    fn a_display_is_made_known_once_and_its_state_said_when_it_changes() {
        let mut house = house();
        let topics = |said: Vec<Retained>| said.into_iter().map(|(topic, _)| topic).collect::<Vec<_>>();
        let (config, state) =
            ("homeassistant/device/shopguide-corner-tea/config", "shopguide/corner/display/tea/state");
        let mut screen = Screen::default();
        assert_eq!(topics(house.messages(&screen, true)), [config, state]);
        assert!(house.messages(&screen, false).is_empty());
        screen.store = Some(slate("Oat drink", Audience::Store));
        let said = house.messages(&screen, false);
        assert!(String::from_utf8_lossy(&said[0].1).contains("\"first\":\"Oat drink\""));
        assert_eq!(topics(said), [state]);
        house.forget();
        assert_eq!(topics(house.messages(&screen, false)), [config, state]);
        assert_eq!(topics(house.messages(&screen, true)), [config, state]);
    }

    #[test]
    fn a_personal_slate_changes_nothing() {
        let mut house = house();
        let mut screen = Screen { store: Some(slate("Oat drink", Audience::Store)), personal: None };
        house.messages(&screen, true);
        screen.personal = Some(slate("Own", Audience::Personal { member: MemberId(7) }));
        assert!(house.messages(&screen, false).is_empty());
        let all = house.messages(&screen, true);
        assert!(all.iter().all(|(_, payload)| !String::from_utf8_lossy(payload).contains("Own")));
    }
}
