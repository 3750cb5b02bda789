//! What a member can declare of themselves at a kiosk, and what they do.
//!
//! What always holds: what would change nothing in this shop is not offered, because nothing in its
//! catalogue is marked so; what the member declares is always there, so that it can be taken back; what
//! may not be named on a screen is not.

use crate::id::MemberId;
use crate::profile::declared::{Fact, Kind};
use crate::recommend::{Language, Product, text};
use crate::storage::{StorageError, Store};
use crate::web::{FactGroup, FactOffered};
use std::collections::{BTreeMap, BTreeSet};

/// Categories, and brands, that are offered at most: those with the most products.
const MOST: usize = 30;

/// Everything that this member can declare, in groups.
pub fn offered(store: &Store, id: MemberId, language: Language) -> Result<Vec<FactOffered>, StorageError> {
    let declared: BTreeSet<Fact> = store.declared(id)?.into_iter().collect();
    let mut products = store.products()?;
    products.retain(|p| !p.withdrawn && p.may_be_named());
    Ok(offers(&products, &declared, language))
}

fn offers(products: &[Product], declared: &BTreeSet<Fact>, language: Language) -> Vec<FactOffered> {
    let matters = |fact: &Fact| products.iter().any(|p| leaves_out(fact, p) || likes(fact, p));
    let mut facts: BTreeSet<Fact> = Fact::PLAIN.into_iter().filter(matters).collect();
    let categories = products.iter().filter_map(|p| p.category.last());
    facts.extend(most_named(categories).map(Fact::Category));
    facts.extend(most_named(products.iter().filter_map(|p| p.brand.as_ref())).map(Fact::Brand));
    facts.extend(declared.iter().cloned());
    let mut offers: Vec<FactOffered> = facts
        .into_iter()
        .map(|fact| FactOffered {
            group: match (&fact, fact.kind()) {
                (Fact::Category(_), _) => FactGroup::Categories,
                (Fact::Brand(_), _) => FactGroup::Brands,
                (_, Kind::LeavesOut) => FactGroup::LeavesOut,
                (_, Kind::Likes) => FactGroup::Likes,
            },
            text: text::fact(&fact, language),
            on: declared.contains(&fact),
            fact: fact.to_string(),
        })
        .collect();
    offers.sort_by_key(|offer| offer.group as u8);
    offers
}

fn leaves_out(fact: &Fact, product: &Product) -> bool {
    fact.leaves_out(&product.attributes)
}

fn likes(fact: &Fact, product: &Product) -> bool {
    fact.likes(&product.category, product.brand.as_deref(), &product.attributes)
}

/// The names that come most often.
fn most_named<'p>(names: impl Iterator<Item = &'p String>) -> impl Iterator<Item = String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let mut order: Vec<(&String, usize)> = counts.into_iter().collect();
    order.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), (*name).clone()));
    order.into_iter().take(MOST).map(|(name, _)| name.clone()).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProductId;
    use crate::recommend::Money;

    fn product(id: i64, category: &str, attribute: (&str, &str)) -> Product {
        Product {
            id: ProductId(id),
            sku: format!("p{id}"),
            name: format!("Product {id}"),
            category: vec!["Food".into(), category.into()],
            brand: Some("Hill".into()),
            price: Money(100),
            attributes: vec![(attribute.0.into(), attribute.1.into())],
            stock: None,
            place: None,
            withdrawn: false,
            age_restricted: false,
            sensitive: false,
        }
    }

    #[test]
    fn what_would_do_nothing_here_is_not_offered_and_what_is_declared_always_is() {
        let products = [product(1, "Tea", ("organic", "yes")), product(2, "Sausages", ("vegetarian", "no"))];
        let declared = [Fact::NoNuts, Fact::Brand("Gone".into())].into();
        let offers = offers(&products, &declared, Language::En);
        let words: Vec<(&str, bool)> = offers.iter().map(|o| (o.fact.as_str(), o.on)).collect();
        let expected = [
            ("vegetarian", false),
            ("vegan", false),
            ("no-nuts", true),
            ("organic", false),
            ("category:Sausages", false),
            ("category:Tea", false),
            ("brand:Gone", true),
            ("brand:Hill", false),
        ];
        assert_eq!(words, expected);
        assert!(offers.iter().all(|o| !o.text.is_empty()));
    }
}
