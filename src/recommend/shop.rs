//! What suggestions are drawn from: all members' receipts as evidence, the model, and each member's
//! state in it. Pure; owned by whoever decides.
//!
//! What always holds: a receipt changes only what is about its member and its products, and the state
//! of a member goes on from where it was, so a question costs the same however long the shop has been
//! open. Without a trained model the evidence speaks alone, with fixed weights.

use super::catalogue::{Catalogue, Popularity, day_part};
use super::ranker::corpus::Basket;
use super::ranker::digest::{Bought, Digest};
use super::ranker::evidence::{Around, Evidence, Scratch, TERMS, Terms};
use super::ranker::facts::ITEM_FACTS;
use super::ranker::model::{Learned, Model, Scores};
use super::ranker::numbering::{self, Numbering};
use super::ranker::state::MemberState;
use super::rnn::linear::Precision;
use super::{Moment, Product};
use crate::history::{self, History};
use crate::id::{MemberId, ProductId};
use jiff::Timestamp;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

/// Weights of the evidence where no model was trained yet: a member's own habits before what others
/// buy, and what is due before what is not.
pub const UNTRAINED: [f32; TERMS] = [0.3, 0.2, 0.3, 0.5, 0.5, 1.0, 0.4, 0.2];
/// Weight of how popular a product is just now, for a member whose receipts say more, and for anybody
/// else: then it is all there is, and with the hour and the season the odds of a purchase.
const POPULAR: f32 = 0.15;
const ONLY_POPULAR: f32 = 1.0;
/// Baskets of a member that are read again to see whether a reason holds, at most.
const MOST_REREAD: usize = 500;
/// What counts as next to no popularity.
const UNPOPULAR: f32 = 0.02;

/// A trained model with the products that it was trained on, in order of id.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Its name on the shelf.
    pub id: String,
    /// What was learned.
    pub learned: Learned,
    /// Its products.
    pub products: Vec<ProductId>,
}

/// Everything that suggestions are drawn from.
pub struct Shop {
    numbering: Numbering,
    histories: Vec<Vec<Basket>>,
    /// When each member bought last.
    last: Vec<Option<Timestamp>>,
    digests: Vec<Digest>,
    states: HashMap<u32, MemberState>,
    evidence: Evidence,
    scratch: Scratch,
    trained: Option<Trained>,
    model: Model,
    /// By product: how much more it is bought at this time of the year.
    seasons: Vec<f32>,
    /// Who is near members that were asked about, and as of which change.
    kept: HashMap<u32, (Around, u64)>,
    /// Receipts learned so far.
    changes: u64,
}

/// A product that may be suggested, with its score.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// The product.
    pub product: &'a Product,
    /// Its number in the shop.
    pub(super) number: Option<u32>,
    /// Logarithm of how many times the usual price of its category it costs.
    price: f64,
    /// What it gets, before the rules.
    pub score: f64,
    /// Whether the member bought it before.
    pub own: bool,
}

/// All products' scores for one member (or for anybody) at one moment.
pub struct Ranking<'a> {
    /// Every product of the catalogue, in order of id.
    pub candidates: Vec<Candidate<'a>>,
    pub(super) catalogue: &'a Catalogue,
    pub(super) member: Option<u32>,
    pub(super) day: f32,
    pub(super) part: usize,
    pub(super) terms: Terms,
    pub(super) scores: Option<Scores>,
    pub(super) around: Around,
    /// Whether all receipts learned so far count in who is near.
    fresh: bool,
    /// Of the products that the member bought, in order.
    facts: Vec<[f32; ITEM_FACTS]>,
    popular: f32,
    usual_price: Option<f64>,
    pub(super) chosen: OnceCell<Chosen<'a>>,
}

/// Which products the member bought of each category and brand, in order of number.
#[derive(Debug, Default)]
pub(super) struct Chosen<'a> {
    pub categories: HashMap<&'a str, Vec<u32>>,
    pub brands: HashMap<&'a str, Vec<u32>>,
    /// Purchases of all.
    pub all: f32,
}

impl Ranking<'_> {
    /// Logarithm of what a candidate costs beyond what the member usually pays, both in terms of what
    /// is usual in the category; 0 where that cannot be said.
    pub fn dearer(&self, candidate: &Candidate<'_>) -> f64 {
        self.usual_price.map_or(0.0, |usual| candidate.price - usual)
    }
}

