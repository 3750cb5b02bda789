//! Rules between scores and a slate: what must not be shown, what was just bought or dismissed, not
//! too much of one thing, room for something new, what the store promotes, and now and then something
//! drawn by chance. Pure; every effect of a rule can be read afterwards.
//!
//! What always holds: nothing that a shared screen must not show is chosen, and nothing without a true
//! reason.

use super::catalogue::narrowest;
use super::reason::Weighed;
use super::settings::{PolicySettings, Promoted, Promotion};
use super::shop::{Candidate, Ranking, Shop};
use super::{Moment, Product, Reason};
use crate::profile::declared::Fact;
use serde::Serialize;
use std::fmt;

/// Candidates looked at for each place, best first.
const LOOKED_AT: usize = 200;
/// So many of the best are put in order at first; the others only if a slate needs them.
const ORDERED: usize = 2000;
/// What takes less than this off a score is not told.
const NOTHING: f64 = 0.01;
/// Candidates that a place given to chance is drawn from.
const DRAWN_FROM: usize = 10;

/// A rule that acted on a product.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// No longer sold, or never listed.
    Withdrawn,
    /// None left.
    OutOfStock,
    /// For adults only.
    AgeRestricted,
    /// Not to be named on a shared screen.
    Sensitive,
    /// On a receipt of this visit.
    JustBought,
    /// Dismissed lately.
    Dismissed,
    /// The member declared not to eat or drink such.
    NotForThem,
    /// Not of the display's category, and not bought before.
    OtherCategory,
    /// The store promotes it: this was added.
    Promoted(f64),
    /// The member declared to like it: this was added.
    Liked(f64),
    /// The member dwelt before its shelf during this visit: this was added.
    Viewed(f64),
    /// Dearer or cheaper than the member usually buys: this was taken off.
    PriceLevel(f64),
    /// Like a product already chosen: this was taken off.
    Diversity(f64),
    /// Enough of its category are on the slate.
    CategoryFull,
    /// Enough of its brand are on the slate.
    BrandFull,
    /// The rest of the slate is kept for what the member never bought.
    KeptForDiscovery,
    /// Nothing true can be said for it.
    NoReason,
    /// The caps gave way, so that the slate is not short.
    CapsGaveWay,
    /// Chosen, for this place, counted from 1.
    Chosen(usize),
    /// Chance had a part in this place, and gives it to this product with this probability.
    Drawn(f64),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Withdrawn => f.write_str("left out: withdrawn, or in no catalogue"),
            Rule::OutOfStock => f.write_str("left out: out of stock"),
            Rule::AgeRestricted => f.write_str("left out: for adults only"),
            Rule::Sensitive => f.write_str("left out: not to be named on a shared screen"),
            Rule::JustBought => f.write_str("left out: just bought"),
            Rule::Dismissed => f.write_str("left out: dismissed lately"),
            Rule::NotForThem => f.write_str("left out: the member declared not to eat or drink such"),
            Rule::OtherCategory => f.write_str("left out: of another category than the display's"),
            Rule::Promoted(weight) => write!(f, "promoted: {weight:.2} added"),
            Rule::Liked(weight) => write!(f, "the member declared to like it: {weight:.2} added"),
            Rule::Viewed(weight) => write!(f, "the member dwelt before its shelf: {weight:.2} added"),
            Rule::PriceLevel(off) => write!(f, "another price level than usual: {off:.2} taken off"),
            Rule::Diversity(off) => write!(f, "like one already chosen: {off:.2} taken off"),
            Rule::CategoryFull => f.write_str("passed over: enough of its category"),
            Rule::BrandFull => f.write_str("passed over: enough of its brand"),
            Rule::KeptForDiscovery => f.write_str("passed over: the place is kept for something new"),
            Rule::NoReason => f.write_str("left out: nothing true can be said for it"),
            Rule::CapsGaveWay => f.write_str("the caps gave way, or the slate would be short"),
            Rule::Chosen(place) => write!(f, "chosen for place {place}"),
            Rule::Drawn(propensity) => {
                write!(f, "chance had a part: it gets this place with probability {propensity:.3}")
            }
        }
    }
}

/// A rule that acted, and on which product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Acted {
    /// The product's number in the store.
    pub sku: String,
    /// The rule.
    pub rule: Rule,
}

