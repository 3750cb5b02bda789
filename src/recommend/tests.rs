//! Promises of the path from receipts to slate, over made-up stores of many shapes.

use super::settings::{Promoted, Promotion};
use super::*;
use crate::history::{Basket, History, Line};
use crate::profile::declared::Fact;
use policy::Rule;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};

const TODAY: i64 = 400;

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
    Timestamp::from_second(day * 86_400 + 36_000).unwrap()
}

fn history(baskets: &[(i64, Vec<i64>)]) -> History {
    let line = |p: &i64| Line { product: ProductId(*p), quantity: 1.0, unit_price: 100 };
    let basket = |(day, ps): &(i64, Vec<i64>)| Basket { at: at(*day), lines: ps.iter().map(line).collect() };
    History::new(baskets.iter().map(basket).collect())
}

/// A store with what its members bought, the asking member being the first.
#[derive(Debug)]
struct Scene {
    products: Vec<Product>,
    receipts: BTreeMap<ProductId, u32>,
    histories: BTreeMap<MemberId, History>,
    settings: PolicySettings,
}

impl Scene {
    fn new(histories: &[History]) -> Scene {
        let products = (0..12).map(|i| product(i, ["tea", "pasta", "bread"][i as usize % 3])).collect();
        let receipts = (0..12).map(|i| (ProductId(i), 40 - i as u32)).collect();
        let histories = (1..).map(MemberId).zip(histories.iter().cloned()).collect();
        let settings = PolicySettings { explore: 0.0, ..PolicySettings::default() };
        Scene { products, receipts, histories, settings }
    }

    fn catalogue(&self) -> Catalogue {
        // Every part of the day sells alike.
        let sales = self.receipts.iter().map(|(id, n)| (*id, [n / 6; DAY_PARTS].map(|part| part)));
        let rest = |id: &ProductId, sales: &mut Sales| sales[0] += self.receipts[id] % 6;
        let sales = sales.map(|(id, mut sales)| {
            rest(&id, &mut sales);
            (id, sales)
        });
        Catalogue::new(self.products.clone(), &sales.collect(), 28)
    }

    fn shop(&self) -> Shop {
        Shop::new(&self.products, &self.histories, HashMap::new(), None)
    }

    fn slate_at(&self, member: Option<i64>, items: usize, moment: &Moment) -> Vec<Suggestion> {
        let member = member.map(MemberId);
        suggest(&mut self.shop(), &self.catalogue(), member, items, moment, &self.settings, Language::En)
    }

    fn slate(&self, member: Option<i64>, items: usize) -> Vec<Suggestion> {
        self.slate_at(member, items, &moment())
    }
}

fn moment() -> Moment {
    Moment::plain(at(TODAY), 10)
}

fn every(days: i64, last_ago: i64, times: i64, product: i64) -> Vec<(i64, Vec<i64>)> {
    (0..times).map(|n| (TODAY - last_ago - days * n, vec![product])).collect()
}

fn ids(slate: &[Suggestion]) -> Vec<i64> {
    slate.iter().map(|s| s.product.0).collect()
}

#[test]
fn a_staple_that_is_due_comes_first_and_says_its_rhythm() {
    let slate = Scene::new(&[history(&every(9, 11, 5, 7))]).slate(Some(1), 3);
    assert_eq!(slate[0].product, ProductId(7));
    assert_eq!(slate[0].reason_text, "You usually buy this every 9 days: last time 11 days ago");
    assert_eq!(slate.len(), 3);
}

#[test]
fn places_are_kept_for_something_new() {
    let days: Vec<(i64, Vec<i64>)> = (0..9).map(|n| (395 - 5 * n, vec![0, 1, 2, 3, 4, 5])).collect();
    let mut scene = Scene::new(&[history(&days)]);
    let new = |scene: &Scene| ids(&scene.slate(Some(1), 3)).iter().filter(|id| **id > 5).count();
    assert_eq!(new(&scene), 1);
    scene.settings.discoveries = 2;
    scene.settings.per_category = 3;
    assert_eq!(new(&scene), 2);
}

