//! What is kept of a member for the networks, advanced at each receipt. The last visit (and the last
//! purchase of each product) is held back, because the networks read how long it was until the next
//! one, or until now. A receipt costs what its own products cost, however long the history; a question
//! reads the products bought, several side by side.

use super::corpus::Basket;
use super::model::Model;
use super::sequence::{
    BASKET_FACTS, PURCHASE_FACTS, Purchase, Seen, VisitFacts, basket_input, purchase_input,
};
use crate::recommend::rnn::linear::{SIDE, Side};
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
    rhythm: Vec<f32>,
    last: Purchase,
}

/// The products that a member bought, in order, with their rhythm states at a moment.
#[derive(Debug, Clone, Default)]
pub struct Rhythms {
    /// Products.
    pub items: Vec<u32>,
    /// Numbers a product: the states of one network after the other.
    width: usize,
    states: Vec<f32>,
}

impl Rhythms {
    /// The place of a product among them.
    pub fn place(&self, item: u32) -> Option<usize> {
        self.items.binary_search(&item).ok()
    }

    /// The states of the product at this place.
    pub fn at(&self, place: usize) -> &[f32] {
        &self.states[place * self.width..][..self.width]
    }
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

    /// The same, of whose products only one is followed: for asking about that one.
    pub fn after_for(model: &Model, baskets: &[Basket], item: u32) -> MemberState {
        let mut state = MemberState::new(model);
        baskets.iter().for_each(|basket| state.follow(model, basket, |i| i == item));
        state
    }

    /// Takes in one more visit.
    pub fn advance(&mut self, model: &Model, basket: &Basket) {
        self.follow(model, basket, |_| true);
    }

    fn follow(&mut self, model: &Model, basket: &Basket, followed: impl Fn(u32) -> bool) {
        self.basket = self.basket_states(model, basket.day);
        let (facts, purchases) = self.seen.observe(basket);
        let mut input = vec![0.0; model.table.columns + BASKET_FACTS];
        basket_input(&model.table, &basket.items, &facts, None, &mut input);
        input.truncate(model.table.columns);
        self.last = Some((facts, input));
        for (item, purchase) in purchases.into_iter().filter(|p| followed(p.0)) {
            let fresh = || vec![0.0; width(model)];
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
    pub(super) fn rhythms(&self, model: &Model, now: Option<f32>) -> Rhythms {
        let (visits, width) = (self.seen.visits(), width(model));
        let items: Vec<u32> = self.products.keys().copied().collect();
        let products: Vec<&ProductState> = self.products.values().collect();
        let mut states = vec![0.0; products.len() * width];
        let mut input = [[0.0; SIDE]; PURCHASE_FACTS];
        for (few, states) in products.chunks(SIDE).zip(states.chunks_mut(SIDE * width)) {
            for (side, product) in few.iter().enumerate() {
                let read = purchase_input(&product.last, visits, now);
                input.iter_mut().zip(read).for_each(|(input, x)| input[side] = x);
            }
            let mut from = 0;
            for network in &model.networks {
                let size = network.rhythm.size();
                let mut h: Vec<Side> = vec![[0.0; SIDE]; size];
                for (side, product) in few.iter().enumerate() {
                    h.iter_mut().zip(&product.rhythm[from..]).for_each(|(h, x)| h[side] = *x);
                }
                network.rhythm.advance_side(&input, &mut h);
                for (side, states) in states.chunks_exact_mut(width).enumerate() {
                    states[from..from + size].iter_mut().zip(&h).for_each(|(x, h)| *x = h[side]);
                }
                from += size;
            }
        }
        Rhythms { items, width, states }
    }
}

/// Numbers in the rhythm states of all networks.
fn width(model: &Model) -> usize {
    model.networks.iter().map(|n| n.rhythm.size()).sum()
}

impl ProductState {
    /// Rhythm states once it is known when the next purchase was, or that none was until then.
    fn states(&self, model: &Model, next_visit: u32, next_day: Option<f32>) -> Vec<f32> {
        let input = purchase_input(&self.last, next_visit, next_day);
        let mut states = self.rhythm.clone();
        let mut rest = states.as_mut_slice();
        for network in &model.networks {
            let (h, others) = rest.split_at_mut(network.rhythm.size());
            network.rhythm.advance(&input, h);
            rest = others;
        }
        states
    }
}
