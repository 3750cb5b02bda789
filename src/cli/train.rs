//! `shopguide train`: from the store's receipts to a model at work. Reads from top to bottom what
//! happens: receipts, screening, report, split, training, gate, live. Ends with 0 also where nothing
//! changed for a good reason (too few receipts, nothing new, a model that is not as good), which it says.
//!
//! It may be interrupted at any moment: SIGINT and SIGTERM end it after the epoch, and whatever ends it,
//! the next run goes on from the last epoch and gives the same model. The model at work changes in
//! one step at the very end, or not at all. Memory is bounded by [`fit`]; the processor's share is
//! the unit's to set (`Nice=` and `CPUSchedulingPolicy=` in `shopguide-train.service`).

mod report;
pub(super) mod shown;

use super::evaluate::recommendations::{Line, bar, peak_memory, processor_seconds};
use super::store::{Place, StoreArgs};
use crate::clock::Clock;
use crate::history::screening::screen;
use crate::ops::settings::Settings;
use crate::recommend::UNTRAINED;
use crate::recommend::ranker::model::Learned;
use crate::train::card::Card;
use crate::train::checkpoint::Checkpoint;
use crate::train::fit::{Progress, fit};
use crate::train::gate::{self, Verdict};
use crate::train::judged::Judged;
use crate::train::recipe::Recipe;
use crate::train::shelf::{Shelf, ShelfError, Shelved};
use crate::train::split::Split;
use crate::train::without::Without;
use anyhow::{Context, bail};
use jiff::Timestamp;
use report::Report;
use serde::Serialize;
use std::fs::{File, TryLockError};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Train the ranker on the store's own receipts; the new model goes to work if it is not worse
#[derive(Debug, Clone, clap::Args)]
pub struct TrainArgs {
    /// Which store
    #[command(flatten)]
    pub store: StoreArgs,
    /// For a timer: no progress bar, and no word where there is nothing to do
    #[arg(long)]
    pub nightly: bool,
    /// Seed of everything that is drawn by chance
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Train although nothing is new, and let the model go to work although it is judged worse
    #[arg(long)]
    pub force: bool,
    /// Only look at the receipts and say what is wrong with them
    #[arg(long, conflicts_with_all = ["list", "roll_back", "force"])]
    pub report: bool,
    /// List the models there are
    #[arg(long, conflicts_with = "roll_back")]
    pub list: bool,
    /// Put the model before the present one back to work
    #[arg(long)]
    pub roll_back: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Told {
    /// What was found among the receipts.
    report: Report,
    /// What happened, in words.
    outcome: String,
    /// The model that is at work now, if any.
    live: Option<String>,
    /// Whether it is a new one.
    changed: bool,
    #[serde(flatten)]
    trained: Option<Trained>,
}

/// A training that came to its end.
#[derive(Debug, Serialize)]
struct Trained {
    /// The first moment of the receipts that it was judged by.
    until: Timestamp,
    /// Members learned from, and members judged by.
    learned_from: usize,
    judged_by: usize,
    /// Every method on the last days.
    rows: Vec<Line>,
    /// New minus old, NDCG@10, and half the width of its 90% interval.
    difference: f64,
    within: f64,
    train_cpu_s: f64,
    peak_rss_mb: f64,
    model_bytes: usize,
}

/// Runs the command. `load` reads a configuration file.
pub fn run(
    args: &TrainArgs,
    load: impl FnOnce(&Path) -> anyhow::Result<Settings>,
) -> anyhow::Result<ExitCode> {
    let place = args.store.place(load)?;
    let shelf = Shelf::of_store(&place.storage.folder);
    if args.list {
        print!("{}", shown::list(&shelf.list()?));
        return Ok(ExitCode::SUCCESS);
    }
    if args.roll_back {
        roll_back(&shelf)?;
        return Ok(ExitCode::SUCCESS);
    }
    let told = train(args, &place, &shelf)?;
    match () {
        () if args.json => println!("{}", serde_json::to_string_pretty(&told)?),
        () if args.nightly && told.trained.is_none() => {}
        () if args.nightly => print!("{}{}", told.report, shown::told(&told)),
        () => print!("{}", shown::told(&told)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts the model before the present one back to work, and says so.
pub(super) fn roll_back(shelf: &Shelf) -> anyhow::Result<()> {
    match shelf.roll_back()? {
        Some(id) => {
            println!("model {id} is at work again");
            Ok(())
        }
        None => bail!("there is no model before the present one; nothing was changed"),
    }
}

fn train(args: &TrainArgs, place: &Place, shelf: &Shelf) -> anyhow::Result<Told> {
    let clock = Clock::system();
    let store = place.open_existing()?;
    let products = store.products()?;
    let screened = screen(store.histories()?, clock.now().utc);
    let report = Report::new(&screened, &store.members()?, &products);
    let (live, refused) = shelf.last_good();
    refused.iter().for_each(|error| eprintln!("shopguide: {error}"));
    let live_id = live.as_ref().map(|l| l.id.clone());
    let nothing = |report, outcome: String| Told {
        report,
        outcome,
        live: live_id.clone(),
        changed: false,
        trained: None,
    };
    if !args.json && !args.nightly {
        print!("{report}");
    }
    if args.report {
        return Ok(nothing(report, "looked only: nothing was trained".into()));
    }
    let split = match Split::new(&screened.histories, &products, None) {
        Ok(split) => split,
        Err(few) => return Ok(nothing(report, few.to_string())),
    };
    if let Some(live) = live.as_ref().filter(|l| l.card.learned_until >= split.until && !args.force) {
        let day = live.card.learned_until.strftime("%F");
        return Ok(nothing(
            report,
            format!("nothing new: the model at work has learned until {day} already"),
        ));
    }
    drop((screened, store));

    let _only = lock(shelf)?;
    let started = processor_seconds();
    let recipe = Recipe::for_members(split.dataset.targets.len());
    let Some(learned) = learn(args, shelf, &split, &recipe)? else {
        return Ok(nothing(report, "stopped; the next run goes on from the last epoch".into()));
    };
    let train_cpu_s = processor_seconds() - started;

    let file = learned.to_bytes();
    let served = Learned::from_bytes(&file).context("the model just trained cannot be read back")?;
    // Only a forced training meets a model that has learned from the days to judge by; it is left out.
    let rival = live.as_ref().filter(|l| l.card.learned_until <= split.until);
    let in_use = in_use(rival, &split);
    let name = if rival.is_some() { "in use" } else { "untrained" };
    let judged = gate::judge(&split.fold, &[(name, &in_use), ("shopguide", &served)]);
    let [.., old, new] = &judged[..] else { bail!("nothing was judged") };
    let verdict = gate::compare(new, old);
    let trained = Trained {
        until: split.until,
        learned_from: split.dataset.targets.len(),
        judged_by: split.fold.test.len(),
        rows: judged.iter().cloned().map(Line::from).collect(),
        difference: verdict.difference,
        within: verdict.within,
        train_cpu_s,
        peak_rss_mb: peak_memory(),
        model_bytes: file.len(),
    };
    let passed = verdict.passed || args.force;
    shelf.note(Judged::new(clock.now().utc, split.fold.test.len(), passed, &judged))?;
    if !passed {
        shelf.drop_checkpoint();
        let outcome = format!("{}; nothing was changed", words(&verdict, name));
        return Ok(Told { trained: Some(trained), ..nothing(report, outcome) });
    }
    let times = [clock.now().utc, split.until];
    let card = Card::new(&split.dataset, &recipe, args.seed, times, &judged);
    let id = shelf.put(&learned, &split.products, card)?;
    shelf.make_live(&id)?;
    shelf.drop_checkpoint();
    let outcome = format!("{}; model {id} is at work", words(&verdict, name));
    Ok(Told { report, outcome, live: Some(id), changed: true, trained: Some(trained) })
}

/// One training at a time in a store; let go when the file is closed, however that happens.
fn lock(shelf: &Shelf) -> anyhow::Result<File> {
    let io = |doing| move |cause| ShelfError::Io { doing, file: shelf.folder().to_owned(), cause };
    std::fs::create_dir_all(shelf.folder()).map_err(io("make"))?;
    let file = File::create(shelf.folder().join("training")).map_err(io("write in"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("this store is being trained on by another process"),
        Err(TryLockError::Error(cause)) => Err(io("lock")(cause).into()),
    }
}

/// Trains, going on from the last epoch of an interrupted training of the same receipts; `None` if it
/// was told to stop.
fn learn(args: &TrainArgs, shelf: &Shelf, split: &Split, recipe: &Recipe) -> anyhow::Result<Option<Learned>> {
    let kept = shelf.checkpoint()?;
    // One that cannot be read is of no use, and costs only the epochs that it held.
    let resume = kept.and_then(|bytes| Checkpoint::from_bytes(&bytes).ok());
    let stop = stop_on_signals()?;
    let bar = bar();
    if args.nightly || args.json {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let mut failed = None;
    let mut told = |p: &Progress<'_>| {
        let (done, all) = (p.network * p.epochs + p.epoch, p.networks * p.epochs);
        if bar.position() == 0 && done > 1 {
            eprintln!("went on after {} of {all} epochs", done - 1);
        }
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        bar.set_message(format!("{:.3}", p.loss));
        if let Err(error) = shelf.keep_checkpoint(&p.checkpoint.to_bytes()) {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let learned = fit(&split.dataset, recipe, args.seed, Without::default(), resume, &mut told);
    bar.finish_and_clear();
    match failed {
        Some(error) => Err(error).context("the training stopped; start it again once that is mended"),
        None => Ok(learned),
    }
}

/// Set at SIGINT or SIGTERM.
fn stop_on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let set = Arc::clone(&stop);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        eprintln!("stopping after this epoch");
        set.store(true, Ordering::Relaxed);
    })?;
    Ok(stop)
}

/// The model in use for the split's products; without one, what the shop does then.
fn in_use(live: Option<&Shelved>, split: &Split) -> Learned {
    match live {
        Some(live) => live.learned.renumbered(&live.products, &split.products),
        None => Learned::untrained(split.products.len(), UNTRAINED),
    }
}

fn words(verdict: &Verdict, old: &str) -> String {
    let Verdict { difference, within, passed } = verdict;
    let is = if *passed { "is not worse than" } else { "is worse than" };
    format!(
        "the new model {is} what was {}: NDCG@10 {difference:+.4} ± {within:.4}",
        match old {
            "untrained" => "there without one",
            _ => "in use",
        }
    )
}
