//! A model beside the published methods on one fold: trained on what the protocol allows, asked
//! through the very state and scores that the shop would serve from, as f32 and as bytes.

use super::fit::{Progress, fit};
use super::metrics::{Figures, Outcome, best, outcome};
use super::network::Pass;
use super::peers;
use super::protocol::Fold;
use super::query::Query;
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
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// What it is called.
    pub method: String,
    /// On lists of 10.
    pub ten: Figures,
    /// On lists of 20.
    pub twenty: Figures,
    /// Share of all products that are on anybody's list of 10.
    pub coverage: f64,
    /// How little known the products on lists of 10 are: the mean of −log2 of the share of members
    /// who ever bought them (Vargas and Castells, 2011).
    pub novelty: f64,
    /// Each user's outcome on lists of 10 and of 20.
    pub users: Vec<[Outcome; 2]>,
}

impl Row {
    /// The same method's rows of several folds as one: over all their users; coverage and novelty
    /// are means over the folds. `None` of none.
    pub fn pooled(rows: Vec<Row>) -> Option<Row> {
        let share = 1.0 / rows.len() as f64;
        let mean = |value: fn(&Row) -> f64| rows.iter().map(value).sum::<f64>() * share;
        let mut row = Row {
            method: rows.first()?.method.clone(),
            coverage: mean(|r| r.coverage),
            novelty: mean(|r| r.novelty),
            ..Row::default()
        };
        row.users = rows.into_iter().flat_map(|r| r.users).collect();
        row.sum_up();
        Some(row)
    }

    /// The users' outcomes on lists of 10.
    pub fn at_ten(&self) -> Vec<Outcome> {
        self.users.iter().map(|u| u[0]).collect()
    }

    fn sum_up(&mut self) {
        let at = |place: usize| Figures::of(&self.users.iter().map(|u| u[place]).collect::<Vec<_>>());
        (self.ten, self.twenty) = (at(0), at(1));
    }
}

/// The figures of ranked lists for these users.
pub(super) fn row(
    fold: &Fold,
    seen: &[HashSet<u32>],
    users: &[u32],
    method: &str,
    lists: &[Vec<u32>],
) -> Row {
    let user = |(user, list): (&u32, &Vec<u32>)| {
        let (bought, seen) = (&fold.future[*user as usize].items, &seen[*user as usize]);
        Some([outcome(list, bought, seen, 10)?, outcome(list, bought, seen, 20)?])
    };
    let mut buyers = vec![0u32; fold.corpus.items];
    seen.iter().flatten().for_each(|item| buyers[*item as usize] += 1);
    let shown: Vec<u32> = lists.iter().flat_map(|list| list.iter().take(10).copied()).collect();
    let surprise = |item: &u32| -((f64::from(buyers[*item as usize]) + 1.0) / (seen.len() + 1) as f64).log2();
    let mut row = Row {
        method: method.to_owned(),
        coverage: shown.iter().collect::<HashSet<_>>().len() as f64 / fold.corpus.items.max(1) as f64,
        novelty: shown.iter().map(surprise).sum::<f64>() / shown.len().max(1) as f64,
        users: users.iter().zip(lists).filter_map(user).collect(),
        ..Row::default()
    };
    row.sum_up();
    row
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

/// The figures on these users of networks that were trained without a part, through the very
/// network that was trained: what serves knows no ablations.
pub fn without(fold: &Fold, users: &[u32], name: &str, learned: &Learned, without: Without) -> Row {
    let evidence = Evidence::new(&fold.dataset().known());
    let mut scratch = evidence.scratch();
    let mut lists = Vec::with_capacity(users.len());
    for some in users.chunks(32) {
        let query = |member: &u32| {
            let (baskets, future) =
                (&fold.corpus.histories[*member as usize], &fold.future[*member as usize]);
            let visit = Visit { member: Some(*member), baskets, day: future.day };
            Query::new(&evidence, &learned.table, &visit, None, 1.0, &mut scratch)
        };
        let queries: Vec<Query> = some.iter().map(query).collect();
        let queries: Vec<&Query> = queries.iter().collect();
        let mut sums = vec![vec![0.0; fold.corpus.items]; some.len()];
        for weights in &learned.networks {
            let pass = Pass::forward(weights, &learned.table, &queries, without, 0.0, None, None);
            for (at, scores) in pass.order().iter().zip(pass.scores.chunks_exact(fold.corpus.items)) {
                sums[*at].iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
            }
        }
        // To the networks' mean the emphasis is added once, to their sum once for each.
        let emphasis = learned.emphasis.map(|e| e * learned.networks.len() as f32);
        for (query, sum) in queries.iter().zip(&mut sums) {
            for (item, terms, _) in query.terms() {
                sum[item as usize] += terms.iter().zip(emphasis).map(|(t, e)| t * e).sum::<f32>();
            }
        }
        lists.extend(sums.iter().map(|sum| best(sum)));
    }
    row(fold, &seen(fold), users, name, &lists)
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
