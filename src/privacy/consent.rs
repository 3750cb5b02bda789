//! Consent: a versioned text, accepted by an action at a moment, with a reference by which the
//! shop finds the paper or screen where it happened. Without a consent of scope [`Scope::Face`]
//! the database refuses a template.

use jiff::Timestamp;

/// The text that this version of the program ships, and its version. A shop with its own form adds
/// its own versions.
pub const TEXT: (&str, &str) = (
    "2026-12",
    "I would like to be a member. The shop keeps what I buy with my card, before which shelves I stop where it \
     recognises me, and what I choose to tell it of my tastes, and suggests products to me by that. \
     If I also agree to be recognised by my face, the shop keeps a mathematical template of it, sealed on \
     a device in this shop, and no picture. I can have all of this erased at any time, here in the shop, \
     and I can use my card instead of my face with the same benefits.",
);

/// The same in Chinese: a text of its own, so that it is known which words were read.
pub const TEXT_ZH: (&str, &str) = (
    "2026-12-zh",
    "我愿意成为会员。本店会保存我用会员卡购买的商品、识别到我时我停留过的货架，以及我自愿告知的喜好，并据此向我推荐商品。如果我同时同意人脸识别，本店会将我面部的\
     数学模板加密保存在店内的设备上，不保存任何照片。我可以随时在店内要求删除以上全部内容；我也可以用会员卡代替人脸，\
     享受同样的优惠。",
);

/// What a member agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Purchases made with the card are kept as this member's history, and, by texts that say so, before
    /// which shelves the member dwelt.
    Card,
    /// In addition, the face is recognised.
    Face,
}

impl Scope {
    /// As written in the database.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Card => "card",
            Scope::Face => "face",
        }
    }
}

/// A consent given.
#[derive(Debug, Clone, PartialEq)]
pub struct Consent {
    /// To what.
    pub scope: Scope,
    /// Version of the text, e.g. [`TEXT`]'s `2026-12`; it must be known to the database.
    pub version: String,
    /// Where the shop finds it again, e.g. the number of a paper form (1 to 200 characters).
    pub reference: String,
    /// By which act, e.g. `signed a form` or `pressed "I agree" at kiosk 1` (1 to 200 characters).
    pub action: String,
    /// When.
    pub at: Timestamp,
}

impl Consent {
    /// What is wrong with it, if anything.
    pub fn problem(&self) -> Option<&'static str> {
        let fits = |text: &str| {
            let n = text.trim().chars().count();
            (1..=200).contains(&n) && !text.chars().any(char::is_control)
        };
        if !fits(&self.reference) {
            Some("a consent needs a reference of 1 to 200 characters, e.g. the number of the signed form")
        } else if !fits(&self.action) {
            Some("a consent needs the action by which it was given, 1 to 200 characters")
        } else {
            None
        }
    }
}
