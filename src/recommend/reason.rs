//! Why a product is suggested: of all that speaks for it the part without which its score would fall
//! most, said with facts that can be recounted. What would not lower the score is never named, so
//! every reason is true by construction.

use super::catalogue::{Catalogue, narrowest};
use super::ranker::digest::{Bought, Digest};
use super::ranker::evidence::{self, NAMES, TERMS, kind};
use super::ranker::model::{Contribution, Parts};
use super::shop::{Candidate, Chosen, Common, Ranking, Shop};
use super::{Product, Reason};
use crate::id::ProductId;

/// Fewer members than this are never said to like something: it would tell of one of them.
const LIKE_MINDED: u32 = 3;
/// A product is named as one that another goes with only if it was bought in the last so many baskets.
const GOES_WITH_BASKETS: u32 = 3;

/// A reason, and what the score loses without what it names.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// The reason.
    pub reason: Reason,
    /// Score with what it names, less score without; above 0.
    pub drop: f64,
}

/// One addend of a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Addend {
    /// What it is called.
    pub name: &'static str,
    /// What it adds.
    pub value: f64,
}

impl Shop {
    /// What a candidate's score is made of.
    pub fn addends(&self, ranking: &Ranking<'_>, candidate: &Candidate<'_>) -> Vec<Addend> {
        let mut all = Vec::new();
        let mut add = |name, value: f32| all.push(Addend { name, value: f64::from(value) });
        if let (Some(scores), Some(item)) = (&ranking.scores, candidate.number) {
            let made = self.model().contribution(scores, &ranking.terms, item);
            let Contribution { bias, evidence, taste, rhythm } = made;
            add("bias", bias);
            NAMES.into_iter().zip(evidence).for_each(|(name, value)| add(name, value));
            add("taste", taste);
            add("rhythm", rhythm);
        }
        let Common { popular, hour, season } = self.common_of(ranking, candidate);
        add("popular", popular);
        add("hour", hour);
        add("season", season);
        all
    }

    fn common_of(&self, ranking: &Ranking<'_>, candidate: &Candidate<'_>) -> Common {
        let popularity = ranking.catalogue.popularity(candidate.product.id);
        self.common(candidate.number, &popularity, ranking)
    }

    /// True reasons for a candidate, the strongest first, at most `most`.
    pub fn reasons(&mut self, ranking: &Ranking<'_>, candidate: &Candidate<'_>, most: usize) -> Vec<Weighed> {
        let mut all = self.common_reasons(ranking, candidate);
        if let (Some(member), Some(item)) = (ranking.member, candidate.number) {
            all.extend(self.personal_reasons(ranking, member, item, candidate.product));
        }
        all.retain(|w| w.drop > 0.0);
        all.sort_by(|a, b| b.drop.total_cmp(&a.drop));
        all.into_iter().filter_map(|w| self.verified(ranking, candidate, w)).take(most).collect()
    }

    /// What names other purchases of the member is checked by reading the member's receipts again
    /// without them, because they are evidence of more than one kind: it is true only if the score
    /// then is lower.
    fn verified(
        &mut self,
        ranking: &Ranking<'_>,
        candidate: &Candidate<'_>,
        weighed: Weighed,
    ) -> Option<Weighed> {
        let (catalogue, own) = (ranking.catalogue, candidate.product.id);
        let named = |p: &Product| match &weighed.reason {
            Reason::GoesWith { with, .. } => p.name == *with,
            reason => p.id != own && is_described(p, reason),
        };
        let needed = matches!(
            weighed.reason,
            Reason::GoesWith { .. } | Reason::Category { .. } | Reason::Brand { .. }
        );
        if !needed {
            return Some(weighed);
        }
        let gone = |id: ProductId| catalogue.get(id).is_some_and(named);
        let drop = self.drop_without(ranking, candidate, &gone)?;
        (drop > 0.0).then_some(Weighed { drop, ..weighed })
    }

    fn common_reasons(&self, ranking: &Ranking<'_>, candidate: &Candidate<'_>) -> Vec<Weighed> {
        let popularity = ranking.catalogue.popularity(candidate.product.id);
        let Common { popular, hour, season } = self.common_of(ranking, candidate);
        let mut all = Vec::new();
        let mut weighed = |reason, drop: f32| all.push(Weighed { reason, drop: f64::from(drop) });
        if popularity.receipts > 0 {
            // The same receipts make it popular and make the trend.
            let trend = ranking.scores.as_ref().zip(candidate.number).map_or(0.0, |(scores, item)| {
                self.model().contribution(scores, &ranking.terms, item).evidence[kind::TREND]
            });
            let reason = Reason::Popular { receipts: popularity.receipts, days: ranking.catalogue.days };
            weighed(reason, popular + trend);
            weighed(Reason::TimeOfDay {}, hour);
        }
        weighed(Reason::Season {}, season);
        all
    }