/// A product chosen.
#[derive(Debug, Clone)]
pub struct Chosen<'a> {
    /// The product.
    pub candidate: Candidate<'a>,
    /// Why.
    pub why: Weighed,
    /// How likely the rules were to give it this place: 1 unless chance had a part in it.
    pub propensity: f64,
}

/// What came of the rules.
#[derive(Debug, Default)]
pub struct Decision<'a> {
    /// The slate, best first.
    pub chosen: Vec<Chosen<'a>>,
    /// What acted on the candidates that came near the slate, in order of acting.
    pub acted: Vec<Acted>,
}

/// Chooses at most `items` of a ranking's candidates, which are taken out of it.
pub fn choose<'a>(
    shop: &mut Shop,
    ranking: &mut Ranking<'a>,
    items: usize,
    moment: &Moment,
    settings: &PolicySettings,
) -> Decision<'a> {
    let mut decision = Decision::default();
    let mut left: Vec<Candidate<'a>> = Vec::new();
    let mut barred: Vec<(Candidate<'a>, Rule)> = Vec::new();
    for mut candidate in std::mem::take(&mut ranking.candidates) {
        if let Some(rule) = bar(&candidate, moment) {
            barred.push((candidate, rule));
        } else {
            let effects = adjustments(&candidate, moment, settings, ranking);
            candidate.score += effects.iter().flatten().map(|e| e.1).sum::<f64>();
            left.push(candidate);
        }
    }
    let mut others = Vec::new();
    if left.len() > ORDERED {
        left.select_nth_unstable_by(ORDERED, better);
        others = left.split_off(ORDERED);
    }
    left.sort_unstable_by(better);
    for candidate in left.iter().take(LOOKED_AT) {
        let effects = adjustments(candidate, moment, settings, ranking);
        decision.acted.extend(effects.into_iter().flatten().map(|e| acted(candidate, e.0)));
    }
    Places { settings, items, moment, capped: items >= 3 }.fill(
        &mut left,
        &mut others,
        &mut decision,
        shop,
        ranking,
    );
    // What was barred is told of where it would have been on the slate.
    let last = decision.chosen.iter().map(|c| c.candidate.score).fold(f64::INFINITY, f64::min);
    barred.retain(|b| b.0.score >= last || decision.chosen.len() < items);
    decision.acted.extend(barred.iter().take(LOOKED_AT).map(|(candidate, rule)| acted(candidate, *rule)));
    decision
}

fn acted(candidate: &Candidate<'_>, rule: Rule) -> Acted {
    Acted { sku: candidate.product.sku.clone(), rule }
}

/// The order of candidates: the best first.
fn better(a: &Candidate<'_>, b: &Candidate<'_>) -> std::cmp::Ordering {
    b.score.total_cmp(&a.score).then(a.product.id.cmp(&b.product.id))
}

/// The rule that keeps a product off the slate, if one does.
pub(super) fn bar(candidate: &Candidate<'_>, moment: &Moment) -> Option<Rule> {
    let product = candidate.product;
    let other = |category: &String| !candidate.own && !product.category.contains(category);
    if product.withdrawn {
        Some(Rule::Withdrawn)
    } else if product.age_restricted {
        Some(Rule::AgeRestricted)
    } else if product.sensitive {
        Some(Rule::Sensitive)
    } else if product.stock.is_some_and(|n| n <= 0) {
        Some(Rule::OutOfStock)
    } else if moment.just_bought.contains(&product.id) {
        Some(Rule::JustBought)
    } else if moment.dismissed.contains(&product.id) {
        Some(Rule::Dismissed)
    } else if moment.facts.iter().any(|fact| fact.leaves_out(&product.attributes)) {
        Some(Rule::NotForThem)
    } else if moment.category.as_ref().is_some_and(other) {
        Some(Rule::OtherCategory)
    } else {
        None
    }
}

