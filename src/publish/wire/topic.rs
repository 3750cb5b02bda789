//! The names of the topics, and which of them a received message came on.

use crate::id::{DisplayId, StoreId};

/// The topics of one store.
#[derive(Debug, Clone)]
pub struct Topics {
    prefix: String,
}

/// A topic that the daemon reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncomingTopic {
    /// `display/<d>/ack`.
    Ack(DisplayId),
    /// `display/<d>/status`.
    DisplayStatus(DisplayId),
    /// `receipt`.
    Receipt,
    /// `catalogue`.
    Catalogue,
    /// `stock`.
    Stock,
}

impl Topics {
    /// The topics of `store`: all begin with `shopguide/<s>/`.
    pub fn new(store: &StoreId) -> Self {
        Self { prefix: format!("shopguide/{store}") }
    }

    /// The daemon's own state, retained, and its last will.
    pub fn status(&self) -> String {
        format!("{}/status", self.prefix)
    }

    /// What a display should show.
    pub fn slate(&self, display: &DisplayId) -> String {
        format!("{}/display/{display}/slate", self.prefix)
    }

    /// A display's own state, retained, and its last will.
    pub fn display_status(&self, display: &DisplayId) -> String {
        format!("{}/display/{display}/status", self.prefix)
    }

    /// What a display shows to anybody, for Home Assistant, retained.
    pub fn display_state(&self, display: &DisplayId) -> String {
        format!("{}/display/{display}/state", self.prefix)
    }

    /// What a display did with a slate.
    pub fn ack(&self, display: &DisplayId) -> String {
        format!("{}/display/{display}/ack", self.prefix)
    }

    /// Pseudonymous visits.
    pub fn visit(&self) -> String {
        format!("{}/visit", self.prefix)
    }

    /// Receipts from tills.
    pub fn receipt(&self) -> String {
        format!("{}/receipt", self.prefix)
    }

    /// Changed products from the back office.
    pub fn catalogue(&self) -> String {
        format!("{}/catalogue", self.prefix)
    }

    /// Changed stock from the back office.
    pub fn stock(&self) -> String {
        format!("{}/stock", self.prefix)
    }

    /// The filters that the daemon subscribes to.
    pub fn subscriptions(&self) -> [String; 5] {
        [
            format!("{}/display/+/ack", self.prefix),
            format!("{}/display/+/status", self.prefix),
            self.receipt(),
            self.catalogue(),
            self.stock(),
        ]
    }

    /// Which topic of this store `topic` is, if it is one that the daemon reads.
    pub fn incoming(&self, topic: &str) -> Option<IncomingTopic> {
        let rest = topic.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        let mut parts = rest.split('/');
        let found = match (parts.next()?, parts.next(), parts.next()) {
            ("receipt", None, None) => IncomingTopic::Receipt,
            ("catalogue", None, None) => IncomingTopic::Catalogue,
            ("stock", None, None) => IncomingTopic::Stock,
            ("display", Some(d), Some("ack")) => IncomingTopic::Ack(DisplayId::new(d).ok()?),
            ("display", Some(d), Some("status")) => IncomingTopic::DisplayStatus(DisplayId::new(d).ok()?),
            _ => return None,
        };
        parts.next().is_none().then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn topics() -> Topics {
        Topics::new(&StoreId::new("corner").unwrap())
    }

    #[test]
    fn every_topic_that_is_read_is_recognised_and_no_other() {
        let (t, d) = (topics(), DisplayId::new("tea").unwrap());
        assert_eq!(t.incoming(&t.ack(&d)), Some(IncomingTopic::Ack(d.clone())));
        assert_eq!(t.incoming(&t.display_status(&d)), Some(IncomingTopic::DisplayStatus(d.clone())));
        assert_eq!(t.incoming(&t.receipt()), Some(IncomingTopic::Receipt));
        for own in
            [t.status(), t.slate(&d), t.display_state(&d), t.visit(), "shopguide/corner2/receipt".into()]
        {
            assert_eq!(t.incoming(&own), None, "{own}");
        }
    }

    proptest! {
        #[test]
        fn any_topic_is_read_without_a_panic(topic in "(shopguide/corner/)?[a-zA-Z0-9/+#$ü]{0,40}") {
            if let Some(IncomingTopic::Ack(d) | IncomingTopic::DisplayStatus(d)) = topics().incoming(&topic) {
                let part = format!("/display/{d}/");
                prop_assert!(topic.contains(&part));
            }
        }
    }
}
