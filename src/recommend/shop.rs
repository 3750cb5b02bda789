//! What suggestions are drawn from: all members' receipts as evidence, the model, and each member's
//! state in it. Pure; owned by whoever decides.
//!
//! What always holds: a receipt changes only what is about its member and its products, and the state
//! of a member goes on from where it was, so a question costs the same however long the shop has been
//! open. Without a trained model the evidence speaks alone, with fixed weights.

use super::catalogue::{Catalogue, Popularity, day_part};
use super::ranker::corpus::Basket;
use super::ranker::digest::Digest;
use super::ranker::evidence::{Evidence, Scratch, TERMS, Terms};
use super::ranker::facts::ITEM_FACTS;
use super::ranker::model::{Learned, Model, Scores};
use super::ranker::numbering::{self, Numbering};
use super::ranker::state::MemberState;
use super::rnn::linear::Precision;
use super::{Moment, Product};
use crate::history::History;
use crate::id::{MemberId, ProductId};
use std::collections::{BTreeMap, HashMap};

/// Weights of the evidence where no model was trained yet: a member's own habits before what others
/// buy, and what is due before what is not.
pub const UNTRAINED: [f32; TERMS] = [0.3, 0.2, 0.3, 0.5, 0.5, 1.0, 0.4];
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
    digests: Vec<Digest>,
    states: HashMap<u32, MemberState>,
    evidence: Evidence,
    scratch: Scratch,
    trained: Option<Trained>,
    model: Model,
    seasons: HashMap<ProductId, f32>,
}

/// A product that may be suggested, with its score.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// The product.
    pub product: &'a Product,
    /// Its number in the shop.
    pub(super) number: Option<u32>,
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
    pub(super) facts: BTreeMap<u32, [f32; ITEM_FACTS]>,
    popular: f32,
    usual_price: Option<f64>,
}

