//! What products are by their description: category, brand and attributes, as weights that a sum can
//! run over; and what they cost beside others of their category. What nearly every product shares says nothing and weighs nothing.

use super::super::catalogue::narrowest;
use super::sparse::Rows;
use crate::recommend::Product;
use std::collections::BTreeMap;

/// Weights before rarity counts: the narrowest category says most.
const NARROWEST: f32 = 1.0;
const WIDER: f32 = 0.3;
const BRAND: f32 = 0.5;
const ATTRIBUTE: f32 = 0.3;
/// A feature that more than this share of all products have is left out.
const COMMON: f32 = 0.5;

/// Features of each of these products, in their order: each row of length 1 or empty.
pub fn features<'a>(products: impl Iterator<Item = Option<&'a Product>>) -> Rows {
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let mut number = |name: String| {
        let next = numbers.len() as u32;
        *numbers.entry(name).or_insert(next)
    };
    let mut rows: Vec<BTreeMap<u32, f32>> = Vec::new();
    for product in products {
        let mut row = BTreeMap::new();
        for (name, weight) in product.into_iter().flat_map(described) {
            let place: &mut f32 = row.entry(number(name)).or_default();
            *place = place.max(weight);
        }
        rows.push(row);
    }
    let mut shared = vec![0.0f32; numbers.len()];
    rows.iter().flat_map(BTreeMap::keys).for_each(|f| shared[*f as usize] += 1.0);
    let all = rows.len() as f32;
    let rarity = |feature: u32| {
        let share = shared[feature as usize] / all;
        if share > COMMON { 0.0 } else { (1.0 / share).ln() }
    };
    Rows::new(rows.into_iter().map(|row| {
        let mut row: Vec<(u32, f32)> = row.into_iter().map(|(f, w)| (f, w * rarity(f))).collect();
        row.retain(|e| e.1 > 0.0);
        let length = row.iter().map(|e| e.1 * e.1).sum::<f32>().sqrt();
        row.iter_mut().for_each(|e| e.1 /= length);
        row
    }))
}

fn described(product: &Product) -> Vec<(String, f32)> {
    let mut all = Vec::new();
    for (above, word) in product.category.iter().rev().enumerate() {
        all.push((format!("category {word}"), if above == 0 { NARROWEST } else { WIDER }));
    }
    all.extend(product.brand.iter().map(|b| (format!("brand {b}"), BRAND)));
    all.extend(product.attributes.iter().map(|(name, value)| (format!("{name} = {value}"), ATTRIBUTE)));
    all
}

/// What products of a category usually cost.
#[derive(Debug, Clone, Default)]
pub struct PriceLevels<'a> {
    usual: BTreeMap<&'a str, f64>,
}

impl<'a> PriceLevels<'a> {
    /// From all products that have a price.
    pub fn new(products: impl Iterator<Item = &'a Product>) -> PriceLevels<'a> {
        let mut prices: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for product in products.filter(|p| p.price.0 > 0) {
            prices.entry(narrowest(product)).or_default().push(product.price.0);
        }
        let median = |mut all: Vec<i64>| {
            let middle = all.len() / 2;
            *all.select_nth_unstable(middle).1 as f64
        };
        PriceLevels { usual: prices.into_iter().map(|(c, all)| (c, median(all))).collect() }
    }

    /// How many times what is usual in its category a product costs; `None` if that cannot be said.
    pub fn relative(&self, product: &Product) -> Option<f64> {
        let usual = self.usual.get(narrowest(product))?;
        (product.price.0 > 0).then(|| product.price.0 as f64 / usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProductId;
    use crate::recommend::Money;

    fn product(id: i64, category: &str, brand: &str, price: i64) -> Product {
        Product {
            id: ProductId(id),
            sku: id.to_string(),
            name: id.to_string(),
            category: vec!["Food".into(), category.into()],
            brand: Some(brand.into()),
            price: Money(price),
            attributes: vec![],
            stock: None,
            place: None,
            withdrawn: false,
            age_restricted: false,
            sensitive: false,
        }
    }

    fn alike(rows: &Rows, a: usize, b: usize) -> f32 {
        let (columns, values) = rows.row(a);
        let other: BTreeMap<u32, f32> = rows.row(b).0.iter().copied().zip(rows.row(b).1.to_vec()).collect();
        columns.iter().zip(values).map(|(c, v)| v * other.get(c).unwrap_or(&0.0)).sum()
    }

    #[test]
    fn products_of_one_category_are_alike_and_what_all_share_says_nothing() {
        let products = [
            product(1, "tea", "North", 300),
            product(2, "tea", "South", 320),
            product(3, "pasta", "East", 300),
            product(4, "bread", "West", 310),
            product(5, "tea", "North", 900),
            product(6, "jam", "Hill", 300),
        ];
        let rows = features(products.iter().map(Some));
        assert!(alike(&rows, 0, 1) > 0.3);
        assert_eq!(alike(&rows, 0, 2), 0.0, "both are food, as everything is");
        assert!(alike(&rows, 0, 4) > alike(&rows, 1, 4), "the brand counts");
        assert!((alike(&rows, 3, 3) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_product_without_description_has_no_features() {
        let rows = features([None, None].into_iter());
        assert_eq!((rows.count(), rows.row(0).0.len()), (2, 0));
    }
}