impl Shop {
    /// Reads all members' histories; takes seconds for a large store.
    pub fn new(
        products: &[Product],
        histories: &BTreeMap<MemberId, History>,
        seasons: HashMap<ProductId, f32>,
        trained: Option<Trained>,
    ) -> Shop {
        let numbering = Numbering::new(products.iter().map(|p| p.id), histories.iter().map(|(m, h)| (*m, h)));
        let corpus = numbering.corpus(histories, products);
        let evidence = Evidence::new(&corpus);
        let mut scratch = evidence.scratch();
        let digests = corpus.histories.iter().map(|h| scratch.digest(h)).collect();
        let model = lay_out(trained.as_ref(), &numbering);
        let last = numbering.members().iter().map(|m| histories.get(m).and_then(last_of)).collect();
        let histories = corpus.histories;
        let states = HashMap::new();
        let season = |id: &ProductId| seasons.get(id).copied().unwrap_or(0.0);
        let seasons = numbering.products().iter().map(season).collect();
        let (kept, changes) = (HashMap::new(), 0);
        Shop {
            numbering,
            histories,
            last,
            digests,
            states,
            evidence,
            scratch,
            trained,
            model,
            seasons,
            kept,
            changes,
        }
    }

    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// The name of the trained model at work; `None` while the evidence speaks alone.
    pub fn trained(&self) -> Option<&str> {
        self.trained.as_ref().map(|t| t.id.as_str())
    }

    /// Members whose receipts are known.
    pub fn members(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.numbering.members().iter().copied()
    }