/// What promotion, likings, views and price level do to a score.
fn adjustments(
    candidate: &Candidate<'_>,
    moment: &Moment,
    settings: &PolicySettings,
    ranking: &Ranking<'_>,
) -> [Option<(Rule, f64)>; 4] {
    let promoted = |p: &&Promotion| {
        p.from.is_none_or(|from| from <= moment.at)
            && p.until.is_none_or(|until| moment.at < until)
            && is_promoted(&p.what, candidate.product)
    };
    let weights = settings.promotions.iter().filter(promoted).map(|p| f64::from(p.weight));
    let weight = weights.reduce(f64::max);
    let dearer = if candidate.own { 0.0 } else { ranking.dearer(candidate).abs() };
    let off = f64::from(settings.price_level) * dearer;
    [
        weight.map(|weight| (Rule::Promoted(weight), weight)),
        liked(candidate.product, moment, settings).map(|(_, weight)| (Rule::Liked(weight), weight)),
        viewed(candidate.product, moment, settings).map(|(_, weight)| (Rule::Viewed(weight), weight)),
        (off > NOTHING).then_some((Rule::PriceLevel(off), -off)),
    ]
}

/// What of a product the member declared to like, and what that adds to its score.
fn liked<'m>(product: &Product, moment: &'m Moment, settings: &PolicySettings) -> Option<(&'m Fact, f64)> {
    let likes = |f: &&Fact| f.likes(&product.category, product.brand.as_deref(), &product.attributes);
    let weight = f64::from(settings.declared);
    moment.facts.iter().find(likes).map(|fact| (fact, weight)).filter(|_| weight > 0.0)
}

/// The shelf of a product that the member dwelt before, with the minutes since, and what that adds to
/// its score.
fn viewed<'m>(
    product: &Product,
    moment: &'m Moment,
    settings: &PolicySettings,
) -> Option<((&'m String, u32), f64)> {
    let weight = f64::from(settings.viewed);
    let views = moment.viewed.iter().filter(|(category, _)| product.category.contains(category));
    views.min_by_key(|v| v.1).map(|(category, ago)| ((category, *ago), weight)).filter(|_| weight > 0.0)
}

/// True reasons for a candidate, the strongest first, at most `most`: what the shop knows of it, and
/// what the rules added for the member's sake.
pub fn reasons(
    shop: &mut Shop,
    ranking: &Ranking<'_>,
    candidate: &Candidate<'_>,
    (moment, settings): (&Moment, &PolicySettings),
    most: usize,
) -> Vec<Weighed> {
    let mut all = shop.reasons(ranking, candidate, most);
    let declared = liked(candidate.product, moment, settings).map(|(fact, drop)| {
        let liked = match fact {
            Fact::Category(name) | Fact::Brand(name) => Some(name.clone()),
            _ => None,
        };
        Weighed { reason: Reason::Declared { liked }, drop }
    });
    let viewed = viewed(candidate.product, moment, settings).map(|((category, minutes_ago), drop)| Weighed {
        reason: Reason::Viewed { category: category.clone(), minutes_ago },
        drop,
    });
    for stated in [declared, viewed].into_iter().flatten() {
        let at = all.iter().position(|w| w.drop < stated.drop).unwrap_or(all.len());
        all.insert(at, stated);
    }
    all.truncate(most);
    all
}

fn is_promoted(what: &Promoted, product: &Product) -> bool {
    match what {
        Promoted::Sku(sku) => product.sku == *sku,
        Promoted::Category(category) => product.category.contains(category),
        Promoted::Brand(brand) => product.brand.as_ref() == Some(brand),
    }
}

/// The places of a slate.
struct Places<'s> {
    settings: &'s PolicySettings,
    items: usize,
    moment: &'s Moment,
    /// Whether the slate is long enough for caps and for a place for discoveries.
    capped: bool,
}