#[test]
fn slates_differ_by_member_and_change_after_a_purchase_and_a_dismissal() {
    let scene = Scene::new(&[history(&every(7, 7, 4, 0)), history(&every(7, 7, 4, 2))]);
    assert_ne!(ids(&scene.slate(Some(1), 1)), ids(&scene.slate(Some(2), 1)));
    for barred in [
        Moment { just_bought: [ProductId(0)].into(), ..moment() },
        Moment { dismissed: [ProductId(0)].into(), ..moment() },
    ] {
        assert!(!ids(&scene.slate_at(Some(1), 3, &barred)).contains(&0));
    }
    let mut shop = scene.shop();
    let catalogue = scene.catalogue();
    let score = |shop: &mut Shop| shop.rank(Some(MemberId(1)), &catalogue, &moment()).candidates[0].score;
    let before = score(&mut shop);
    let mut bought = every(7, 7, 4, 0);
    bought.push((TODAY, vec![0]));
    shop.learn(MemberId(1), &history(&bought));
    assert!(score(&mut shop) < before, "what was bought today is not due");
}

#[test]
fn store_level_content_keeps_to_the_displays_category() {
    let in_pasta = Moment { category: Some("pasta".into()), ..moment() };
    let slate = Scene::new(&[]).slate_at(None, 3, &in_pasta);
    assert_eq!(ids(&slate), [1, 4, 7], "most receipts first");
    assert!(slate.iter().all(|s| matches!(s.reason, Reason::Popular { .. })), "{slate:?}");
}

#[test]
fn an_empty_store_gives_an_empty_slate() {
    let mut scene = Scene::new(&[]);
    (scene.products, scene.receipts) = (vec![], BTreeMap::new());
    assert!(scene.slate(None, 3).is_empty() && scene.slate(Some(1), 3).is_empty());
}

#[test]
fn a_member_without_receipts_is_shown_what_is_popular() {
    let scene = Scene::new(&[history(&every(7, 7, 4, 0))]);
    assert_eq!(ids(&scene.slate(Some(99), 2)), ids(&scene.slate(None, 2)));
}

#[test]
fn a_product_that_nobody_bought_is_suggested_to_who_buys_its_like() {
    let mut scene = Scene::new(&[history(&every(7, 7, 6, 0))]);
    scene.products.push(product(50, "tea"));
    scene.receipts = BTreeMap::new();
    let shown = scene.slate(Some(1), 2);
    let new = shown.iter().find(|s| s.product == ProductId(50) || s.product == ProductId(3)).unwrap();
    assert!(matches!(&new.reason, Reason::Category { category, .. } if category == "tea"), "{shown:?}");
    let mut shop = scene.shop();
    let catalogue = scene.catalogue().with_new([ProductId(50)].into());
    let all = suggest(&mut shop, &catalogue, Some(MemberId(1)), 12, &moment(), &scene.settings, Language::En);
    let fifty = all.iter().find(|s| s.product == ProductId(50)).unwrap();
    assert_eq!(fifty.reason_text, "New in tea, which you choose");
}

#[test]
fn a_product_and_a_member_that_come_later_are_learned_in_place() {
    let mut scene = Scene::new(&[history(&every(7, 7, 4, 0))]);
    let mut shop = scene.shop();
    scene.products.push(product(60, "jam"));
    scene.receipts.insert(ProductId(60), 3);
    shop.describe(&scene.products);
    shop.learn(MemberId(8), &history(&every(6, 6, 5, 60)));
    scene.histories.insert(MemberId(8), history(&every(6, 6, 5, 60)));
    let ask = |shop: &mut Shop| {
        suggest(shop, &scene.catalogue(), Some(MemberId(8)), 3, &moment(), &scene.settings, Language::En)
    };
    let learned = ask(&mut shop);
    assert_eq!(learned[0].product, ProductId(60));
    assert_eq!(learned, ask(&mut scene.shop()), "as if everything had been read at once");
    shop.forget(MemberId(8));
    assert!(ask(&mut shop).iter().all(|s| !matches!(s.reason, Reason::Rhythm { .. })));
}

#[test]
fn a_receipt_learned_alone_comes_to_the_same_as_all_read_again() {
    let scene = Scene::new(&[history(&every(7, 7, 4, 0)), history(&every(9, 3, 3, 1))]);
    let catalogue = scene.catalogue();
    let scores = |shop: &mut Shop| -> Vec<f64> {
        shop.rank(Some(MemberId(1)), &catalogue, &moment()).candidates.iter().map(|c| c.score).collect()
    };
    let mut whole = every(7, 7, 4, 0);
    whole.push((TODAY - 1, vec![1, 5]));
    let (mut all, mut one) = (scene.shop(), scene.shop());
    scores(&mut one);
    all.learn(MemberId(1), &history(&whole));
    assert_eq!(one.known(MemberId(1)), (4, Some(at(TODAY - 7))));
    one.learn_more(MemberId(1), history(&whole[4..]).baskets);
    assert_eq!(one.known(MemberId(1)), (5, Some(at(TODAY - 1))));
    assert_eq!(scores(&mut one), scores(&mut all));
    let mut fresh = Scene::new(&[history(&whole), history(&every(9, 3, 3, 1))]).shop();
    let close = |(a, b): (f64, f64)| (a - b).abs() < 1e-5;
    assert!(scores(&mut one).into_iter().zip(scores(&mut fresh)).all(close));
    one.learn_more(MemberId(1), Vec::new());
    assert_eq!(one.known(MemberId(1)).0, 5);
}