    /// Takes in products as they are described now.
    pub fn describe<'p>(&mut self, products: impl IntoIterator<Item = &'p Product>) {
        let before = self.numbering.products().len();
        let products: Vec<&Product> = products.into_iter().collect();
        products.iter().for_each(|p| _ = self.numbering.number_product(p.id));
        self.evidence.describe(self.numbering.features(products), &mut self.scratch);
        if self.numbering.products().len() > before {
            self.model = lay_out(self.trained.as_ref(), &self.numbering);
        }
    }

    /// How many receipts of a member are known, and when the last of them was.
    pub fn known(&self, member: MemberId) -> (usize, Option<Timestamp>) {
        let number = self.numbering.member(member).map(|n| n as usize);
        number.map_or((0, None), |n| (self.histories[n].len(), self.last[n]))
    }

    /// Takes in all that a member bought, in place of what was known.
    pub fn learn(&mut self, member: MemberId, history: &History) {
        self.number(history);
        let baskets = self.numbering.baskets(history);
        self.replace(member, baskets, last_of(history));
    }

    /// Takes in what a member bought after all that was known.
    pub fn learn_more(&mut self, member: MemberId, more: Vec<history::Basket>) {
        let more = History::new(more);
        let Some(last) = last_of(&more) else { return };
        self.number(&more);
        let number = self.numbering.member(member).map(|n| n as usize);
        let mut baskets = number.map(|n| self.histories[n].clone()).unwrap_or_default();
        baskets.extend(self.numbering.baskets(&more));
        self.replace(member, baskets, Some(last));
    }

    /// Numbers what was bought.
    fn number(&mut self, history: &History) {
        let before = self.numbering.products().len();
        history.products().for_each(|id| _ = self.numbering.number_product(id));
        if self.numbering.products().len() > before {
            // Nothing describes them yet; until something does they are evidence, not suggestions.
            self.evidence.reach(self.numbering.products().len(), &mut self.scratch);
            self.model = lay_out(self.trained.as_ref(), &self.numbering);
        }
    }

    fn replace(&mut self, member: MemberId, baskets: Vec<Basket>, last: Option<Timestamp>) {
        let number = self.numbering.number_member(member);
        let at = number as usize;
        if at >= self.histories.len() {
            self.histories.resize_with(at + 1, Vec::new);
            self.digests.resize_with(at + 1, Digest::default);
            self.last.resize(at + 1, None);
        }
        self.last[at] = last;
        self.digests[at] = self.evidence.learn(number, &self.digests[at], &baskets, &mut self.scratch);
        self.changes += 1;
        self.kept.remove(&number);
        match baskets.strip_prefix(self.histories[at].as_slice()) {
            Some(new) => {
                if let Some(state) = self.states.get_mut(&number) {
                    new.iter().for_each(|basket| state.advance(&self.model, basket));
                }
            }
            None => _ = self.states.remove(&number),
        }
        self.histories[at] = baskets;
        if self.states.contains_key(&number) {
            self.settle(number);
        }
    }

    /// Forgets a member: nothing that any score is made from holds their purchases afterwards.
    pub fn forget(&mut self, member: MemberId) {
        if self.numbering.member(member).is_some() {
            self.learn(member, &History::default());
            // Nobody is near them any more.
            self.kept.clear();
        }
    }

    /// Reads a member's receipts into the model now, so that the first question need not.
    pub fn prepare(&mut self, member: MemberId) {
        if let Some(number) = self.numbering.member(member) {
            self.state(number);
            self.settle(number);
        }
    }

    /// Finds out who is near a member, if that is not known.
    fn settle(&mut self, number: u32) {
        let digest = &self.digests[number as usize];
        self.kept
            .entry(number)
            .or_insert_with(|| (self.evidence.around(Some(number), digest, &mut self.scratch), self.changes));
    }

    fn state(&mut self, number: u32) -> &MemberState {
        let (model, histories) = (&self.model, &self.histories);
        self.states.entry(number).or_insert_with(|| MemberState::after(model, &histories[number as usize]))
    }

    /// Scores every product of the catalogue for a member, or for anybody.
    pub fn rank<'a>(
        &mut self,
        member: Option<MemberId>,
        catalogue: &'a Catalogue,
        moment: &Moment,
    ) -> Ranking<'a> {
        let (day, part) = (numbering::day(moment.at), day_part(moment.hour));
        let number = member.and_then(|m| self.numbering.member(m));
        let mut ranking = Ranking {
            candidates: Vec::with_capacity(catalogue.len()),
            catalogue,
            member: number,
            day,
            part,
            terms: Terms::default(),
            scores: None,
            around: Around::default(),
            fresh: true,
            facts: Vec::new(),
            chosen: OnceCell::new(),
            popular: if number.is_some_and(|n| self.digests[n as usize].baskets > 0) {
                POPULAR
            } else {
                ONLY_POPULAR
            },
            usual_price: None,
        };
        let mut own = vec![false; self.numbering.products().len()];
        if let Some(number) = number {
            self.state(number);
            self.settle(number);
            let digest = &self.digests[number as usize];
            if let Some((around, as_of)) = self.kept.get(&number) {
                (ranking.around, ranking.fresh) = (around.clone(), *as_of == self.changes);
            }
            if digest.baskets > 0 {
                let (around, scratch) = (&ranking.around, &mut self.scratch);
                ranking.terms = self.evidence.about_among(Some(number), digest, around, Some(day), scratch);
            }
            digest.products.iter().for_each(|bought| own[bought.item as usize] = true);
            let about = |bought: &Bought| self.evidence.facts.about(bought.item, &self.scratch.facts);
            ranking.facts = digest.products.iter().map(about).collect();
            let facts = |item| digest.place(item).map(|at| ranking.facts[at]).unwrap_or_default();
            let scores = self.model.score(&self.states[&number], Some(day), &ranking.terms, facts);
            ranking.scores = Some(scores);
        } else if member.is_some() {
            // A member without receipts: what the model gives everybody.
            let state = MemberState::new(&self.model);
            ranking.scores = Some(self.model.score(&state, Some(day), &ranking.terms, |_| [0.0; ITEM_FACTS]));
        }
        let mut walk = self.numbering.walk();
        let mut prices = 0.0;
        for listed in catalogue.listed() {
            let (product, price) = (&listed.product, listed.log_price_level);
            let item = walk(product.id);
            let learned = match (&ranking.scores, item) {
                (Some(scores), Some(item)) => scores.total[item as usize],
                _ => 0.0,
            };
            let own = item.is_some_and(|item| own[item as usize]);
            prices += if own { price } else { 0.0 };
            let score = f64::from(learned + self.common(item, &listed.popularity, &ranking).sum());
            ranking.candidates.push(Candidate { product, number: item, price, score, own });
        }
        // The mean over what the member bought; what is in no catalogue counts as the usual price.
        let bought = number.map_or(0, |n| self.digests[n as usize].products.len());
        ranking.usual_price = (bought > 0).then(|| prices / bought as f64);
        ranking
    }

    /// What is known of a product that the member bought from all others; zeros for any other.
    pub(super) fn facts_of(&self, ranking: &Ranking<'_>, item: u32) -> [f32; ITEM_FACTS] {
        let place = ranking.member.and_then(|number| self.digests[number as usize].place(item));
        place.map(|at| ranking.facts[at]).unwrap_or_default()
    }

    /// The part of a product's score that is the same for everybody and not learned.
    pub(super) fn common(&self, item: Option<u32>, popularity: &Popularity, ranking: &Ranking<'_>) -> Common {
        Common {
            popular: ranking.popular * (popularity.in_store as f32 / UNPOPULAR).ln_1p(),
            hour: popularity.by_part[ranking.part],
            season: item.and_then(|item| self.seasons.get(item as usize).copied()).unwrap_or(0.0),
        }
    }

    /// What a product's score would lose if the member had never bought what is `gone`, everything read
    /// again without it; `None` for a member with too many baskets to do that between two frames.
    pub(super) fn drop_without(
        &mut self,
        ranking: &Ranking<'_>,
        candidate: &Candidate<'_>,
        gone: &dyn Fn(ProductId) -> bool,
    ) -> Option<f64> {
        let (number, item) = (ranking.member?, candidate.number?);
        let known = &self.histories[number as usize];
        if known.len() > MOST_REREAD {
            return None;
        }
        let day = Some(ranking.day);
        let mut before = ranking.scores.as_ref()?.total[item as usize];
        if !ranking.fresh {
            // Others bought something since it was settled who is near: like is compared with like.
            let digest = &self.digests[number as usize];
            let terms = self.evidence.about(Some(number), digest, day, &mut self.scratch).values_of(item);
            let facts = self.evidence.facts.about(item, &self.scratch.facts);
            before = self.model.score_one(&self.states[&number], day, item, (terms, facts));
        }
        let mut kept = vec![true; self.numbering.products().len()];
        for bought in &self.digests[number as usize].products {
            kept[bought.item as usize] = !gone(self.numbering.products()[bought.item as usize]);
        }
        let keep = |item: &u32| kept[*item as usize];
        let basket =
            |b: &Basket| Basket { items: b.items.iter().copied().filter(keep).collect(), day: b.day };
        let mut baskets: Vec<Basket> = known.iter().map(basket).collect();
        baskets.retain(|b| !b.items.is_empty());
        let digest = self.scratch.digest(&baskets);
        let mut terms = Terms::default();
        if digest.baskets > 0 {
            terms = self.evidence.about(Some(number), &digest, day, &mut self.scratch);
        }
        let facts = self.evidence.facts.about(item, &self.scratch.facts);
        let state = MemberState::after_for(&self.model, &baskets, item);
        let after = self.model.score_one(&state, day, item, (terms.values_of(item), facts));
        Some(f64::from(before - after))
    }

    pub(super) fn parts(&mut self) -> (&Numbering, &[Digest], &Evidence, &Model, &mut Scratch) {
        (&self.numbering, &self.digests, &self.evidence, &self.model, &mut self.scratch)
    }

    /// How alike two candidates are by their description, 0..1.
    pub fn alike(&self, a: &Candidate<'_>, b: &Candidate<'_>) -> f64 {
        match (a.number, b.number) {
            (Some(a), Some(b)) => f64::from(self.evidence.content.alike(a, b)),
            _ => 0.0,
        }
    }
}

/// What is added to a score whoever asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Common {
    /// How popular the product is these weeks.
    pub popular: f32,
    /// How much more it is bought at this time of the day.
    pub hour: f32,
    /// How much more it is bought at this time of the year.
    pub season: f32,
}

impl Common {
    /// All of it.
    pub fn sum(&self) -> f32 {
        self.popular + self.hour + self.season
    }
}

fn last_of(history: &History) -> Option<Timestamp> {
    history.baskets.last().map(|b| b.at)
}

fn lay_out(trained: Option<&Trained>, numbering: &Numbering) -> Model {
    let products = numbering.products();
    match trained {
        Some(t) => Model::new(&t.learned.renumbered(&t.products, products), Precision::fastest()),
        None => Model::new(&Learned::untrained(products.len(), UNTRAINED), Precision::Float),
    }
}