impl Ranking<'_> {
    /// Logarithm of what a candidate costs beyond what the member usually pays, both in terms of what
    /// is usual in the category; 0 where that cannot be said.
    pub fn dearer(&self, candidate: &Candidate<'_>) -> f64 {
        self.usual_price.map_or(0.0, |usual| self.catalogue.price_level(candidate.product.id).ln() - usual)
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
        let histories = corpus.histories;
        let states = HashMap::new();
        Shop { numbering, histories, digests, states, evidence, scratch, trained, model, seasons }
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

    /// Takes in all that a member bought, in place of what was known.
    pub fn learn(&mut self, member: MemberId, history: &History) {
        let before = self.numbering.products().len();
        history.products().for_each(|id| _ = self.numbering.number_product(id));
        if self.numbering.products().len() > before {
            // Nothing describes them yet; until something does they are evidence, not suggestions.
            self.evidence.reach(self.numbering.products().len(), &mut self.scratch);
            self.model = lay_out(self.trained.as_ref(), &self.numbering);
        }
        let number = self.numbering.number_member(member);
        let at = number as usize;
        if at >= self.histories.len() {
            self.histories.resize_with(at + 1, Vec::new);
            self.digests.resize_with(at + 1, Digest::default);
        }
        let baskets = self.numbering.baskets(history);
        self.digests[at] = self.evidence.learn(number, &self.digests[at], &baskets, &mut self.scratch);
        match baskets.strip_prefix(self.histories[at].as_slice()) {
            Some(new) => {
                if let Some(state) = self.states.get_mut(&number) {
                    new.iter().for_each(|basket| state.advance(&self.model, basket));
                }
            }
            None => _ = self.states.remove(&number),
        }
        self.histories[at] = baskets;
    }

    /// Forgets a member: nothing that any score is made from holds their purchases afterwards.
    pub fn forget(&mut self, member: MemberId) {
        if self.numbering.member(member).is_some() {
            self.learn(member, &History::default());
        }
    }

    /// Reads a member's receipts into the model now, so that the first question need not.
    pub fn prepare(&mut self, member: MemberId) {
        if let Some(number) = self.numbering.member(member) {
            self.state(number);
        }
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
            facts: BTreeMap::new(),
            popular: if number.is_some_and(|n| self.digests[n as usize].baskets > 0) {
                POPULAR
            } else {
                ONLY_POPULAR
            },
            usual_price: number.and_then(|n| self.usual_price(n, catalogue)),
        };
        if let Some(number) = number {
            self.state(number);
            let digest = &self.digests[number as usize];
            if digest.baskets > 0 {
                ranking.terms = self.evidence.about(Some(number), digest, Some(day), &mut self.scratch);
            }
            let about = |item: u32| self.evidence.facts.about(item, &self.scratch.facts);
            ranking.facts = digest.products.iter().map(|p| (p.item, about(p.item))).collect();
            let facts = |item| ranking.facts.get(&item).copied().unwrap_or_default();
            let scores = self.model.score(&self.states[&number], Some(day), &ranking.terms, facts);
            ranking.scores = Some(scores);
        } else if member.is_some() {
            // A member without receipts: what the model gives everybody.
            let state = MemberState::new(&self.model);
            ranking.scores = Some(self.model.score(&state, Some(day), &ranking.terms, |_| [0.0; ITEM_FACTS]));
        }
        for (product, popularity) in catalogue.iter() {
            let item = self.numbering.product(product.id);
            let learned = match (&ranking.scores, item) {
                (Some(scores), Some(item)) => scores.total[item as usize],
                _ => 0.0,
            };
            let own = number.zip(item).is_some_and(|(n, i)| self.digests[n as usize].of(i).is_some());
            let score = learned + self.common(product.id, &popularity, &ranking).sum();
            ranking.candidates.push(Candidate { product, number: item, score: f64::from(score), own });
        }
        ranking
    }

    /// Mean logarithm of the price levels of what a member bought.
    fn usual_price(&self, number: u32, catalogue: &Catalogue) -> Option<f64> {
        let products = &self.digests[number as usize].products;
        let ids = products.iter().map(|b| self.numbering.products()[b.item as usize]);
        let levels: f64 = ids.map(|id| catalogue.price_level(id).ln()).sum();
        (!products.is_empty()).then(|| levels / products.len() as f64)
    }

    /// The part of a product's score that is the same for everybody and not learned.
    pub(super) fn common(&self, id: ProductId, popularity: &Popularity, ranking: &Ranking<'_>) -> Common {
        Common {
            popular: ranking.popular * (popularity.in_store as f32 / UNPOPULAR).ln_1p(),
            hour: popularity.by_part[ranking.part],
            season: self.seasons.get(&id).copied().unwrap_or(0.0),
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
        let before = ranking.scores.as_ref()?.total[item as usize];
        let known = &self.histories[number as usize];
        if known.len() > MOST_REREAD {
            return None;
        }
        let keep = |item: &u32| !gone(self.numbering.products()[*item as usize]);
        let basket =
            |b: &Basket| Basket { items: b.items.iter().copied().filter(keep).collect(), day: b.day };
        let mut baskets: Vec<Basket> = known.iter().map(basket).collect();
        baskets.retain(|b| !b.items.is_empty());
        let digest = self.scratch.digest(&baskets);
        let mut terms = Terms::default();
        if digest.baskets > 0 {
            terms = self.evidence.about(Some(number), &digest, Some(ranking.day), &mut self.scratch);
        }
        let facts = |item| self.evidence.facts.about(item, &self.scratch.facts);
        let state = MemberState::after(&self.model, &baskets);
        let after = self.model.score(&state, Some(ranking.day), &terms, facts).total[item as usize];
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

fn lay_out(trained: Option<&Trained>, numbering: &Numbering) -> Model {
    let products = numbering.products();
    match trained {
        Some(t) => Model::new(&t.learned.renumbered(&t.products, products), Precision::fastest()),
        None => Model::new(&Learned::untrained(products.len(), UNTRAINED), Precision::Float),
    }
}
