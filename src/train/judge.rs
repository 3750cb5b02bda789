//! A model beside the published methods on one fold: trained on what the protocol allows, asked
//! through the very state and scores that the shop would serve from, as f32 and as bytes.

use super::fit::{Progress, fit};
use super::metrics::{Figures, best, figures};
use super::peers;
use super::protocol::Fold;
use super::recipe::Recipe;
use super::without::Without;
use crate::recommend::ranker::corpus::Visit;
use crate::recommend::ranker::evidence::Evidence;
use crate::recommend::ranker::model::{Learned, Model};
use crate::recommend::ranker::state::MemberState;
use crate::recommend::rnn::linear::Precision;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// A method's figures on lists of 10 and of 20.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is called.
    pub method: String,
    /// On lists of 10.
    pub ten: Figures,
    /// On lists of 20.
    pub twenty: Figures,
}

/// The figures of ranked lists for these users.
pub(super) fn row(
    fold: &Fold,
    seen: &[HashSet<u32>],
    users: &[u32],
    method: &str,
    lists: &[Vec<u32>],
) -> Row {
    let at = |k| {
        let user = |(user, list): (&u32, &Vec<u32>)| (*user as usize, list.clone());
        let users: Vec<(usize, Vec<u32>)> = users.iter().zip(lists).map(user).collect();
        figures(
            users.iter().map(|(u, list)| (list.as_slice(), fold.future[*u].items.as_slice(), &seen[*u])),
            k,
        )
    };
    Row { method: method.to_owned(), ten: at(10), twenty: at(20) }
}

/// What each user bought before.
pub(super) fn seen(fold: &Fold) -> Vec<HashSet<u32>> {
    let items = |h: &Vec<crate::recommend::ranker::corpus::Basket>| {
        h.iter().flat_map(|b| b.items.iter().copied()).collect()
    };
    fold.corpus.histories.iter().map(items).collect()
}

/// The published methods on the fold's test users.
pub fn peers(fold: &Fold) -> Vec<Row> {
    let seen = seen(fold);
    peers::ranked(fold).iter().map(|(name, lists)| row(fold, &seen, &fold.test, name, lists)).collect()
}

/// Trains on the fold by the recipe for its size.
pub fn train(
    fold: &Fold,
    seed: u64,
    without: Without,
    progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Option<Learned> {
    let dataset = fold.dataset();
    let recipe = Recipe::for_members(dataset.targets.len());
    fit(&dataset, &recipe, seed, without, None, progress)
}

/// The model's figures on these users of the fold, once for each of the models given: a name, what
/// was learned and what to compute with.
pub fn ours(fold: &Fold, users: &[u32], models: &[(&str, &Learned, Precision)]) -> Vec<Row> {
    let seen = seen(fold);
    let lists = lists(fold, users, models);
    models.iter().zip(&lists).map(|((name, ..), lists)| row(fold, &seen, users, name, lists)).collect()
}

/// The ranked lists behind those figures: for each model one for each user.
pub fn lists(fold: &Fold, users: &[u32], models: &[(&str, &Learned, Precision)]) -> Vec<Vec<Vec<u32>>> {
    let evidence = Evidence::new(&fold.dataset().known());
    let models: Vec<Model> = models.iter().map(|(_, learned, p)| Model::new(learned, *p)).collect();
    let mut lists = vec![Vec::with_capacity(users.len()); models.len()];
    let mut scratch = evidence.scratch();
    for member in users {
        let baskets = &fold.corpus.histories[*member as usize];
        // Only the day of the basket to predict is known: it is today.
        let day = fold.future[*member as usize].day;
        let terms = evidence.of(&Visit { member: Some(*member), baskets, day }, &mut scratch);
        for (model, lists) in models.iter().zip(&mut lists) {
            let state = MemberState::after(model, baskets);
            let facts = |item| evidence.facts.about(item, &scratch.facts);
            lists.push(best(&model.score(&state, day, &terms, facts).total));
        }
    }
    lists
}