    fn personal_reasons(
        &mut self,
        ranking: &Ranking<'_>,
        member: u32,
        item: u32,
        product: &Product,
    ) -> Vec<Weighed> {
        let Some(scores) = &ranking.scores else { return Vec::new() };
        let facts = self.facts_of(ranking, item);
        let (numbering, digests, evidence, model, scratch) = self.parts();
        let digest = &digests[member as usize];
        let terms = ranking.terms.values_of(item);
        let whole = Parts { terms, rhythm: true, taste: true, facts };
        let score = model.score_from(scores, item, &whole);
        let drop = |parts: Parts| f64::from(score - model.score_from(scores, item, &parts));
        let with = |change: &dyn Fn(&mut [f32; TERMS])| {
            let mut terms = terms;
            change(&mut terms);
            drop(whole.with_terms(terms))
        };
        let mut all = Vec::new();
        if let Some(bought) = digest.of(item) {
            let mut without = whole.with_terms(evidence.without_own(digest, item, terms));
            without.rhythm = false;
            all.push(Weighed { reason: own_reason(bought, ranking.day), drop: drop(without) });
        }
        let shares = evidence.goes_with(Some(member), digest, item, scratch);
        if let Some((with_item, rest)) = strongest_companion(&shares, digest, |companion| {
            let id = *numbering.products().get(companion as usize)?;
            ranking.catalogue.get(id).filter(|p| p.may_be_named())
        }) {
            let less = |t: &mut [f32; TERMS]| {
                t[kind::ITEM_ITEM] = evidence::term(kind::ITEM_ITEM, rest);
            };
            let (companion, gap) = with_item;
            let reason = Reason::GoesWith { with: companion.name.clone(), baskets_ago: gap };
            all.push(Weighed { reason, drop: with(&less) });
        }
        let (buyers, near) = evidence.like_minded(&ranking.around, item);
        if buyers >= LIKE_MINDED {
            let own_part = digest.of(item).map_or(0.0, |b| evidence.own_tifu(b));
            let less = |t: &mut [f32; TERMS]| {
                (t[kind::NEIGHBOURS], t[kind::NEIGHBOURS_LAST]) = (0.0, 0.0);
                t[kind::TIFU] = t[kind::TIFU].min(evidence::term(kind::TIFU, own_part));
            };
            all.push(Weighed { reason: Reason::LikeMinded { buyers, near }, drop: with(&less) });
        }
        let chosen = ranking.chosen.get_or_init(|| chosen(ranking.catalogue, digest, numbering.products()));
        if let Some((reason, same)) = description(ranking.catalogue, chosen, digest, item, product) {
            let other = |bought: u32| bought == item || same.binary_search(&bought).is_err();
            let rest = evidence.content.common(digest, item, other);
            let less = |t: &mut [f32; TERMS]| {
                t[kind::CONTENT] = t[kind::CONTENT].min(evidence::term(kind::CONTENT, rest));
            };
            let drop = with(&less);
            all.push(Weighed { reason, drop });
        }
        let mut tasteless = whole;
        tasteless.taste = false;
        all.push(Weighed { reason: Reason::Taste {}, drop: drop(tasteless) });
        all
    }
}

/// The rhythm if there is one and it has come to half its time; else that it was bought.
fn own_reason(bought: &Bought, day: f32) -> Reason {
    let times = bought.times as u32;
    let last_days_ago = bought.last_day.map_or(0.0, |last| (day - last).max(0.0));
    match bought.every_days {
        Some(every) if last_days_ago >= every / 2.0 => Reason::Rhythm {
            every_days: every.round().max(1.0) as u32,
            last_days_ago: last_days_ago.round() as u32,
            times,
        },
        _ => Reason::BoughtBefore { times, last_days_ago: last_days_ago.round() as u32 },
    }
}

/// The purchase of the last baskets that a product goes with most, of those that may be named: the
/// product with how many baskets ago it was, and what of the evidence remains without it.
fn strongest_companion<'a>(
    shares: &[(u32, f32)],
    digest: &Digest,
    name: impl Fn(u32) -> Option<&'a Product>,
) -> Option<((&'a Product, u32), f32)> {
    let recent = |(item, share): &(u32, f32)| {
        let gap = digest.of(*item)?.gap;
        (gap < GOES_WITH_BASKETS).then_some(())?;
        Some(((name(*item)?, gap), *share))
    };
    shares.iter().filter_map(recent).min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Whether a product is of the category or brand that a reason names.
fn is_described(product: &Product, reason: &Reason) -> bool {
    match reason {
        Reason::Category { category, .. } => narrowest(product) == category,
        Reason::Brand { brand, .. } => product.brand.as_ref() == Some(brand),
        _ => false,
    }
}

/// Which products the member bought of each category and brand.
fn chosen<'a>(catalogue: &'a Catalogue, digest: &Digest, products: &[ProductId]) -> Chosen<'a> {
    let mut chosen = Chosen::default();
    for bought in &digest.products {
        chosen.all += bought.times;
        let known = products.get(bought.item as usize).and_then(|id| catalogue.get(*id));
        let Some(product) = known else { continue };
        let category = narrowest(product);
        if !category.is_empty() {
            chosen.categories.entry(category).or_default().push(bought.item);
        }
        if let Some(brand) = &product.brand {
            chosen.brands.entry(brand).or_default().push(bought.item);
        }
    }
    chosen
}

/// What a product has in common with what the member chooses, if that can be said in a word: its
/// category, or its brand; and the products bought that have it too, itself perhaps among them.
fn description<'c>(
    catalogue: &Catalogue,
    chosen: &'c Chosen<'_>,
    digest: &Digest,
    item: u32,
    product: &Product,
) -> Option<(Reason, &'c [u32])> {
    let times = |item: u32| digest.of(item).map_or(0.0, |b| b.times);
    let share = |same: &[u32]| {
        let of: f32 = same.iter().filter(|other| **other != item).map(|other| times(*other)).sum();
        let all = chosen.all - times(item);
        (of > 0.0).then(|| (of / all * 100.0).round().max(1.0) as u32)
    };
    let category = narrowest(product);
    if let Some(same) = chosen.categories.get(category)
        && let Some(share_percent) = share(same)
    {
        let new = catalogue.is_new(product.id);
        return Some((Reason::Category { category: category.to_owned(), share_percent, new }, same));
    }
    let brand = product.brand.as_ref()?;
    let same = chosen.brands.get(brand.as_str())?;
    let share_percent = share(same)?;
    Some((Reason::Brand { brand: brand.clone(), share_percent }, same))
}
