//! The whole answer for one member: evidence, the networks' states as of now, the scores of all
//! products, the rules and the reasons; and what one more receipt costs. In made-up stores, so that
//! history, members and products can each grow tenfold alone.

use super::median;
use crate::history::{Basket, History, Line};
use crate::id::{MemberId, ProductId};
use crate::recommend::ranker::item_table::ItemTable;
use crate::recommend::ranker::model::Learned;
use crate::recommend::ranker::weights::{Shape, Weights};
use crate::recommend::{
    self, Catalogue, Language, Moment, Money, PolicySettings, Product, Sales, Shop, Trained,
};
use crate::train::recipe::Recipe;
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::Instant;

/// Receipts of every other member.
const USUAL: usize = 12;
/// Products a receipt.
const SIZE: usize = 6;

/// A store, and the member that is asked about.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Store {
    /// Members.
    pub members: usize,
    /// Products.
    pub products: usize,
    /// Receipts of the member asked about.
    pub receipts: usize,
}

/// Times in milliseconds.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// Of what.
    pub store: Store,
    /// Different products that the member bought.
    pub bought: usize,
    /// Middle of all answers.
    pub p50_ms: f64,
    /// Only one of a hundred took longer.
    pub p99_ms: f64,
    /// Evidence, states as of now and scores, middle; rules and reasons are the rest.
    pub score_ms: f64,
    /// One more receipt of the member learned in place, middle.
    pub receipt_ms: f64,
    /// All members' receipts read into the shop, once.
    pub index_s: f64,
}

/// A product; the first are bought far more often than the last.
fn product(random: &mut ChaCha8Rng, products: usize) -> u32 {
    (random.random::<f32>().powi(3) * products as f32) as u32 % products as u32
}

/// Days between two receipts.
const GAP: i64 = 2;
/// Places on a slate.
const ITEMS: usize = 6;
/// Categories and brands of the catalogue, at most.
const CATEGORIES: i64 = 200;
const BRANDS: i64 = 500;

fn day(n: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * n)
}

/// The receipts of a member whose last one lies shortly before day `end`.
fn history(random: &mut ChaCha8Rng, products: usize, receipts: usize, end: i64) -> History {
    // A third of a member's purchases are favourites.
    let favourites: Vec<u32> = (0..30).map(|_| product(random, products)).collect();
    let basket = |at: usize| {
        let mut items: Vec<u32> = (0..SIZE)
            .map(|_| match random.random_range(0..3) {
                0 => favourites[random.random_range(0..favourites.len())],
                _ => product(random, products),
            })
            .collect();
        items.sort_unstable();
        items.dedup();
        let line = |item| Line { product: ProductId(i64::from(item)), quantity: 1.0, unit_price: 100 };
        let at = day(end - GAP * (receipts - at) as i64);
        Basket { at, lines: items.into_iter().map(line).collect() }
    };
    History::new((0..receipts).map(basket).collect())
}

fn described(id: i64) -> Product {
    Product {
        id: ProductId(id),
        sku: format!("P{id}"),
        name: format!("Product {id}"),
        category: vec!["All".into(), format!("Category {}", id % CATEGORIES)],
        brand: Some(format!("Brand {}", id % BRANDS)),
        price: Money(100 + id % 900),
        attributes: vec![],
        stock: None,
        place: None,
        withdrawn: false,
        age_restricted: false,
        sensitive: false,
    }
}

fn trained(store: Store, random: &mut ChaCha8Rng) -> Trained {
    let recipe = Recipe::for_members(store.members);
    let shape = Shape {
        items: store.products,
        table: recipe.table,
        basket: recipe.basket,
        rhythm: recipe.rhythm,
        repeat: recipe.repeat,
    };
    let mut number = || random.random::<f32>() * 0.4 - 0.2;
    let network = |_| {
        let mut weights = Weights::zeros(shape);
        weights.values.iter_mut().for_each(|w| *w = number());
        weights
    };
    let networks: Vec<Weights> = (0..recipe.seeds + recipe.keep_start).map(network).collect();
    let values = (0..store.products * recipe.table).map(|_| number()).collect();
    Trained {
        id: "bench".into(),
        learned: Learned {
            table: ItemTable { columns: recipe.table, values },
            networks,
            emphasis: recipe.emphasis,
        },
        products: (0..store.products as i64).map(ProductId).collect(),
    }
}

/// Asks so many times.
pub fn measure(store: Store, times: usize) -> Answer {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let end = GAP * store.receipts as i64 + 10_000;
    let asked = MemberId(0);
    let mut histories = BTreeMap::from([(asked, history(&mut random, store.products, store.receipts, end))]);
    for member in 1..store.members as i64 {
        histories.insert(MemberId(member), history(&mut random, store.products, USUAL, end));
    }
    let products: Vec<Product> = (0..store.products as i64).map(described).collect();
    let mut sales: BTreeMap<ProductId, Sales> = BTreeMap::new();
    for id in histories.values().flat_map(History::products) {
        sales.entry(id).or_default()[id.0 as usize % 6] += 1;
    }
    let catalogue = Catalogue::new(products.clone(), &sales, 28);
    let trained = trained(store, &mut random);
    let ms = |begin: Instant| begin.elapsed().as_secs_f64() * 1e3;
    let begin = Instant::now();
    let mut shop = Shop::new(&products, &histories, HashMap::new(), Some(trained));
    let index_s = begin.elapsed().as_secs_f64();
    shop.prepare(asked);

    let (rules, moment) = (PolicySettings::default(), Moment::plain(day(end), 10));
    let (mut whole, mut scoring) = (Vec::new(), Vec::new());
    for _ in 0..=times.max(1) {
        let begin = Instant::now();
        black_box(shop.rank(Some(asked), &catalogue, &moment).candidates.len());
        scoring.push(ms(begin));
        let begin = Instant::now();
        let language = Language::En;
        let slate = recommend::suggest(&mut shop, &catalogue, Some(asked), ITEMS, &moment, &rules, language);
        black_box(&slate);
        whole.push(ms(begin));
    }
    let own = histories.remove(&asked).unwrap_or_default();
    let mut bought: Vec<ProductId> = own.products().collect();
    bought.sort_unstable();
    bought.dedup();
    let mut receipts = Vec::new();
    for n in 0..20 {
        let more = history(&mut random, store.products, 1, end + n);
        let begin = Instant::now();
        shop.learn_more(asked, more.baskets);
        receipts.push(ms(begin));
    }
    // The first one warmed up.
    let mut sorted = whole.split_off(1);
    sorted.sort_by(f64::total_cmp);
    Answer {
        store,
        bought: bought.len(),
        p50_ms: median(&sorted),
        p99_ms: sorted[(sorted.len() * 99 / 100).min(sorted.len() - 1)],
        score_ms: median(&scoring[1..]),
        receipt_ms: median(&receipts),
        index_s,
    }
}
