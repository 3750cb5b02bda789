//! What a kiosk's page asks for, as JSON: `{"do": WORD, "session": ID, ...}`.

use crate::id::DisplayId;
use crate::privacy::Scope;
use crate::profile::declared::{self, Fact};
use crate::recommend::Language;
use crate::web::{AlikeView, Fault};
use axum::body::Bytes;
use serde::{Deserialize, Serialize};

/// Longest text that a page may send.
const LONGEST: usize = 128;
/// Most products of a shopping list.
const LIST: usize = 24;

/// One thing that a shopper does at a kiosk.
#[derive(Debug, Clone, PartialEq)]
pub struct KioskRequest {
    /// Which kiosk.
    pub kiosk: DisplayId,
    /// The session's id, once it has begun.
    pub session: Option<String>,
    /// What.
    pub act: KioskAct,
}

/// What a shopper does.
#[derive(Debug, Clone, PartialEq)]
pub enum KioskAct {
    /// Touched the idle page: a session begins, and any before it is over.
    Begin,
    /// Is still there.
    Touch,
    /// Is done.
    End,
    /// Wants to be recognised.
    Look,
    /// Holds a card before the camera.
    Read,
    /// Typed a card's number.
    Card {
        /// As typed.
        code: String,
    },
    /// Pressed "I agree".
    Agree {
        /// To what.
        scope: Scope,
        /// In which language the text was shown.
        language: Language,
        /// Whether the age that the shop asks for was declared.
        old_enough: bool,
    },
    /// A JPEG of the kiosk's camera.
    Frame(Bytes),
    /// Wants to know what is kept.
    Mine {
        /// In which language.
        language: Language,
    },
    /// Pauses being recognised, or ends the pause.
    Pause {
        /// Whether it is paused from now on.
        on: bool,
    },
    /// Wants to see what they declared of themselves, and what can be declared.
    Facts {
        /// In which language.
        language: Language,
    },
    /// Declares this of themselves, in place of what was declared before.
    Declare {
        /// All of it.
        facts: Vec<Fact>,
        /// In which language to answer.
        language: Language,
    },
    /// Wants to see products like one.
    Like {
        /// Which.
        sku: String,
        /// In which language.
        language: Language,
    },
    /// Wants these products as a list to take along.
    List {
        /// Which, in the order in which they were put onto it.
        skus: Vec<String>,
    },
    /// Wants a copy of all that is kept.
    Export {
        /// Where the page knows this appliance, for the address of the copy.
        origin: String,
    },
    /// Wants all of it erased.
    Forget,
}

/// What the appliance answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum KioskAnswer {
    /// A session has begun.
    Begun {
        /// Its id.
        session: String,
        /// Pause between two frames.
        every_ms: u64,
        /// It ends when nobody touches the page for so long.
        timeout_ms: u64,
    },
    /// Done, nothing to say.
    Noted,
    /// The session is over: nothing of it may stay on the page.
    Ended,
    /// Frames are compared with members.
    Looking {
        /// Whether somebody is recognised now.
        recognised: bool,
    },
    /// No card is seen yet.
    Reading,
    /// A member's card: the slate follows.
    Carded,
    /// No member has this card.
    UnknownCard,
    /// Too many cards were tried.
    Wait {
        /// For so long.
        seconds: u64,
    },
    /// Younger than the shop enrols.
    TooYoung,
    /// Frames are being gathered.
    Joining {
        /// Good ones so far.
        good: usize,
        /// So many are needed.
        of: usize,
        /// What would help.
        hint: KioskHint,
    },
    /// This face is a member's already.
    Known,
    /// A new member.
    Joined(Joined),
    /// What is kept.
    Mine(Mine),
    /// What can be declared, and what is.
    Facts {
        /// Everything that can be declared here, in groups.
        offered: Vec<FactOffered>,
    },
    /// Recognition is paused, or not any more.
    Paused {
        /// Whether it is.
        on: bool,
    },
    /// Products like the one that was asked for, the most alike first.
    Alike {
        /// None, if there are none.
        items: Vec<AlikeView>,
    },
    /// A list to take along.
    Listed {
        /// A product a line, with its place.
        lines: Vec<String>,
    },
    /// A copy waits to be fetched once.
    Exported {
        /// Its code.
        code: String,
        /// For so long.
        minutes: u64,
    },
    /// All of it is erased.
    Forgotten(Erased),
}

