//! Reasons and greetings as sentences that a shopper reads. The words are in `texts/`, one file a
//! language; a sentence says only what its [`Reason`] holds as facts.

use super::{Language, Reason};
use crate::profile::declared::Fact;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// All words of one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    greeting: String,
    store_greeting: String,
    every: Counted,
    ago: Counted,
    reason: BTreeMap<String, String>,
    fact: BTreeMap<String, String>,
}

/// A number of days in words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    zero: Option<String>,
    one: String,
    other: String,
}

impl Counted {
    fn say(&self, n: u32) -> String {
        match (n, &self.zero) {
            (0, Some(zero)) => zero.clone(),
            (1, _) => self.one.clone(),
            _ => fill(&self.other, &[("n", n.to_string())]),
        }
    }
}

/// The languages' files are part of the program, and a test reads each of them.
static ENGLISH: LazyLock<Option<Texts>> =
    LazyLock::new(|| toml::from_str(include_str!("texts/en.toml")).ok());
static CHINESE: LazyLock<Option<Texts>> =
    LazyLock::new(|| toml::from_str(include_str!("texts/zh.toml")).ok());

fn texts(language: Language) -> Option<&'static Texts> {
    match language {
        Language::En => ENGLISH.as_ref(),
        Language::Zh => CHINESE.as_ref(),
    }
}

/// Puts facts in the place of the words in braces. What a fact itself holds is not looked into.
fn fill(pattern: &str, facts: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else { break };
        out.extend(facts.iter().find(|f| f.0 == name).map(|f| f.1.as_str()));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The sentence for a reason.
pub fn reason(reason: &Reason, language: Language) -> String {
    let Some(texts) = texts(language) else { return String::new() };
    let (key, facts) = facts(reason, texts, language);
    texts.reason.get(key).map_or_else(String::new, |pattern| fill(pattern, &facts))
}

/// A fact that a member can declare, in words.
pub fn fact(fact: &Fact, language: Language) -> String {
    match fact {
        Fact::Category(name) | Fact::Brand(name) => name.clone(),
        plain => texts(language).and_then(|t| t.fact.get(&plain.to_string()).cloned()).unwrap_or_default(),
    }
}

/// The first line of a personal slate: never a name.
pub fn greeting(language: Language) -> &'static str {
    texts(language).map_or("", |t| &t.greeting)
}

/// The first line of a store-level slate.
pub fn store_greeting(language: Language) -> &'static str {
    texts(language).map_or("", |t| &t.store_greeting)
}

