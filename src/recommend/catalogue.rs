//! The store's products with what all receipts together say about them: the part of a score that is
//! the same for everybody. Pure; rebuilt when products, stock or receipts have changed.

use super::Product;
use super::ranker::features::PriceLevels;
use crate::id::ProductId;
use crate::profile::Described;
use std::collections::{BTreeMap, BTreeSet};

pub use crate::profile::DAY_PARTS;
/// Receipts that a product must have for its hours or season to say half of what they could.
const SHRINK: f32 = 20.0;
/// The most that hours or season add to a score or take off it.
const MOST: f32 = 0.7;

/// How often a product was sold lately, by part of the day (from midnight, four hours each).
pub type Sales = [u32; DAY_PARTS];

/// The part of the day that an hour lies in.
pub fn day_part(hour: i8) -> usize {
    (hour.clamp(0, 23) as usize) * DAY_PARTS / 24
}

/// How often a product was bought lately, by anybody.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Popularity {
    /// Receipts with it in the period.
    pub receipts: u32,
    /// Share of the receipts of its category's most popular product, 0..1.
    pub in_category: f64,
    /// Share of the receipts of the store's most popular product, 0..1.
    pub in_store: f64,
    /// Logarithm of how much more (above 0) or less it is bought in each part of the day than then
    /// products are in general, few receipts saying little.
    pub by_part: [f32; DAY_PARTS],
}

/// A product with what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub product: Product,
    pub popularity: Popularity,
    /// How many times the usual price of its category it costs, where that can be said.
    price_level: Option<f64>,
    /// Its logarithm; 0 where it cannot be said.
    pub log_price_level: f64,
}

/// Products by id, with their popularity.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    products: BTreeMap<ProductId, Listed>,
    new: BTreeSet<ProductId>,
    /// Length of the period that popularity is counted over, days.
    pub days: u32,
}

impl Catalogue {
    /// Joins products with their sales in the last `days`.
    pub fn new(products: Vec<Product>, sales: &BTreeMap<ProductId, Sales>, days: u32) -> Self {
        let count = |id: &ProductId| sales.get(id).map_or(0, |s| s.iter().sum());
        let mut most_in: BTreeMap<String, u32> = BTreeMap::new();
        let mut most = 0;
        for product in &products {
            let n = count(&product.id);
            most = most.max(n);
            let entry = most_in.entry(narrowest(product).to_owned()).or_default();
            *entry = n.max(*entry);
        }
        let usual = usual_parts(sales);
        let price_levels: Vec<Option<f64>> = {
            let levels = PriceLevels::new(products.iter());
            products.iter().map(|p| levels.relative(p)).collect()
        };
        let products = products
            .into_iter()
            .zip(price_levels)
            .map(|(product, price_level)| {
                let n = count(&product.id);
                let share = |of: u32| if of == 0 { 0.0 } else { f64::from(n) / f64::from(of) };
                let popularity = Popularity {
                    receipts: n,
                    in_category: share(most_in[narrowest(&product)]),
                    in_store: share(most),
                    by_part: sales.get(&product.id).map_or([0.0; DAY_PARTS], |s| by_part(s, &usual)),
                };
                let log_price_level = price_level.map_or(0.0, f64::ln);
                (product.id, Listed { product, popularity, price_level, log_price_level })
            })
            .collect();
        Self { products, new: BTreeSet::new(), days }
    }

    /// All products with their popularity, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = (&Product, Popularity)> {
        self.products.values().map(|listed| (&listed.product, listed.popularity))
    }

    /// All that is known, in order of id.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Listed> {
        self.products.values()
    }

    /// One product.
    pub fn get(&self, id: ProductId) -> Option<&Product> {
        self.products.get(&id).map(|listed| &listed.product)
    }

    /// A product's popularity.
    pub fn popularity(&self, id: ProductId) -> Popularity {
        self.products.get(&id).map_or_else(Popularity::default, |listed| listed.popularity)
    }

    /// A product's narrowest category.
    pub fn category(&self, id: ProductId) -> Option<&str> {
        self.get(id).map(narrowest).filter(|c| !c.is_empty())
    }

    /// A product as a profile asks about it.
    pub fn described(&self, id: ProductId) -> Described<'_> {
        self.get(id).map_or_else(Described::default, |product| Described {
            category: self.category(id),
            brand: product.brand.as_deref(),
            attributes: &product.attributes,
            price_level: self.products.get(&id).and_then(|listed| listed.price_level),
        })
    }

    /// The same catalogue with the products that the store has sold only for some weeks.
    pub fn with_new(self, new: BTreeSet<ProductId>) -> Self {
        Self { new, ..self }
    }

    /// Whether the store has sold a product only for some weeks.
    pub fn is_new(&self, id: ProductId) -> bool {
        self.new.contains(&id)
    }

    /// Number of products.
    pub fn len(&self) -> usize {
        self.products.len()
    }

    /// Whether there is no product at all.
    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }
}

/// The last word of the category path; empty if the product has none.
pub fn narrowest(product: &Product) -> &str {
    product.category.last().map_or("", String::as_str)
}

/// Share of all sales in each part of the day.
fn usual_parts(sales: &BTreeMap<ProductId, Sales>) -> [f32; DAY_PARTS] {
    let mut parts = [0.0f32; DAY_PARTS];
    for sales in sales.values() {
        parts.iter_mut().zip(sales).for_each(|(p, n)| *p += *n as f32);
    }
    let total = parts.iter().sum::<f32>().max(1.0);
    parts.map(|p| p / total)
}

fn by_part(sales: &Sales, usual: &[f32; DAY_PARTS]) -> [f32; DAY_PARTS] {
    let total = sales.iter().sum::<u32>() as f32;
    std::array::from_fn(|part| likelier(sales[part] as f32, total, usual[part]))
}

/// Logarithm of how much likelier than usual something is, of which `here` of `total` cases lie where
/// the `usual` share of cases does; at most 0.7 either way, and less from few cases.
pub fn likelier(here: f32, total: f32, usual: f32) -> f32 {
    if usual <= 0.0 {
        return 0.0;
    }
    ((here + SHRINK * usual) / ((total + SHRINK) * usual)).ln().clamp(-MOST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_receipts_say_little_about_hours_and_many_say_more() {
        assert_eq!(likelier(0.0, 0.0, 0.2), 0.0);
        assert!(likelier(2.0, 2.0, 0.2) < likelier(40.0, 40.0, 0.2));
        assert!(likelier(0.0, 40.0, 0.2) < 0.0);
        assert_eq!(likelier(4000.0, 4000.0, 0.01), MOST);
        assert_eq!((day_part(0), day_part(11), day_part(23)), (0, 2, 5));
    }
}