/// What would make the next frame a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KioskHint {
    /// That one was good.
    Good,
    /// Stay like that.
    Hold,
    /// Come nearer.
    Nearer,
    /// More even light.
    Light,
    /// Look at the camera.
    LookHere,
    /// One face only.
    Alone,
    /// Hold still.
    Still,
    /// Move into the middle.
    Middle,
    /// The frames did not agree: it begins anew.
    Again,
}

/// A new member's card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Joined {
    /// Its number.
    pub card: String,
    /// Whether the face was enrolled too.
    pub face: bool,
}

/// What the shop keeps of a member, for that member.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mine {
    /// Member since this day.
    pub since: String,
    /// The card's number.
    pub card: String,
    /// Templates of the face.
    pub templates: u32,
    /// Whether recognition is paused.
    pub paused: bool,
    /// What was agreed to.
    pub consents: Vec<ConsentGiven>,
    /// What is known, in sentences.
    pub knows: Vec<String>,
}

/// A fact that a member can declare.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FactOffered {
    /// The word to send back.
    pub fact: String,
    /// What the page lists it under.
    pub group: FactGroup,
    /// What a person reads.
    pub text: String,
    /// Whether the member declares it.
    pub on: bool,
}

/// Headings that facts are listed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactGroup {
    /// What is not eaten or drunk: products marked so in the catalogue are left out.
    LeavesOut,
    /// What is preferred.
    Likes,
    /// Categories that are liked.
    Categories,
    /// Brands that are liked.
    Brands,
}

/// One consent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConsentGiven {
    /// To being recognised by face, or to the card only.
    pub face: bool,
    /// Version of the text.
    pub version: String,
    /// The day.
    pub at: String,
}

/// The receipt of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// When, in the store's time.
    pub at: String,
    /// Templates deleted.
    pub templates: u32,
    /// Visits and views deleted.
    pub visits: u32,
    /// Slates deleted.
    pub slates: u32,
    /// Receipts that stay without a member.
    pub receipts_kept: u32,
    /// Entry of the audit.
    pub entry: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActIn {
    #[serde(rename = "do")]
    what: String,
    session: Option<String>,
    code: Option<String>,
    scope: Option<String>,
    facts: Option<Vec<String>>,
    language: Option<Language>,
    old_enough: Option<bool>,
    on: Option<bool>,
    sku: Option<String>,
    skus: Option<Vec<String>>,
    origin: Option<String>,
}

/// Reads what a page asks for.
pub fn act(kiosk: &DisplayId, bytes: &[u8]) -> Result<KioskRequest, Fault> {
    let remedy = "Reload the page; nothing was changed.";
    let fault = |error: String, place: &str| Fault::new(error, place, remedy);
    let read: ActIn = serde_json::from_slice(bytes)
        .map_err(|e| fault(format!("this is nothing that a kiosk asks for: {e}"), ""))?;
    let fits = |t: &str| (1..=LONGEST).contains(&t.chars().count()) && !t.chars().any(char::is_control);
    let list: Vec<(&str, &str)> = read.skus.iter().flatten().map(|sku| (sku.as_str(), "skus")).collect();
    let single =
        [(&read.session, "session"), (&read.code, "code"), (&read.sku, "sku"), (&read.origin, "origin")];
    let single = single.into_iter().filter_map(|(text, place)| Some((text.as_deref()?, place)));
    for (text, place) in single.chain(list) {
        if !fits(text) {
            return Err(fault(format!("this is no {place}"), place));
        }
    }
    let missing = |place: &str| fault(format!("\"{place}\" is missing"), place);
    let language = read.language.unwrap_or_default();
    let act = match read.what.as_str() {
        "begin" => KioskAct::Begin,
        "touch" => KioskAct::Touch,
        "end" => KioskAct::End,
        "look" => KioskAct::Look,
        "read" => KioskAct::Read,
        "card" => KioskAct::Card { code: read.code.ok_or_else(|| missing("code"))? },
        "agree" => KioskAct::Agree {
            scope: match read.scope.as_deref() {
                Some("card") => Scope::Card,
                Some("face") => Scope::Face,
                _ => return Err(missing("scope")),
            },
            language,
            old_enough: read.old_enough.ok_or_else(|| missing("old_enough"))?,
        },
        "mine" => KioskAct::Mine { language },
        "pause" => KioskAct::Pause { on: read.on.ok_or_else(|| missing("on"))? },
        "facts" => KioskAct::Facts { language },
        "declare" => {
            let words = read.facts.ok_or_else(|| missing("facts"))?;
            if words.len() > declared::MOST {
                return Err(fault(format!("more than {} facts", declared::MOST), "facts"));
            }
            let facts = words.iter().map(|word| word.parse()).collect::<Result<_, declared::UnknownFact>>();
            KioskAct::Declare { facts: facts.map_err(|e| fault(e.to_string(), "facts"))?, language }
        }
        "like" => KioskAct::Like { sku: read.sku.ok_or_else(|| missing("sku"))?, language },
        "list" => KioskAct::List {
            skus: read.skus.filter(|s| (1..=LIST).contains(&s.len())).ok_or_else(|| missing("skus"))?,
        },
        "export" => KioskAct::Export {
            origin: read.origin.filter(|o| is_origin(o)).ok_or_else(|| missing("origin"))?,
        },
        "forget" => KioskAct::Forget,
        other => return Err(fault(format!("a kiosk cannot do {other:?}"), "do")),
    };
    Ok(KioskRequest { kiosk: kiosk.clone(), session: read.session, act })
}

