//! Promises of the path from profile to slate, over made-up stores of many shapes.

use super::*;
use crate::history::{Basket, History, Line};
use crate::id::ProductId;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NOW: i64 = 400 * 86_400;

fn product(id: i64, category: &str) -> Product {
    Product {
        id: ProductId(id),
        sku: format!("p{id}"),
        name: format!("Product {id}"),
        category: vec!["Food".into(), category.into()],
        brand: None,
        price: Money(100 + id),
        attributes: vec![],
        stock: Some(5),
        place: None,
        withdrawn: false,
        age_restricted: false,
        sensitive: false,
    }
}

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(day * 86_400).unwrap()
}

fn history(baskets: &[(i64, Vec<i64>)]) -> History {
    let line = |p: &i64| Line { product: ProductId(*p), quantity: 1.0, unit_price: 100 };
    History::new(
        baskets
            .iter()
            .map(|(day, ps)| Basket { at: at(*day), lines: ps.iter().map(line).collect() })
            .collect(),
    )
}

fn profile(history: &History, catalogue: &Catalogue) -> Profile {
    Profile::new(history, Timestamp::from_second(NOW).unwrap(), |p| catalogue.category(p))
}

fn slate(catalogue: &Catalogue, history: &History, items: usize) -> Vec<Suggestion> {
    suggest(catalogue, Some(&profile(history, catalogue)), items, &Moment::default(), Language::En)
}

fn store() -> Catalogue {
    let products = (0..12).map(|i| product(i, ["tea", "pasta", "bread"][i as usize % 3])).collect();
    let receipts = (0..12).map(|i| (ProductId(i), 40 - i as u32)).collect();
    Catalogue::new(products, &receipts, 28)
}

#[test]
fn a_staple_that_is_due_comes_first_and_says_its_rhythm() {
    let days: Vec<(i64, Vec<i64>)> = (0..5).map(|n| (400 - 11 - 9 * n, vec![7])).collect();
    let slate = slate(&store(), &history(&days), 3);
    assert_eq!(slate[0].product, ProductId(7));
    assert_eq!(slate[0].reason_text, "You usually buy this every 9 days: last time 11 days ago");
    assert_eq!(slate.len(), 3);
}

#[test]
fn one_place_is_kept_for_something_new() {
    let days: Vec<(i64, Vec<i64>)> = (0..9).map(|n| (395 - 5 * n, vec![0, 1, 2, 3, 4, 5])).collect();
    let slate = slate(&store(), &history(&days), 3);
    assert!(slate.iter().any(|s| s.product.0 > 5), "{slate:?}");
}

#[test]
fn slates_differ_by_member_and_change_after_a_purchase() {
    let catalogue = store();
    let tea = history(&[(380, vec![0]), (387, vec![0]), (393, vec![0])]);
    let bread = history(&[(380, vec![2]), (387, vec![2]), (393, vec![2])]);
    assert_ne!(slate(&catalogue, &tea, 1), slate(&catalogue, &bread, 1));
    let moment = Moment { excluded: [ProductId(0)].into(), ..Moment::default() };
    let after = suggest(&catalogue, Some(&profile(&tea, &catalogue)), 3, &moment, Language::En);
    assert!(after.iter().all(|s| s.product != ProductId(0)));
}

#[test]
fn store_level_content_keeps_to_the_displays_category() {
    let moment = Moment { category: Some("pasta".into()), ..Moment::default() };
    let slate = suggest(&store(), None, 3, &moment, Language::Zh);
    assert_eq!(slate.len(), 3);
    assert!(slate.iter().all(|s| s.product.0 % 3 == 1), "{slate:?}");
    assert!(slate[0].reason_text.contains("热门"));
}

#[test]
fn an_empty_store_gives_an_empty_slate() {
    assert!(suggest(&Catalogue::default(), None, 3, &Moment::default(), Language::En).is_empty());
}

prop_compose! {
    fn any_store()(flags in prop::collection::vec((0u8..16, 0u32..50), 1..40)) -> Catalogue {
        let products = flags.iter().enumerate().map(|(i, (flag, _))| {
            let mut p = product(i as i64, ["tea", "pasta", "bread", "pets"][i % 4]);
            p.withdrawn = *flag == 1;
            p.age_restricted = *flag == 2;
            p.sensitive = *flag == 3;
            p.stock = match flag { 4 => Some(0), 5 => None, _ => Some(3) };
            p
        }).collect();
        let receipts: BTreeMap<_, _> = flags.iter().enumerate().map(|(i, (_, n))| (ProductId(i as i64), *n)).collect();
        Catalogue::new(products, &receipts, 28)
    }
}

prop_compose! {
    fn any_history()(baskets in prop::collection::vec((0i64..400, prop::collection::vec(0i64..40, 1..6)), 0..30)) -> History {
        history(&baskets)
    }
}

proptest! {
    #[test]
    fn nothing_forbidden_is_ever_shown(store in any_store(), history in any_history(), items in 1usize..7) {
        for s in slate(&store, &history, items) {
            prop_assert!(store.get(s.product).unwrap().may_be_shown());
        }
    }

    #[test]
    fn a_slate_is_full_when_enough_may_be_shown(store in any_store(), items in 1usize..7) {
        let popular = store.iter().filter(|(p, pop)| p.may_be_shown() && pop.receipts > 0).count();
        let shown = suggest(&store, None, items, &Moment::default(), Language::En).len();
        prop_assert_eq!(shown, items.min(popular));
    }

    /// The counterfactual behind every reason from the member's own purchases.
    #[test]
    fn taking_the_named_purchases_away_lowers_the_score(store in any_store(), history in any_history()) {
        let now = profile(&history, &store);
        for c in evidence::candidates(&store, Some(&now)) {
            let less = match c.reason {
                Reason::Rhythm { .. } | Reason::BoughtBefore { .. } => history.without(c.product.id),
                Reason::PopularInCategory { .. } => History::default(),
                Reason::Popular { .. } => continue,
            };
            let before = profile(&less, &store);
            let score = evidence::candidates(&store, Some(&before)).into_iter()
                .find(|d| d.product.id == c.product.id).map_or(0.0, |d| d.score);
            prop_assert!(score < c.score, "{:?}: {} is not below {}", c.reason, score, c.score);
        }
    }
}