#[test]
fn a_promotion_lifts_a_product_while_it_runs_and_says_so() {
    let mut scene = Scene::new(&[]);
    let promotion = |until| Promotion {
        what: Promoted::Sku("p11".into()),
        weight: 3.0,
        from: None,
        until: Some(at(until)),
    };
    scene.settings.promotions = vec![promotion(TODAY + 1)];
    assert_eq!(ids(&scene.slate(None, 3))[0], 11);
    let (mut shop, catalogue) = (scene.shop(), scene.catalogue());
    let mut ranking = shop.rank(None, &catalogue, &moment());
    let decision = policy::choose(&mut shop, &mut ranking, 3, &moment(), &scene.settings);
    assert!(decision.acted.iter().any(|a| a.sku == "p11" && a.rule == Rule::Promoted(3.0)));
    scene.settings.promotions = vec![promotion(TODAY)];
    assert_ne!(ids(&scene.slate(None, 3))[0], 11);
}

#[test]
fn caps_hold_per_category_and_brand_and_give_way_before_a_slate_is_short() {
    let mut scene = Scene::new(&[]);
    scene.products.iter_mut().for_each(|p| p.brand = Some(if p.id.0 < 9 { "A" } else { "B" }.into()));
    let slate = scene.slate(None, 3);
    let mut categories: Vec<i64> = slate.iter().map(|s| s.product.0 % 3).collect();
    categories.sort_unstable();
    assert_eq!(categories, [0, 1, 2]);
    assert!(slate.iter().any(|s| s.product.0 >= 9), "two of brand A at most: {:?}", ids(&slate));
    assert_eq!(scene.slate(None, 8).len(), 8);
}

#[test]
fn chance_gives_the_last_place_to_others_as_often_as_it_says() {
    let mut scene = Scene::new(&[history(&every(7, 7, 4, 0))]);
    scene.settings.explore = 0.5;
    let (mut shop, catalogue) = (scene.shop(), scene.catalogue());
    let mut seen: BTreeMap<i64, (f64, u32)> = BTreeMap::new();
    let steps = 40;
    for (n, m) in (0..steps).flat_map(|n| (0..steps).map(move |m| (n, m))) {
        let chance = [(f64::from(n) + 0.5) / f64::from(steps), (f64::from(m) + 0.5) / f64::from(steps)];
        let moment = Moment { chance, ..moment() };
        let slate =
            suggest(&mut shop, &catalogue, Some(MemberId(1)), 3, &moment, &scene.settings, Language::En);
        assert!(slate[..2].iter().all(|s| s.propensity == 1.0));
        let last = &slate[2];
        let entry = seen.entry(last.product.0).or_insert((last.propensity, 0));
        assert!((entry.0 - last.propensity).abs() < 1e-9);
        entry.1 += 1;
    }
    assert!(seen.len() > 2, "{seen:?}");
    for (propensity, times) in seen.values() {
        let share = f64::from(*times) / f64::from(steps * steps);
        assert!((share - propensity).abs() < 0.03, "{seen:?}");
    }
}

#[test]
fn what_goes_together_is_named_but_never_by_what_must_not_be_named() {
    // Whoever buys 4 buys 8; the asking member bought 4 last.
    let mut all = vec![history(&[(390, vec![0]), (398, vec![4])])];
    all.extend((0..30).map(|n| history(&[(300 + n, vec![4, 8]), (350 + n, vec![4, 8])])));
    all.extend((0..30).map(|n| history(&[(300 + n, vec![0, 9]), (350 + n, vec![9])])));
    let mut scene = Scene::new(&all);
    scene.receipts = BTreeMap::new();
    let reasons = |scene: &Scene| -> Vec<Reason> {
        let (mut shop, catalogue) = (scene.shop(), scene.catalogue());
        let ranking = shop.rank(Some(MemberId(1)), &catalogue, &moment());
        let eight = ranking.candidates.iter().find(|c| c.product.id == ProductId(8)).unwrap();
        shop.reasons(&ranking, eight, usize::MAX).into_iter().map(|w| w.reason).collect()
    };
    let with_four =
        |r: &Reason| matches!(r, Reason::GoesWith { with, baskets_ago: 0 } if with == "Product 4");
    assert!(reasons(&scene).iter().any(with_four), "{:?}", reasons(&scene));
    scene.products[4].sensitive = true;
    assert!(!reasons(&scene).iter().any(|r| matches!(r, Reason::GoesWith { .. })));
}