/// Whether a text is a scheme and a host, as a browser writes an origin.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|h| {
        !h.is_empty() && h.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Result<KioskAct, Fault> {
        act(&DisplayId::new("k").unwrap(), json.as_bytes()).map(|r| r.act)
    }

    #[test]
    fn acts_are_read_exactly() {
        assert_eq!(read(r#"{"do":"begin"}"#).unwrap(), KioskAct::Begin);
        assert_eq!(
            read(r#"{"do":"card","session":"s","code":"AB 12"}"#).unwrap(),
            KioskAct::Card { code: "AB 12".into() }
        );
        let agree = r#"{"do":"agree","session":"s","scope":"face","language":"zh","old_enough":true}"#;
        assert_eq!(
            read(agree).unwrap(),
            KioskAct::Agree { scope: Scope::Face, language: Language::Zh, old_enough: true }
        );
        let declare = r#"{"do":"declare","session":"s","facts":["vegan","category:Tea"],"language":"en"}"#;
        let facts = vec![Fact::Vegan, Fact::Category("Tea".into())];
        assert_eq!(read(declare).unwrap(), KioskAct::Declare { facts, language: Language::En });
    }

    #[test]
    fn what_is_missing_or_unknown_is_told() {
        for (json, place) in [
            (r#"{"do":"card"}"#, "code"),
            (r#"{"do":"agree","scope":"face"}"#, "old_enough"),
            (r#"{"do":"agree","scope":"all","old_enough":true}"#, "scope"),
            (r#"{"do":"dance"}"#, "do"),
            (r#"{"do":"pause"}"#, "on"),
            (r#"{"do":"like"}"#, "sku"),
            (r#"{"do":"list","skus":[]}"#, "skus"),
            (r#"{"do":"list","skus":["a",""]}"#, "skus"),
            (r#"{"do":"export"}"#, "origin"),
            (r#"{"do":"export","origin":"javascript:alert(1)"}"#, "origin"),
            (r#"{"do":"export","origin":"http://shop/evil"}"#, "origin"),
            (r#"{"do":"declare"}"#, "facts"),
            (r#"{"do":"declare","facts":["tall"]}"#, "facts"),
            (r#"{"do":"card","code":""}"#, "code"),
            (r#"{"do":"begin","more":1}"#, ""),
            ("", ""),
        ] {
            assert_eq!(read(json).unwrap_err().place, place, "{json}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = act(&DisplayId::new("k").unwrap(), &bytes);
        }

        #[test]
        fn no_text_in_an_act_panics(what in "\\PC{0,20}", text in "\\PC{0,200}", flag in any::<bool>()) {
            let json = serde_json::json!({"do": what, "session": text, "code": text, "on": flag,
                "sku": text, "skus": [text], "origin": text, "facts": [text]});
            let _ = act(&DisplayId::new("k").unwrap(), json.to_string().as_bytes());
        }
    }
}
