//! What is kept of a member for the networks, advanced at each receipt. The last visit (and the last
//! purchase of each product) is held back, because the networks read how long it was until the next
//! one, or until now. A receipt costs what its own products cost, however long the history.

use super::corpus::Basket;
use super::model::Model;
use super::sequence::{BASKET_FACTS, Purchase, Seen, VisitFacts, basket_input, purchase_input};
use std::collections::BTreeMap;

/// A member's state in every network of a model.
#[derive(Debug, Clone, Default)]
pub struct MemberState {
    pub(super) seen: Seen,
    /// Basket states before the last visit, one network after the other.
    pub(super) basket: Vec<Vec<f32>>,
    /// The last visit, and the mean row of its products.
    last: Option<(VisitFacts, Vec<f32>)>,
    products: BTreeMap<u32, ProductState>,
}

/// A product of a member.
#[derive(Debug, Clone)]
struct ProductState {
    /// Rhythm states before the last purchase, one network after the other.
    rhythm: Vec<Vec<f32>>,
    last: Purchase,
}

impl MemberState {
    /// A member without visits.
    pub fn new(model: &Model) -> MemberState {
        let basket = model.networks.iter().map(|n| vec![0.0; n.basket.size()]).collect();
        MemberState { basket, ..MemberState::default() }
    }

    /// A member with these visits, oldest first.
    pub fn after(model: &Model, baskets: &[Basket]) -> MemberState {
        let mut state = MemberState::new(model);
        baskets.iter().for_each(|basket| state.advance(model, basket));
        state
    }

    /// Takes in one more visit.
    pub fn advance(&mut self, model: &Model, basket: &Basket) {
        self.basket = self.basket_states(model, basket.day);
        let (facts, purchases) = self.seen.observe(basket);
        let mut input = vec![0.0; model.table.columns + BASKET_FACTS];
        basket_input(&model.table, &basket.items, &facts, None, &mut input);
        input.truncate(model.table.columns);
        self.last = Some((facts, input));
        for (item, purchase) in purchases {
            let fresh = || model.networks.iter().map(|n| vec![0.0; n.rhythm.size()]).collect();
            let before = self.products.remove(&item);
            let rhythm = before.map_or_else(fresh, |b| b.states(model, facts.position, facts.day));
            self.products.insert(item, ProductState { rhythm, last: purchase });
        }
    }

    /// Basket states as of a visit on this day.
    pub(super) fn basket_states(&self, model: &Model, now: Option<f32>) -> Vec<Vec<f32>> {
        let mut states = self.basket.clone();
        if let Some((facts, mean)) = &self.last {
            let mut input = vec![0.0; mean.len() + BASKET_FACTS];
            basket_input(&model.table, &[], facts, now, &mut input);
            input[..mean.len()].copy_from_slice(mean);
            for (network, h) in model.networks.iter().zip(&mut states) {
                network.basket.advance(&input, h);
            }
        }
        states
    }

    /// Products bought so far, in order, with their rhythm states as of a visit on this day.
    pub(super) fn rhythms<'a>(
        &'a self,
        model: &'a Model,
        now: Option<f32>,
    ) -> impl Iterator<Item = (u32, Vec<Vec<f32>>)> + 'a {
        let visits = self.seen.visits();
        self.products.iter().map(move |(item, p)| (*item, p.states(model, visits, now)))
    }
}

impl ProductState {
    /// Rhythm states once it is known when the next purchase was, or that none was until then.
    fn states(&self, model: &Model, next_visit: u32, next_day: Option<f32>) -> Vec<Vec<f32>> {
        let input = purchase_input(&self.last, next_visit, next_day);
        let mut states = self.rhythm.clone();
        model.networks.iter().zip(&mut states).for_each(|(n, h)| n.rhythm.advance(&input, h));
        states
    }
}
