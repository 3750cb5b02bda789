//! The published methods that a model is put beside, in the same run on the same data. TIFUKNN and
//! UP-CF are the code that the evidence uses, with the parameters of their best results.

use super::metrics::LIST;
use super::protocol::Fold;
use crate::recommend::ranker::corpus::{Visit, counts};
use crate::recommend::ranker::neighbours::{Neighbours, UserPopularity};
use crate::recommend::ranker::sparse::Sum;
use crate::recommend::ranker::tifu::{Settings, Tifu};
use std::collections::{HashMap, HashSet};

/// A peer's name and its ranked list for each test user.
pub type Ranked = (&'static str, Vec<Vec<u32>>);

/// Ranked lists of all peers for the fold's test users.
pub fn ranked(fold: &Fold) -> Vec<Ranked> {
    let popular = popular(fold);
    let personal = |fill: bool| -> Vec<Vec<u32>> {
        fold.test.iter().map(|m| own_frequency(fold, *m, if fill { &popular } else { &[] })).collect()
    };
    let top: Vec<u32> = popular.iter().copied().take(LIST).collect();
    vec![
        ("G-TopFreq", vec![top; fold.test.len()]),
        ("P-TopFreq", personal(false)),
        ("GP-TopFreq", personal(true)),
        ("UP-CF@r", user_popularity(fold)),
        ("TIFUKNN", tifu(fold)),
    ]
}

/// Products by how many baskets hold them, most first.
fn popular(fold: &Fold) -> Vec<u32> {
    let mut total = vec![0u32; fold.corpus.items];
    fold.corpus.histories.iter().flatten().flat_map(|b| &b.items).for_each(|i| total[*i as usize] += 1);
    let mut order: Vec<u32> = (0..fold.corpus.items as u32).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(total[*i as usize]), *i));
    order
}

fn own_frequency(fold: &Fold, member: u32, fill: &[u32]) -> Vec<u32> {
    let baskets = &fold.corpus.histories[member as usize];
    let times: HashMap<u32, f32> = counts(baskets).into_iter().collect();
    let mut list = Vec::new();
    let mut listed = HashSet::new();
    list.extend(baskets.iter().flat_map(|b| &b.items).copied().filter(|i| listed.insert(*i)));
    // Stable: of products bought equally often, the one bought first comes first.
    list.sort_by(|a, b| times[b].total_cmp(&times[a]));
    let more: Vec<u32> = fill.iter().filter(|i| !listed.contains(i)).take(LIST).copied().collect();
    list.extend(more);
    list.truncate(LIST);
    list
}

fn best_of(sum: &mut Sum) -> Vec<u32> {
    let mut entries = sum.take();
    entries.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    entries.into_iter().take(LIST).map(|e| e.0).collect()
}

fn visit(fold: &Fold, member: u32) -> Visit<'_> {
    Visit { member: Some(member), baskets: &fold.corpus.histories[member as usize], day: None }
}

fn tifu(fold: &Fold) -> Vec<Vec<u32>> {
    let tifu = Tifu::new(&fold.corpus, fold.train.clone(), Settings::TUNED);
    let (mut scratch, mut sum) = (tifu.scratch(), Sum::new(fold.corpus.items));
    let list = |member: &u32| {
        tifu.score(&visit(fold, *member), &mut scratch, &mut sum);
        best_of(&mut sum)
    };
    fold.test.iter().map(list).collect()
}

fn user_popularity(fold: &Fold) -> Vec<Vec<u32>> {
    let neighbours = Neighbours::new(&fold.corpus);
    let method = UserPopularity::new(&fold.corpus);
    let (mut scratch, mut sum) = (neighbours.scratch(), Sum::new(fold.corpus.items));
    let list = |member: &u32| {
        method.score(&neighbours, &visit(fold, *member), &mut scratch, &mut sum);
        best_of(&mut sum)
    };
    fold.test.iter().map(list).collect()
}