#[test]
fn more_like_this_names_what_is_alike_and_what_both_have() {
    let mut scene = Scene::new(&[history(&every(7, 1, 4, 3))]);
    for (id, brand) in [(0, "Hill"), (3, "Dale"), (6, "Hill"), (9, "Dale")] {
        scene.products[id].brand = Some(brand.into());
    }
    scene.products[9].stock = Some(0);
    let like = |items, for_a_slate, moment: &Moment| {
        let (mut shop, catalogue) = (scene.shop(), scene.catalogue());
        let wanted = alike::Wanted { sku: "p0", items, for_a_slate };
        alike::alike(
            &mut shop,
            &catalogue,
            Some(MemberId(1)),
            wanted,
            (moment, &scene.settings),
            Language::En,
        )
    };
    let ids = |found: &[alike::Alike]| found.iter().map(|a| a.product.id.0).collect::<Vec<_>>();
    let found = like(4, false, &moment());
    assert_eq!(ids(&found), [6, 3], "of one category and brand first; what is sold out never");
    assert_eq!(found[0].common, ["tea", "Hill"]);
    assert_eq!(found[1].common, ["tea"]);
    let filled = like(4, true, &moment());
    assert_eq!(ids(&filled)[..2], [6, 3]);
    assert!(filled.len() == 4 && filled[2].common.is_empty() && filled.iter().all(|a| a.reason.is_some()));
    let dismissed = Moment { dismissed: [ProductId(6)].into(), ..moment() };
    assert_eq!(ids(&like(4, false, &dismissed)), [3]);
    let (mut shop, catalogue) = (scene.shop(), scene.catalogue());
    let mut one =
        |sku| alike::one(&mut shop, &catalogue, MemberId(1), sku, (&moment(), &scene.settings), Language::En);
    assert!(one("p9").is_none(), "sold out");
    assert!(one("none").is_none());
    assert!(one("p3").is_some_and(|s| !s.reason_text.is_empty()));
}

