//! Everything that is learned, in one run of numbers with named parts: what the optimiser steps,
//! the averager averages and the model file holds.

use super::evidence::{TERMS, WEIGHTS};
use super::facts::ITEM_FACTS;
use super::sequence::{BASKET_FACTS, CONTEXT, PURCHASE_FACTS};

/// What the repeat network is told of a product: its facts, its terms, the score so far.
pub const REPEAT_FACTS: usize = ITEM_FACTS + TERMS + 1;

/// A learned matrix (or vector, of one row). `x · W` maps a row of `rows` numbers to `columns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// What a product has going for it, whoever asks.
    ItemBias,
    /// Weights of the evidence: from the basket state and context.
    EvidenceWeights,
    /// Weights of the evidence: the part that is the same for all.
    EvidenceBias,
    /// From the basket state to a direction in the item table.
    TableHead,
    /// Basket network: from the input to reset, update and new gates.
    BasketInput,
    /// Basket network: from the state before to the same gates.
    BasketState,
    /// Basket network: biases of the gates.
    BasketBias,
    /// Basket network: bias of the state's side of the new gate.
    BasketStateBias,
    /// Rhythm network: from the input.
    RhythmInput,
    /// Rhythm network: from the state before.
    RhythmState,
    /// Rhythm network: biases of the gates.
    RhythmBias,
    /// Rhythm network: bias of the state's side of the new gate.
    RhythmStateBias,
    /// Repeat network, first layer: from the rhythm state.
    RepeatRhythm,
    /// Repeat network, first layer: from the item's facts, its terms and the score so far.
    RepeatFacts,
    /// Repeat network, first layer: from the basket state and context.
    RepeatMember,
    /// Repeat network, first layer: biases.
    RepeatBias,
    /// Repeat network, second layer.
    RepeatSecond,
    /// Repeat network, second layer: biases.
    RepeatSecondBias,
    /// Repeat network: to the score.
    RepeatOut,
    /// Repeat network: bias of the score.
    RepeatOutBias,
}

impl Part {
    /// All parts, in the order they are kept in.
    pub const ALL: [Part; 20] = [
        Part::ItemBias,
        Part::EvidenceWeights,
        Part::EvidenceBias,
        Part::TableHead,
        Part::BasketInput,
        Part::BasketState,
        Part::BasketBias,
        Part::BasketStateBias,
        Part::RhythmInput,
        Part::RhythmState,
        Part::RhythmBias,
        Part::RhythmStateBias,
        Part::RepeatRhythm,
        Part::RepeatFacts,
        Part::RepeatMember,
        Part::RepeatBias,
        Part::RepeatSecond,
        Part::RepeatSecondBias,
        Part::RepeatOut,
        Part::RepeatOutBias,
    ];

    /// Whether it belongs to a recurrent network.
    pub fn recurrent(self) -> bool {
        (Part::BasketInput as usize..=Part::RhythmStateBias as usize).contains(&(self as usize))
    }

    /// Its name in the model file.
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }
}

/// Sizes of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Products.
    pub items: usize,
    /// Columns of the item table.
    pub table: usize,
    /// Size of the basket state.
    pub basket: usize,
    /// Size of the rhythm state.
    pub rhythm: usize,
    /// Sizes of the repeat network's two layers.
    pub repeat: [usize; 2],
}

impl Shape {
    /// Numbers that describe a member: basket state, then context.
    pub fn member(&self) -> usize {
        self.basket + CONTEXT
    }

    /// Numbers in all parts together; `None` if they cannot be counted.
    pub fn count(&self) -> Option<usize> {
        Part::ALL.into_iter().try_fold(0usize, |sum, part| {
            let (rows, columns) = self.of(part);
            sum.checked_add(rows.checked_mul(columns)?)
        })
    }

    /// Rows and columns of a part.
    pub fn of(&self, part: Part) -> (usize, usize) {
        let [first, second] = self.repeat;
        match part {
            Part::ItemBias => (1, self.items),
            Part::EvidenceWeights => (self.member(), WEIGHTS),
            Part::EvidenceBias => (1, WEIGHTS),
            Part::TableHead => (self.basket, self.table),
            Part::BasketInput => (self.table + BASKET_FACTS, 3 * self.basket),
            Part::BasketState => (self.basket, 3 * self.basket),
            Part::BasketBias => (1, 3 * self.basket),
            Part::BasketStateBias => (1, self.basket),
            Part::RhythmInput => (PURCHASE_FACTS, 3 * self.rhythm),
            Part::RhythmState => (self.rhythm, 3 * self.rhythm),
            Part::RhythmBias => (1, 3 * self.rhythm),
            Part::RhythmStateBias => (1, self.rhythm),
            Part::RepeatRhythm => (self.rhythm, first),
            Part::RepeatFacts => (REPEAT_FACTS, first),
            Part::RepeatMember => (self.member(), first),
            Part::RepeatBias => (1, first),
            Part::RepeatSecond => (first, second),
            Part::RepeatSecondBias => (1, second),
            Part::RepeatOut => (second, 1),
            Part::RepeatOutBias => (1, 1),
        }
    }
}

/// Numbers for every part: weights, their gradient, or what an optimiser keeps of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Sizes.
    pub shape: Shape,
    /// Part after part, each row by row.
    pub values: Vec<f32>,
    starts: [usize; 21],
}

impl Weights {
    /// All zero.
    pub fn zeros(shape: Shape) -> Weights {
        let mut starts = [0; 21];
        for (at, part) in Part::ALL.into_iter().enumerate() {
            let (rows, columns) = shape.of(part);
            starts[at + 1] = starts[at] + rows * columns;
        }
        Weights { shape, values: vec![0.0; starts[20]], starts }
    }

    /// Where a part lies.
    pub fn range(&self, part: Part) -> std::ops::Range<usize> {
        self.starts[part as usize]..self.starts[part as usize + 1]
    }

    /// A part's numbers, row by row.
    pub fn of(&self, part: Part) -> &[f32] {
        &self.values[self.range(part)]
    }

    /// A part's numbers, to be changed.
    pub fn of_mut(&mut self, part: Part) -> &mut [f32] {
        let range = self.range(part);
        &mut self.values[range]
    }
}