/// A category or product inside an English sentence.
fn inside(name: &str, language: Language) -> String {
    match language {
        // A name in capitals throughout, or with capitals further in, is left as the store writes it.
        Language::En if name.chars().skip(1).all(|c| !c.is_uppercase()) => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

/// Which sentence, and the facts that stand in it.
fn facts(reason: &Reason, texts: &Texts, language: Language) -> (&'static str, Vec<(&'static str, String)>) {
    let ago = |days: &u32| ("ago", texts.ago.say(*days));
    match reason {
        Reason::Rhythm { every_days, last_days_ago, .. } => {
            ("rhythm", vec![("every", texts.every.say(*every_days)), ago(last_days_ago)])
        }
        Reason::BoughtBefore { times: 1, last_days_ago } => ("bought_once", vec![ago(last_days_ago)]),
        Reason::BoughtBefore { times, last_days_ago } => {
            ("bought_before", vec![("times", times.to_string()), ago(last_days_ago)])
        }
        Reason::GoesWith { with, baskets_ago } => {
            let key = if *baskets_ago == 0 { "goes_with_last" } else { "goes_with" };
            (key, vec![("with", inside(with, language))])
        }
        Reason::LikeMinded { buyers, .. } => ("like_minded", vec![("buyers", buyers.to_string())]),
        Reason::Category { category, share_percent, new } => {
            let key = match (new, share_percent) {
                (true, _) => "category_new",
                (false, 10..) => "category",
                (false, _) => "category_sometimes",
            };
            (key, vec![("category", inside(category, language))])
        }
        Reason::Declared { liked: None } => ("declared_organic", vec![]),
        Reason::Declared { liked: Some(liked) } => ("declared", vec![("liked", liked.clone())]),
        Reason::Viewed { category, minutes_ago: ..10 } => {
            ("viewed_now", vec![("category", inside(category, language))])
        }
        Reason::Viewed { category, .. } => ("viewed", vec![("category", inside(category, language))]),
        Reason::Brand { brand, .. } => ("brand", vec![("brand", brand.clone())]),
        Reason::Taste {} => ("taste", vec![]),
        Reason::Popular { receipts: 1, days } => ("popular_once", vec![("days", days.to_string())]),
        Reason::Popular { receipts, days } => {
            ("popular", vec![("receipts", receipts.to_string()), ("days", days.to_string())])
        }
        Reason::TimeOfDay {} => ("time_of_day", vec![]),
        Reason::Season {} => ("season", vec![]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Reason> {
        let with = "Green tea {n}".to_owned();
        let brand = "Hill".to_owned();
        let category = |share_percent, new| Reason::Category { category: "Tea".into(), share_percent, new };
        vec![
            Reason::Rhythm { every_days: 9, last_days_ago: 11, times: 4 },
            Reason::BoughtBefore { times: 1, last_days_ago: 0 },
            Reason::BoughtBefore { times: 3, last_days_ago: 1 },
            Reason::GoesWith { with: with.clone(), baskets_ago: 0 },
            Reason::GoesWith { with, baskets_ago: 2 },
            Reason::LikeMinded { buyers: 12, near: 200 },
            category(30, false),
            category(3, false),
            category(3, true),
            Reason::Brand { brand, share_percent: 20 },
            Reason::Declared { liked: None },
            Reason::Declared { liked: Some("Hill".into()) },
            Reason::Viewed { category: "Tea".into(), minutes_ago: 3 },
            Reason::Viewed { category: "Tea".into(), minutes_ago: 30 },
            Reason::Taste {},
            Reason::Popular { receipts: 1, days: 28 },
            Reason::Popular { receipts: 34, days: 28 },
            Reason::TimeOfDay {},
            Reason::Season {},
        ]
    }

    #[test]
    fn every_language_says_every_reason_with_its_facts_and_knows_no_others() {
        for (language, texts) in [(Language::En, &ENGLISH), (Language::Zh, &CHINESE)] {
            let texts = texts.as_ref().expect("the language's file is read");
            let mut used = std::collections::BTreeSet::new();
            for reason in all() {
                let (key, facts) = facts(&reason, texts, language);
                used.insert(key.to_owned());
                let pattern = &texts.reason[key];
                for (name, value) in &facts {
                    assert!(pattern.contains(&format!("{{{name}}}")), "{language:?} {key}: no {name}");
                    assert!(super::reason(&reason, language).contains(value.as_str()));
                }
                assert_eq!(pattern.matches('{').count(), facts.len(), "{language:?} {key}");
            }
            assert_eq!(used, texts.reason.keys().cloned().collect());
            let plain =
                Fact::PLAIN.iter().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>();
            assert_eq!(plain, texts.fact.keys().cloned().collect());
        }
    }

    #[test]
    fn sentences_read_well() {
        let say = |r: &Reason| reason(r, Language::En);
        let all = all();
        assert_eq!(say(&all[0]), "You usually buy this every 9 days: last time 11 days ago");
        assert_eq!(say(&all[1]), "You bought this today");
        assert_eq!(say(&all[3]), "Goes with the green tea {n} in your last basket");
        assert_eq!(reason(&all[0], Language::Zh), "您通常每9天购买一次，上次是11天前");
        assert_eq!(greeting(Language::Zh), "欢迎回来");
    }

    #[test]
    fn names_that_the_store_writes_in_capitals_stay_so() {
        assert_eq!(inside("Tea", Language::En), "tea");
        assert_eq!(inside("DVDs", Language::En), "DVDs");
    }
}
