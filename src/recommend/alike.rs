//! "More like this": products that are by their description like one that a shopper or a member of
//! staff points at, and what the two have in common. Pure.
//!
//! What always holds: nothing is named that a slate may not show to this member now, and what is said
//! to be in common stands in the catalogue of both.

use super::catalogue::Catalogue;
use super::policy::{bar, reasons};
use super::shop::{Candidate, Shop};
use super::{Language, Moment, PolicySettings, Product, Suggestion, text};
use crate::id::MemberId;

/// Products that are less alike than this are not alike.
const LEAST: f64 = 0.15;
/// Things in common that are said at most.
const SAID: usize = 3;

/// A product like another.
#[derive(Debug, Clone, PartialEq)]
pub struct Alike {
    /// What the shop calls it, its price, place, and why it suits the member, if that can be said.
    pub product: Product,
    /// Category, brand and attributes that both have, in the store's words; empty for one that is only
    /// the next best.
    pub common: Vec<String>,
    /// Why a slate could suggest it; `None` if nothing true can be said.
    pub reason: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The product that others are to be like.
    pub sku: &'a str,
    /// At most so many.
    pub items: usize,
    /// For a place on a slate: only what there is a true reason for, and after what is alike whatever
    /// suits the member best.
    pub for_a_slate: bool,
}

/// Products like the one that is wanted, the most alike first, and among equals what suits the member
/// best.
pub fn alike(
    shop: &mut Shop,
    catalogue: &Catalogue,
    member: Option<MemberId>,
    wanted: Wanted<'_>,
    rules: (&Moment, &PolicySettings),
    language: Language,
) -> Vec<Alike> {
    let mut ranking = shop.rank(member, catalogue, rules.0);
    let candidates = std::mem::take(&mut ranking.candidates);
    let Some(this) = candidates.iter().find(|c| c.product.sku == wanted.sku) else { return Vec::new() };
    let mut found: Vec<(f64, &Candidate<'_>)> = candidates
        .iter()
        .filter(|c| c.product.id != this.product.id && bar(c, rules.0).is_none())
        .map(|c| (shop.alike(this, c), c))
        .map(|(likeness, c)| if likeness < LEAST { (0.0, c) } else { (likeness, c) })
        .filter(|(likeness, _)| wanted.for_a_slate || *likeness > 0.0)
        .collect();
    found.sort_by(|a, b| {
        b.0.total_cmp(&a.0).then(b.1.score.total_cmp(&a.1.score)).then(a.1.product.id.cmp(&b.1.product.id))
    });
    let mut out = Vec::new();
    for (likeness, candidate) in found {
        if out.len() == wanted.items {
            break;
        }
        let why = reasons(shop, &ranking, candidate, rules, 1).pop();
        let reason = why.map(|why| text::reason(&why.reason, language));
        if wanted.for_a_slate && reason.is_none() {
            continue;
        }
        let both = if likeness > 0.0 { common(this.product, candidate.product) } else { Vec::new() };
        out.push(Alike { product: candidate.product.clone(), common: both, reason });
    }
    out
}

/// One product as a slate suggests it; `None` if no slate may, or nothing true can be said for it.
pub fn one(
    shop: &mut Shop,
    catalogue: &Catalogue,
    member: MemberId,
    sku: &str,
    rules: (&Moment, &PolicySettings),
    language: Language,
) -> Option<Suggestion> {
    let mut ranking = shop.rank(Some(member), catalogue, rules.0);
    let candidates = std::mem::take(&mut ranking.candidates);
    let candidate = candidates.iter().find(|c| c.product.sku == sku && bar(c, rules.0).is_none())?;
    let why = reasons(shop, &ranking, candidate, rules, 1).pop()?;
    Some(super::suggestion(candidate, why, 1.0, language))
}

/// What two products have in common: the narrowest category, the brand, attributes.
fn common(a: &Product, b: &Product) -> Vec<String> {
    let category = a.category.iter().rev().find(|c| b.category.contains(c)).cloned();
    let brand = a.brand.clone().filter(|brand| b.brand.as_ref() == Some(brand));
    let attributes = a.attributes.iter().filter(|pair| b.attributes.contains(pair));
    let said = |(name, value): &(String, String)| match value.as_str() {
        "yes" => Some(name.clone()),
        "no" => None,
        value => Some(value.to_owned()),
    };
    category.into_iter().chain(brand).chain(attributes.filter_map(said)).take(SAID).collect()
}
