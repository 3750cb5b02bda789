//! The store's products with what all receipts together say about them: the part of the evidence
//! that is the same for everybody. Pure; rebuilt when products, stock or receipts have changed.

use super::Product;
use crate::id::ProductId;
use std::collections::BTreeMap;

/// How often a product was bought lately, by anybody.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Popularity {
    /// Receipts with it in the period.
    pub receipts: u32,
    /// Share of the receipts of its category's most popular product, 0..1.
    pub in_category: f64,
    /// Share of the receipts of the store's most popular product, 0..1.
    pub in_store: f64,
}

/// Products by id, with their popularity.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    products: BTreeMap<ProductId, (Product, Popularity)>,
    /// Length of the period that popularity is counted over, days.
    pub days: u32,
}

impl Catalogue {
    /// Joins products with the number of receipts that held each in the last `days`.
    pub fn new(products: Vec<Product>, receipts: &BTreeMap<ProductId, u32>, days: u32) -> Self {
        let count = |id: &ProductId| receipts.get(id).copied().unwrap_or(0);
        let mut most_in: BTreeMap<String, u32> = BTreeMap::new();
        let mut most = 0;
        for product in &products {
            let n = count(&product.id);
            most = most.max(n);
            let entry = most_in.entry(narrowest(product).to_owned()).or_default();
            *entry = n.max(*entry);
        }
        let products = products
            .into_iter()
            .map(|product| {
                let n = count(&product.id);
                let share = |of: u32| if of == 0 { 0.0 } else { f64::from(n) / f64::from(of) };
                let popularity = Popularity {
                    receipts: n,
                    in_category: share(most_in[narrowest(&product)]),
                    in_store: share(most),
                };
                (product.id, (product, popularity))
            })
            .collect();
        Self { products, days }
    }

    /// All products with their popularity, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = (&Product, Popularity)> {
        self.products.values().map(|(product, popularity)| (product, *popularity))
    }

    /// One product.
    pub fn get(&self, id: ProductId) -> Option<&Product> {
        self.products.get(&id).map(|(product, _)| product)
    }

    /// A product's narrowest category.
    pub fn category(&self, id: ProductId) -> Option<&str> {
        self.get(id).map(narrowest).filter(|c| !c.is_empty())
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
