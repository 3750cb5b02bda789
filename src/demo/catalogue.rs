//! The demo store's products, drawn from its `shelves`.

use super::draw::{Draw, Realm};
use super::shelves::{SHELVES, Shelf};
use crate::id::ProductId;
use crate::recommend::{Money, Product};

/// Aisles up to this one have food.
const LAST_FOOD: u8 = 9;

/// A product and what the demo's members make of it.
#[derive(Debug, Clone)]
pub(super) struct Good {
    pub product: Product,
    /// Its shelf's place in the table.
    pub shelf: usize,
    /// Relative popularity within its category.
    pub pull: f32,
}

/// All products of the store under `seed`, numbered from 1.
pub(super) fn goods(seed: u64) -> Vec<Good> {
    let d = &mut Draw::new(Realm::Catalogue, seed, 0);
    let mut goods: Vec<Good> = Vec::new();
    for (place, shelf) in SHELVES.iter().enumerate() {
        let mut here = 0;
        for (b, brand) in shelf.brands.iter().enumerate() {
            for (k, kind) in shelf.kinds.iter().enumerate() {
                // every kind from the first brand, some from the others
                if b > 0 && d.chance(0.15) {
                    continue;
                }
                let size = d.below(shelf.sizes.len());
                let number = goods.len() as i64 + 1;
                let product = product(number, shelf, (brand, b), kind, size, here, d);
                let pull = 1.0 / (1.0 + k as f32 + 0.7 * b as f32) * d.uniform(0.6, 1.4);
                goods.push(Good { product, shelf: place, pull });
                here += 1;
            }
        }
    }
    // some are gone, some have just run out
    for good in &mut goods {
        if d.chance(0.02) {
            good.product.withdrawn = true;
        } else if d.chance(0.04) {
            good.product.stock = Some(0);
        }
    }
    goods
}

fn product(
    number: i64,
    shelf: &Shelf,
    (brand, nth): (&str, usize),
    kind: &str,
    size: usize,
    here: usize,
    d: &mut Draw,
) -> Product {
    let has = |mark| shelf.marks.contains(mark);
    let organic = has('o') && nth % 2 == 1;
    // a kind may come in one size only
    let (kind, size, place) = match kind.split_once('|') {
        Some((kind, size)) => (kind, size, d.uniform(0.2, 0.8)),
        None => (kind, shelf.sizes[size], size as f32 / (shelf.sizes.len().max(2) - 1) as f32),
    };
    let (low, high) = (shelf.price.0 as f32, shelf.price.1 as f32);
    let share = 0.62 * place + d.uniform(0.02, 0.33) + if organic { 0.05 } else { 0.0 };
    // prices end in 9
    let price = (low * (high / low).powf(share)) as i64 / 10 * 10 + 9;
    let mut attributes = vec![("size".to_owned(), size.to_owned())];
    if organic {
        attributes.push(("organic".to_owned(), "yes".to_owned()));
    }
    if has('v') {
        attributes.push(("vegan".to_owned(), "yes".to_owned()));
    } else if shelf.aisle <= LAST_FOOD {
        attributes.push(("vegan".to_owned(), "no".to_owned()));
    }
    if has('a') {
        attributes.push(("alcohol".to_owned(), "yes".to_owned()));
    }
    if has('k') {
        attributes.push(("unit".to_owned(), "kg".to_owned()));
    }
    let mark = if organic { ", organic" } else { "" };
    let short = if size == "loose" { String::new() } else { format!(", {size}") };
    let name = format!("{brand} {kind}{mark}{short}");
    Product {
        id: ProductId(number),
        sku: format!("{}{:04}", &shelf.path[0][..1], 1000 + number),
        name,
        category: shelf.path.iter().map(|s| (*s).to_owned()).collect(),
        brand: Some(brand.to_owned()),
        price: Money(price),
        attributes,
        stock: Some(4 + d.below(60) as i64),
        place: Some(format!("Aisle {}, shelf {}", shelf.aisle, ["A", "B", "C", "D", "E"][here % 5])),
        withdrawn: false,
        age_restricted: has('a'),
        sensitive: has('s'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_catalogue_is_believable_and_every_product_valid() {
        let goods = goods(1);
        assert!((350..=450).contains(&goods.len()), "{} products", goods.len());
        let departments: BTreeSet<_> = goods.iter().map(|g| g.product.category[0].clone()).collect();
        let categories: BTreeSet<_> = goods.iter().map(|g| g.product.category.clone()).collect();
        assert!(departments.len() >= 12 && categories.len() >= 40, "{departments:?} {}", categories.len());
        let skus: BTreeSet<_> = goods.iter().map(|g| g.product.sku.clone()).collect();
        let names: BTreeSet<_> = goods.iter().map(|g| g.product.name.clone()).collect();
        assert_eq!(skus.len(), goods.len());
        assert_eq!(names.len(), goods.len());
        for (i, good) in goods.iter().enumerate() {
            let p = &good.product;
            assert_eq!(p.id, ProductId(i as i64 + 1));
            assert!(p.price.0 > 0 && p.stock.is_some_and(|n| n >= 0) && p.place.is_some(), "{p:?}");
        }
        let count = |f: &dyn Fn(&Product) -> bool| goods.iter().filter(|g| f(&g.product)).count();
        assert!(count(&|p| p.age_restricted) > 5 && count(&|p| p.sensitive) > 5);
        assert!(count(&|p| p.withdrawn) > 1 && count(&|p| p.stock == Some(0)) > 3);
        assert!(count(&|p| p.may_be_shown()) > 300);
    }
}