prop_compose! {
    fn any_scene()(
        flags in prop::collection::vec((0u8..16, 0u32..50), 1..40),
        histories in prop::collection::vec(
            prop::collection::vec((0i64..400, prop::collection::vec(0i64..40, 1..6)), 0..12), 1..8),
    ) -> Scene {
        let mut scene = Scene::new(&histories.iter().map(|h| history(h)).collect::<Vec<_>>());
        scene.products = flags.iter().enumerate().map(|(i, (flag, _))| {
            let mut p = product(i as i64, ["tea", "pasta", "bread", "pets"][i % 4]);
            p.withdrawn = *flag == 1;
            p.age_restricted = *flag == 2;
            p.sensitive = *flag == 3;
            p.stock = match flag { 4 => Some(0), 5 => None, _ => Some(3) };
            p
        }).collect();
        scene.receipts = flags.iter().enumerate().map(|(i, (_, n))| (ProductId(i as i64), *n)).collect();
        scene
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_forbidden_is_ever_shown_or_named(scene in any_scene(), items in 1usize..7) {
        let forbidden: Vec<String> =
            scene.products.iter().filter(|p| !p.may_be_named()).map(|p| p.name.clone()).collect();
        for s in scene.slate(Some(1), items) {
            let product = scene.products.iter().find(|p| p.id == s.product).unwrap();
            prop_assert!(product.may_be_shown());
            if let Reason::GoesWith { with, .. } = &s.reason {
                prop_assert!(!forbidden.contains(with));
            }
        }
    }

    #[test]
    fn nothing_forbidden_is_named_as_like_another(scene in any_scene(), sku in 0i64..40, fill in any::<bool>()) {
        let (mut shop, catalogue) = (scene.shop(), scene.catalogue());
        let sku = format!("p{sku}");
        let wanted = alike::Wanted { sku: &sku, items: 5, for_a_slate: fill };
        for a in alike::alike(&mut shop, &catalogue, Some(MemberId(1)), wanted, (&moment(), &scene.settings), Language::En) {
            prop_assert!(a.product.may_be_shown() && a.product.sku != sku);
        }
    }

    #[test]
    fn a_slate_is_full_when_enough_may_be_shown(scene in any_scene(), items in 1usize..7) {
        let popular = scene.products.iter().filter(|p| p.may_be_shown() && scene.receipts[&p.id] > 0).count();
        prop_assert_eq!(scene.slate(None, items).len(), items.min(popular));
    }

    /// What the addends say is the score.
    #[test]
    fn a_score_is_the_sum_of_what_it_is_made_of(scene in any_scene()) {
        let (mut shop, catalogue) = (scene.shop(), scene.catalogue());
        let ranking = shop.rank(Some(MemberId(1)), &catalogue, &moment());
        for candidate in &ranking.candidates {
            let sum: f64 = shop.addends(&ranking, candidate).iter().map(|a| a.value).sum();
            prop_assert!((sum - candidate.score).abs() < 1e-3, "{} {}", sum, candidate.score);
        }
    }
}

#[test]
fn what_a_member_does_not_eat_is_left_out_and_never_said() {
    let mut scene = Scene::new(&[history(&every(9, 11, 5, 7))]);
    scene.products[7].attributes = vec![("vegan".into(), "no".into())];
    scene.products[8].attributes = vec![("vegan".into(), "yes".into())];
    let vegan = Moment { facts: vec![Fact::Vegan], ..moment() };
    let slate = scene.slate_at(Some(1), 12, &vegan);
    assert!(!ids(&slate).contains(&7), "{:?}", ids(&slate));
    assert!(slate.iter().all(|s| !matches!(s.reason, Reason::Declared { .. })));
    let (mut shop, catalogue) = (scene.shop(), scene.catalogue());
    let mut ranking = shop.rank(Some(MemberId(1)), &catalogue, &vegan);
    let decision = policy::choose(&mut shop, &mut ranking, 3, &vegan, &scene.settings);
    assert!(decision.acted.iter().any(|a| a.sku == "p7" && a.rule == Rule::NotForThem));
}

#[test]
fn what_is_declared_or_dwelt_before_raises_products_and_says_so_only_where_it_did() {
    let mut scene = Scene::new(&[]);
    scene.settings.per_category = 12;
    scene.receipts.extend([(ProductId(0), 400), (ProductId(11), 1)]);
    let score = |moment: &Moment, id: i64| {
        let slate = scene.slate_at(Some(1), 12, moment);
        let found = slate.into_iter().find(|s| s.product == ProductId(id)).unwrap();
        (found.score, found.reason)
    };
    let viewed = Moment { viewed: [("bread".to_owned(), 4)].into(), ..moment() };
    let liked = Moment { facts: vec![Fact::Category("bread".into())], ..moment() };
    let both = Moment { facts: liked.facts.clone(), ..viewed.clone() };
    for id in 0..12 {
        let (plain, reason) = score(&moment(), id);
        assert!(matches!(reason, Reason::Popular { .. }));
        let is_bread = id % 3 == 2;
        for (moment, weight) in [(&viewed, 0.4f32), (&liked, 0.8), (&both, 1.2)] {
            let (raised, reason) = score(moment, id);
            let weight = if is_bread { f64::from(weight) } else { 0.0 };
            assert!((raised - plain - weight).abs() < 1e-6, "{id}: {plain} {raised}");
            let named = matches!(reason, Reason::Declared { .. } | Reason::Viewed { .. });
            assert!(is_bread || !named, "{id}: {reason:?}");
        }
    }
    // The strongest part is said: for what hardly anybody buys, the liking.
    assert!(matches!(score(&liked, 11).1, Reason::Declared { liked: Some(_) }));
    let before = |moment: &Moment| {
        let ids = ids(&scene.slate_at(Some(1), 12, moment));
        let place = |id| ids.iter().position(|i| *i == id).unwrap();
        place(2) < place(1)
    };
    assert!(!before(&moment()) && before(&liked), "a liking changes the order");
    scene.settings.declared = 0.0;
    scene.settings.viewed = 0.0;
    let slate = scene.slate_at(Some(1), 12, &both);
    assert!(slate.iter().all(|s| matches!(s.reason, Reason::Popular { .. })), "a weight of 0 raises nothing");
}
