//! The card beside a model file: what it was trained on, how, and how good it was. The hash ties it
//! to its file.

use super::Dataset;
use super::judge::Row;
use super::recipe::Recipe;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is to be known of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// BLAKE3 of the model file, in hexadecimal; empty until it is put on a shelf.
    pub blake3: String,
    /// When it was trained.
    pub trained: Timestamp,
    /// The first moment whose receipts it has not learned from.
    pub learned_until: Timestamp,
    /// Seed of everything drawn by chance.
    pub seed: u64,
    /// Members with receipts.
    pub members: usize,
    /// Members that it learned from.
    pub learned_from: usize,
    /// Receipts.
    pub receipts: usize,
    /// Products.
    pub products: usize,
    /// The recipe, as its fields.
    pub recipe: String,
    /// Figures on members that it did not learn from, if there were any.
    pub figures: Vec<CardFigures>,
}

/// A method's figures on lists of 10.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardFigures {
    /// What it is called.
    pub method: String,
    /// Recall.
    pub recall: f64,
    /// NDCG.
    pub ndcg: f64,
    /// Share of members with any hit.
    pub phr: f64,
}

impl CardFigures {
    /// A method's figures, without each member's.
    pub fn of(row: &Row) -> Self {
        let Row { method, ten, .. } = row;
        Self { method: method.clone(), recall: ten.recall, ndcg: ten.ndcg, phr: ten.phr }
    }
}

impl Card {
    /// The card of a model that is in no file yet.
    pub fn new(
        dataset: &Dataset,
        recipe: &Recipe,
        seed: u64,
        [trained, learned_until]: [Timestamp; 2],
        rows: &[Row],
    ) -> Card {
        let histories = &dataset.corpus.histories;
        Card {
            blake3: String::new(),
            trained,
            learned_until,
            seed,
            members: histories.iter().filter(|h| !h.is_empty()).count(),
            learned_from: dataset.targets.len(),
            receipts: histories.iter().map(Vec::len).sum::<usize>() + dataset.targets.len(),
            products: dataset.corpus.items,
            recipe: format!("{recipe:?}"),
            figures: rows.iter().map(CardFigures::of).collect(),
        }
    }

    /// The same card, tied to its file.
    pub fn of(self, file: &[u8]) -> Card {
        Card { blake3: blake3::hash(file).to_hex().to_string(), ..self }
    }

    /// As TOML.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }

    /// From TOML.
    pub fn from_toml(text: &str) -> Result<Card, toml::de::Error> {
        toml::from_str(text)
    }

    /// Whether this is the card of that file.
    pub fn belongs_to(&self, file: &[u8]) -> bool {
        self.blake3 == blake3::hash(file).to_hex().as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::Figures;

    #[test]
    fn a_card_reads_as_it_was_written_and_knows_its_file() {
        let row = Row {
            method: "shopguide".to_owned(),
            ten: Figures { recall: 0.25, ndcg: 0.5, phr: 0.75, ..Figures::default() },
            ..Row::default()
        };
        let dataset = super::super::gradient_test::small_store();
        let recipe = Recipe::for_members(10);
        let card = Card::new(&dataset, &recipe, 7, [Timestamp::UNIX_EPOCH; 2], &[row]).of(b"file");
        assert_eq!(Card::from_toml(&card.to_toml().unwrap()).unwrap(), card);
        assert!(card.belongs_to(b"file") && !card.belongs_to(b"another"));
        assert_eq!((card.members, card.figures[0].ndcg), (12, 0.5));
    }
}
