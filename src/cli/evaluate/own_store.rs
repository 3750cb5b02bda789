//! Recommendations on the store's own last days: a model trained on what was before them, the model at
//! work if it has not learned from them, and the published methods, on the same baskets.

use super::recommendations::{Arguments, Line, bar, methods, peak_memory, processor_seconds};
use crate::clock::Clock;
use crate::history::screening::screen;
use crate::recommend::UNTRAINED;
use crate::recommend::ranker::model::Learned;
use crate::train::fit::{Progress, fit};
use crate::train::gate;
use crate::train::recipe::Recipe;
use crate::train::shelf::Shelf;
use crate::train::split::Split;
use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use std::fmt;
use std::ops::ControlFlow;

/// The figures; each is a mean over the members who came back, as a fraction.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Members with receipts.
    users: usize,
    /// Products.
    items: usize,
    /// Members that the rows are means over.
    test_users: usize,
    /// The first moment of the last days.
    since: Timestamp,
    /// A line a method: the model trained now is `shopguide`, the one at work `in use`.
    rows: Vec<Line>,
    /// Processor seconds of training.
    train_cpu_s: f64,
    /// The most memory that the process held, in MiB.
    peak_rss_mb: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { users, items, test_users, .. } = self;
        let since = self.since.strftime("%F");
        writeln!(f, "{users} members, {items} products; {test_users} members came back since {since}")?;
        write!(f, "{}", methods(&self.rows))?;
        writeln!(f, "training {:.1} CPU-seconds, at most {:.0} MiB", self.train_cpu_s, self.peak_rss_mb)
    }
}

/// Trains on all but the last days and judges by them. Nothing is kept.
pub fn evaluate(arguments: &Arguments) -> anyhow::Result<Figures> {
    let place = arguments.place.place(crate::cli::settings::load)?;
    let store = place.open_existing()?;
    let products = store.products()?;
    let histories = screen(store.histories()?, Clock::system().now().utc).histories;
    let split = Split::new(&histories, &products, arguments.days)?;
    drop(histories);
    let without = arguments.without()?;
    let recipe = Recipe::for_members(split.dataset.targets.len());
    let (bar, started) = (bar(), processor_seconds());
    let mut told = |p: &Progress<'_>| {
        bar.set_length((p.networks * p.epochs) as u64);
        bar.set_position((p.network * p.epochs + p.epoch) as u64);
        bar.set_message(format!("{:.3}", p.loss));
        ControlFlow::Continue(())
    };
    let learned = fit(&split.dataset, &recipe, arguments.seed, without, None, &mut told)
        .context("training stopped before there was a model")?;
    let train_cpu_s = processor_seconds() - started;
    bar.finish_and_clear();
    let served =
        Learned::from_bytes(&learned.to_bytes()).context("the model just trained cannot be read back")?;
    let untrained = Learned::untrained(split.products.len(), UNTRAINED);
    let live = Shelf::of_store(&place.storage.folder).last_good().0;
    let live = live
        .filter(|l| l.card.learned_until <= split.until)
        .map(|l| l.learned.renumbered(&l.products, &split.products));
    let mut models = vec![("untrained", &untrained)];
    models.extend(live.as_ref().map(|l| ("in use", l)));
    models.push(("shopguide", &served));
    Ok(Figures {
        users: split.fold.corpus.histories.len(),
        items: split.fold.corpus.items,
        test_users: split.fold.test.len(),
        since: split.until,
        rows: gate::judge(&split.fold, &models).into_iter().map(Line::from).collect(),
        train_cpu_s,
        peak_rss_mb: peak_memory(),
    })
}
