//! Reasons and greetings as sentences that a shopper reads, in every language we have. Pure.
//! A sentence says only what its [`Reason`] holds as facts.

use super::{Language, Reason};

/// The sentence for a reason.
pub fn reason(reason: &Reason, language: Language) -> String {
    match language {
        Language::En => english(reason),
        Language::Zh => chinese(reason),
    }
}

/// The first line of a personal slate: never a name.
pub fn greeting(language: Language) -> &'static str {
    match language {
        Language::En => "Welcome back",
        Language::Zh => "欢迎回来",
    }
}

/// The first line of a store-level slate.
pub fn store_greeting(language: Language) -> &'static str {
    match language {
        Language::En => "Popular in our shop",
        Language::Zh => "本店热门",
    }
}

fn english(reason: &Reason) -> String {
    match reason {
        Reason::Rhythm { every_days, last_days_ago, .. } => {
            let every = if *every_days == 1 { "day".to_owned() } else { format!("{every_days} days") };
            format!("You usually buy this every {every}: last time {}", ago(*last_days_ago))
        }
        Reason::BoughtBefore { times: 1, last_days_ago } => {
            format!("You bought this {}", ago(*last_days_ago))
        }
        Reason::BoughtBefore { times, last_days_ago } => {
            format!("You have bought this {times} times: last time {}", ago(*last_days_ago))
        }
        Reason::PopularInCategory { category, .. } => {
            format!("Popular in {}, which you often choose", category.to_lowercase())
        }
        Reason::Popular { receipts: 1, days } => format!("Bought once here in the last {days} days"),
        Reason::Popular { receipts, days } => {
            format!("Popular here: on {receipts} receipts in the last {days} days")
        }
    }
}

fn ago(days: u32) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        n => format!("{n} days ago"),
    }
}

fn chinese(reason: &Reason) -> String {
    let ago = |days: u32| match days {
        0 => "今天".to_owned(),
        1 => "昨天".to_owned(),
        n => format!("{n}天前"),
    };
    match reason {
        Reason::Rhythm { every_days, last_days_ago, .. } => {
            format!("您通常每{every_days}天购买一次，上次是{}", ago(*last_days_ago))
        }
        Reason::BoughtBefore { times: 1, last_days_ago } => format!("您{}买过", ago(*last_days_ago)),
        Reason::BoughtBefore { times, last_days_ago } => {
            format!("您买过{times}次，上次是{}", ago(*last_days_ago))
        }
        Reason::PopularInCategory { category, .. } => format!("您常选的“{category}”中的热门商品"),
        Reason::Popular { receipts, days } => format!("本店热门：最近{days}天有{receipts}张小票包含此商品"),
    }
}