impl Places<'_> {
    fn fill<'a>(
        &self,
        left: &mut Vec<Candidate<'a>>,
        others: &mut Vec<Candidate<'a>>,
        decision: &mut Decision<'a>,
        shop: &mut Shop,
        ranking: &Ranking<'a>,
    ) {
        let mut gave_way = false;
        while decision.chosen.len() < self.items {
            let kept = decision.acted.len();
            let Some((at, off)) = self.best(left, decision, gave_way, shop) else {
                if !others.is_empty() {
                    others.sort_unstable_by(better);
                    left.append(others);
                    continue;
                }
                if gave_way || !self.capped {
                    break;
                }
                gave_way = true;
                continue;
            };
            let (at, propensity) = self.draw(left, decision, at, gave_way);
            let candidate = left.remove(at);
            let rules = (self.moment, self.settings);
            let Some(why) = reasons(shop, ranking, &candidate, rules, 1).pop() else {
                decision.acted.truncate(kept);
                decision.acted.push(acted(&candidate, Rule::NoReason));
                continue;
            };
            let mut act = |rule| decision.acted.push(acted(&candidate, rule));
            if off > NOTHING {
                act(Rule::Diversity(off));
            }
            if gave_way {
                act(Rule::CapsGaveWay);
            }
            if propensity < 1.0 {
                act(Rule::Drawn(propensity));
            }
            act(Rule::Chosen(decision.chosen.len() + 1));
            decision.chosen.push(Chosen { candidate, why, propensity });
        }
    }

    /// The cap that keeps a candidate off the next place.
    fn cap(&self, candidate: &Candidate<'_>, chosen: &[Chosen<'_>]) -> Option<Rule> {
        let on =
            |same: &dyn Fn(&Product) -> bool| chosen.iter().filter(|c| same(c.candidate.product)).count();
        let (category, brand) = (narrowest(candidate.product), &candidate.product.brand);
        let own = chosen.iter().filter(|c| c.candidate.own).count();
        if !self.capped {
            None
        } else if candidate.own && own + self.settings.discoveries >= self.items {
            Some(Rule::KeptForDiscovery)
        } else if !category.is_empty() && on(&|p| narrowest(p) == category) >= self.settings.per_category {
            Some(Rule::CategoryFull)
        } else if brand.is_some() && on(&|p| p.brand == *brand) >= self.settings.per_brand {
            Some(Rule::BrandFull)
        } else {
            None
        }
    }

    /// The candidate for the next place: best score less what likeness to those chosen takes off.
    fn best<'a>(
        &self,
        left: &[Candidate<'a>],
        decision: &mut Decision<'a>,
        gave_way: bool,
        shop: &Shop,
    ) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64, f64)> = None;
        let mut passed = Vec::new();
        let mut looked = 0;
        for (at, candidate) in left.iter().enumerate() {
            if let Some(rule) = (!gave_way).then(|| self.cap(candidate, &decision.chosen)).flatten() {
                // Told only of those that would have been next.
                if best.is_none() {
                    passed.push(acted(candidate, rule));
                }
                continue;
            }
            looked += 1;
            if looked > LOOKED_AT {
                break;
            }
            let alike = decision.chosen.iter().map(|c| shop.alike(&c.candidate, candidate));
            let off = f64::from(self.settings.diversity) * alike.fold(0.0, f64::max);
            let value = candidate.score - off;
            if best.is_none_or(|(_, most, _)| value > most) {
                best = Some((at, value, off));
            }
        }
        passed.retain(|p| !decision.acted.contains(p));
        decision.acted.extend(passed);
        best.map(|(at, _, off)| (at, off))
    }

    /// On some slates gives the last place, if it is a discovery's, to chance: to one of the next best
    /// discoveries, the better the likelier. Gives who gets the place, and how likely that was.
    fn draw(
        &self,
        left: &[Candidate<'_>],
        decision: &Decision<'_>,
        best: usize,
        gave_way: bool,
    ) -> (usize, f64) {
        let explore = f64::from(self.settings.explore);
        let last = decision.chosen.len() + 1 == self.items;
        if explore <= 0.0 || !last || !self.capped || gave_way || left[best].own {
            return (best, 1.0);
        }
        let free = |c: &Candidate<'_>| !c.own && self.cap(c, &decision.chosen).is_none();
        let among: Vec<usize> = (0..left.len()).filter(|at| free(&left[*at])).take(DRAWN_FROM).collect();
        let most = among.iter().map(|at| left[*at].score).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = among.iter().map(|at| (left[*at].score - most).exp()).collect();
        let total: f64 = weights.iter().sum();
        let chance = |at: usize| among.iter().position(|a| *a == at).map_or(0.0, |n| weights[n] / total);
        let propensity = |at: usize| explore * chance(at) + if at == best { 1.0 - explore } else { 0.0 };
        let [whether, which] = self.moment.chance;
        let mut drawn = best;
        if whether < explore {
            let mut rest = which * total;
            for (at, weight) in among.iter().zip(&weights) {
                drawn = *at;
                rest -= weight;
                if rest < 0.0 {
                    break;
                }
            }
        }
        (drawn, propensity(drawn))
    }
}
