//! Who may do what on which topic, decided by the user's name.
//!
//! | user name | publishes | reads |
//! |---|---|---|
//! | `display-<d>` | acknowledgements and status of display `<d>` | its slate, the daemon's status |
//! | `pos`, `pos-<name>` | receipts | the daemon's status |
//! | `office`, `office-<name>` | catalogue, stock | the daemon's status |
//! | `monitor`, `monitor-<name>` | nothing | everything |
//! | `home`, `home-<name>` | that Home Assistant is there | what it is told of displays |
//! | `daemon`, `daemon-<name>` | everything | everything |
//!
//! A subscription is allowed only if every topic that it could match is allowed.

use crate::id::DisplayId;

/// What a user is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    Daemon,
    Display(DisplayId),
    Till,
    Office,
    Monitor,
    Home,
}

impl Role {
    /// The role that a user's name says.
    pub(super) fn of(user: &str) -> Option<Role> {
        if let Some(display) = user.strip_prefix("display-") {
            return DisplayId::new(display).ok().map(Role::Display);
        }
        match user.split('-').next()? {
            "daemon" => Some(Role::Daemon),
            "pos" => Some(Role::Till),
            "office" => Some(Role::Office),
            "monitor" => Some(Role::Monitor),
            "home" => Some(Role::Home),
            _ => None,
        }
    }

    pub(super) fn may_publish(&self, topic: &str) -> bool {
        let of = |kind: &str| covers(&format!("shopguide/+/{kind}"), topic);
        match self {
            Role::Daemon => covers("shopguide/#", topic) || covers("homeassistant/#", topic),
            Role::Display(d) => of(&format!("display/{d}/ack")) || of(&format!("display/{d}/status")),
            Role::Till => of("receipt"),
            Role::Office => of("catalogue") || of("stock"),
            Role::Monitor => false,
            Role::Home => topic == "homeassistant/status",
        }
    }

    pub(super) fn may_read(&self, filter: &str) -> bool {
        match self {
            Role::Daemon | Role::Monitor => {
                covers("shopguide/#", filter) || covers("homeassistant/#", filter)
            }
            Role::Home => {
                let of = |kind: &str| covers(&format!("shopguide/+/{kind}"), filter);
                covers("homeassistant/#", filter)
                    || of("status")
                    || of("display/+/state")
                    || of("display/+/status")
            }
            Role::Display(d) => {
                covers(&format!("shopguide/+/display/{d}/slate"), filter)
                    || covers("shopguide/+/status", filter)
            }
            Role::Till | Role::Office => covers("shopguide/+/status", filter),
        }
    }
}

/// Whether every topic that `filter` matches is matched by `pattern` too. A topic is a filter
/// without wildcards.
fn covers(pattern: &str, filter: &str) -> bool {
    let (mut pattern, mut filter) = (pattern.split('/'), filter.split('/'));
    loop {
        match (pattern.next(), filter.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_display_sees_its_own_slate_and_speaks_for_itself_only() {
        let tea = Role::of("display-tea").unwrap();
        assert!(tea.may_read("shopguide/s/display/tea/slate") && tea.may_read("shopguide/s/status"));
        for filter in [
            "#",
            "shopguide/#",
            "shopguide/s/display/+/slate",
            "shopguide/s/display/coffee/slate",
            "+/s/status",
            "$share/g/shopguide/s/display/tea/slate",
            "shopguide/s/receipt",
        ] {
            assert!(!tea.may_read(filter), "{filter}");
        }
        assert!(
            tea.may_publish("shopguide/s/display/tea/ack")
                && tea.may_publish("shopguide/s/display/tea/status")
        );
        for topic in [
            "shopguide/s/display/coffee/ack",
            "shopguide/s/display/tea/slate",
            "shopguide/s/receipt",
            "shopguide/s/status",
        ] {
            assert!(!tea.may_publish(topic), "{topic}");
        }
    }

    #[test]
    fn a_till_may_send_receipts_and_not_read_them() {
        let till = Role::of("pos-3").unwrap();
        assert!(till.may_publish("shopguide/s/receipt"));
        assert!(!till.may_publish("shopguide/s/stock") && !till.may_read("shopguide/s/receipt"));
        assert!(!Role::of("monitor").unwrap().may_publish("shopguide/s/receipt"));
    }

    #[test]
    fn a_houses_automation_sees_states_and_never_a_slate() {
        let home = Role::of("home").unwrap();
        for filter in ["homeassistant/#", "shopguide/s/status", "shopguide/s/display/tea/state"] {
            assert!(home.may_read(filter), "{filter}");
        }
        for filter in ["#", "shopguide/#", "shopguide/s/display/tea/slate", "shopguide/s/visit"] {
            assert!(!home.may_read(filter), "{filter}");
        }
        assert!(home.may_publish("homeassistant/status") && !home.may_publish("shopguide/s/status"));
        assert!(!home.may_publish("homeassistant/device/x/config"));
        assert!(Role::of("daemon").unwrap().may_publish("homeassistant/device/x/config"));
    }

    #[test]
    fn a_name_without_a_role_has_none() {
        for name in ["", "bob", "display-", "display-Tea", "poseidon", "display"] {
            assert_eq!(Role::of(name), None, "{name}");
        }
    }

    fn matches(filter: &str, topic: &str) -> bool {
        mqtt5::topic_matches_filter(topic, filter)
    }

    proptest! {
        #[test]
        fn what_a_covered_filter_matches_the_pattern_matches_too(
            pattern in "(a|b|\\+)(/(a|b|\\+)){0,2}(/#)?",
            filter in "(a|b|\\+)(/(a|b|\\+)){0,2}(/#)?",
            topic in "(a|b)(/(a|b)){0,3}",
        ) {
            if covers(&pattern, &filter) && matches(&filter, &topic) {
                prop_assert!(matches(&pattern, &topic), "{} covers {} but not {}", pattern, filter, topic);
            }
        }
    }
}
