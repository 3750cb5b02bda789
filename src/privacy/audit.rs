//! The audit: what was done to members, by whom and when, without images or names. Entries form a
//! chain: each carries a keyed BLAKE3 hash of itself and of the entry before it, so that none can be
//! changed, taken out or put in between unnoticed by anyone who lacks the master key. The last hash is
//! also kept beside the keys, so that entries missing at the end are noticed too.

use crate::id::MemberId;
use jiff::Timestamp;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A member joined, agreed to more, or got templates.
    Enrol,
    /// A member was erased.
    Erase,
    /// Someone looked at a member's name, contact or history, or at what the cameras see.
    View,
    /// Someone took a copy of a member's data.
    Export,
    /// Someone signed in.
    Login,
    /// The box was put into another state: a backup was put back, a release or a model came to work, or
    /// entries are missing for another reason.
    Restore,
}

impl Action {
    const ALL: [Action; 6] =
        [Action::Enrol, Action::Erase, Action::View, Action::Export, Action::Login, Action::Restore];

    /// As written in the database.
    pub fn word(self) -> &'static str {
        match self {
            Action::Enrol => "enrol",
            Action::Erase => "erase",
            Action::View => "view",
            Action::Export => "export",
            Action::Login => "login",
            Action::Restore => "restore",
        }
    }

    /// The action of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.word() == word)
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Audited {
    /// When, to the millisecond.
    pub at: Timestamp,
    /// Who did it: a login, `command line`, or the daemon's own part.
    pub by: String,
    /// What.
    pub action: Action,
    /// To whom, if to a member.
    pub member: Option<MemberId>,
    /// More, in words; never a name, a contact or anything of a face.
    pub detail: String,
}

/// The hash of one entry and all before it.
pub type Link = [u8; 32];

/// What the first entry follows.
pub const ORIGIN: Link = [0; 32];

/// The link of `entry` at `sequence` (1 is the first) after `previous`.
pub fn link(key: &[u8; 32], previous: &Link, sequence: u64, entry: &Audited) -> Link {
    let mut hasher = blake3::Hasher::new_keyed(key);
    let mut field = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    field(previous);
    field(&sequence.to_le_bytes());
    field(&entry.at.as_millisecond().to_le_bytes());
    field(entry.by.as_bytes());
    field(entry.action.word().as_bytes());
    field(&entry.member.map_or(Vec::new(), |m| m.0.to_le_bytes().to_vec()));
    field(entry.detail.as_bytes());
    *hasher.finalize().as_bytes()
}

/// Where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is not what was written.
    #[error("audit entry {0} was changed, or an entry before it was taken out")]
    At(u64),
    /// The end is missing.
    #[error("the audit ends at entry {found}, but entry {expected} had been written")]
    Short {
        /// The last entry there is.
        found: u64,
        /// The last entry that had been written.
        expected: u64,
    },
    /// The end is another than was written.
    #[error(
        "audit entry {0} is not the one that was written: a backup was put back, or entries were replaced"
    )]
    Replaced(u64),
}

/// Follows a chain from its first entry. `entries` gives sequence, entry and stored link.
pub fn follow<E>(
    key: &[u8; 32],
    entries: impl Iterator<Item = Result<(u64, Audited, Link), E>>,
    remembered: Option<(u64, Link)>,
) -> Result<Result<u64, Broken>, E> {
    let (mut last, mut previous) = (0, ORIGIN);
    for entry in entries {
        let (sequence, entry, stored) = entry?;
        if sequence != last + 1 || link(key, &previous, sequence, &entry) != stored {
            return Ok(Err(Broken::At(sequence)));
        }
        if remembered.is_some_and(|(s, l)| s == sequence && l != stored) {
            return Ok(Err(Broken::Replaced(sequence)));
        }
        (last, previous) = (sequence, stored);
    }
    match remembered {
        Some((expected, _)) if expected > last => Ok(Err(Broken::Short { found: last, expected })),
        _ => Ok(Ok(last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [3; 32];

    fn chain(n: u64) -> Vec<(u64, Audited, Link)> {
        let mut previous = ORIGIN;
        (1..=n)
            .map(|sequence| {
                let entry = Audited {
                    at: Timestamp::UNIX_EPOCH,
                    by: "anna".into(),
                    action: Action::View,
                    member: Some(MemberId(sequence as i64)),
                    detail: String::new(),
                };
                previous = link(&KEY, &previous, sequence, &entry);
                (sequence, entry, previous)
            })
            .collect()
    }

    fn verdict(entries: Vec<(u64, Audited, Link)>, remembered: Option<(u64, Link)>) -> Result<u64, Broken> {
        follow::<()>(&KEY, entries.into_iter().map(Ok), remembered).unwrap()
    }

    #[test]
    fn an_untouched_chain_holds() {
        let entries = chain(5);
        let end = (5, entries[4].2);
        assert_eq!(verdict(entries, Some(end)), Ok(5));
        assert_eq!(verdict(Vec::new(), None), Ok(0));
    }

    #[test]
    fn a_changed_a_missing_and_a_forged_entry_are_noticed() {
        let mut changed = chain(5);
        changed[2].1.by = "ben".into();
        assert_eq!(verdict(changed, None), Err(Broken::At(3)));
        let mut missing = chain(5);
        missing.remove(1);
        assert_eq!(verdict(missing, None), Err(Broken::At(3)));
        let mut forged = chain(5);
        forged[4].2 = link(&[4; 32], &forged[3].2.clone(), 5, &forged[4].1.clone());
        assert_eq!(verdict(forged, None), Err(Broken::At(5)));
    }

    #[test]
    fn a_cut_end_is_noticed() {
        let mut entries = chain(5);
        let end = (5, entries[4].2);
        entries.truncate(3);
        assert_eq!(verdict(entries, Some(end)), Err(Broken::Short { found: 3, expected: 5 }));
        assert_eq!(verdict(chain(5), Some((5, [0; 32]))), Err(Broken::Replaced(5)));
    }

    #[test]
    fn every_action_is_found_by_its_word() {
        for action in Action::ALL {
            assert_eq!(Action::from_word(action.word()), Some(action));
        }
    }
}
