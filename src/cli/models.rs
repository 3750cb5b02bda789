//! `shopguide models`: every model in one list, those that see and the one that ranks; a model from
//! outside put to work after it was tried apart; the one before put back.

use super::ask::agreed;
use super::store::{Place, StoreArgs, operator};
use super::table::table;
use crate::clock::Clock;
use crate::ops::settings::Settings;
use crate::privacy::audit::{Action, Audited};
use crate::storage::hand_over;
use crate::train::shelf::Shelf as RankerShelf;
use crate::vision::card::{Card, Task};
use crate::vision::network::Network;
use crate::vision::shelf::{Shelf, TASKS};
use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The arguments of `shopguide models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All models: what each is for, name, version, hash, age, where it comes from, and which is at work.
    List {
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Try a model apart, keep a copy of it, and put it to work at the next reload.
    Add {
        /// The model's card; its network lies beside it.
        card: PathBuf,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Put the model before the present one back to work.
    Rollback {
        /// What the model is for.
        #[arg(value_enum)]
        of: Of,
    },
}

/// What models are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Of {
    Detect,
    Refine,
    Embed,
    /// The ranker that is trained on the box.
    Rank,
}

/// A line of the list.
#[derive(Debug, Serialize)]
struct Line {
    task: String,
    model: String,
    /// The first digits of its hash.
    hash: String,
    /// When it came here; `None` for what came with the program.
    since: Option<Timestamp>,
    /// `inside`, `configuration`, `added` or `trained`.
    origin: &'static str,
    at_work: bool,
    /// What is worth knowing of it.
    note: String,
}

/// Runs the command. `load` reads a configuration file.
pub fn run(
    args: &ModelsArgs,
    load: impl FnOnce(&Path) -> anyhow::Result<Settings>,
) -> anyhow::Result<ExitCode> {
    let place = args.store.or_default().place(load)?;
    match &args.command {
        Command::List { json } => {
            let lines = lines(&place)?;
            if *json {
                println!("{}", serde_json::to_string_pretty(&lines)?);
            } else {
                print!("{}", as_text(&lines, Clock::system().now().utc));
            }
        }
        Command::Add { card, yes } => return add(&place, card, *yes),
        Command::Rollback { of } => roll_back(&place, *of)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The card that the configuration names for a task.
fn configured(place: &Place, task: Task) -> Option<&PathBuf> {
    let vision = &place.settings.as_ref()?.vision;
    match task {
        Task::Detect => vision.detector.as_ref(),
        Task::Refine => vision.refiner.as_ref(),
        Task::Embed => vision.embedder.as_ref(),
    }
}

fn key(task: Task) -> &'static str {
    match task {
        Task::Detect => "detector",
        Task::Refine => "refiner",
        Task::Embed => "embedder",
    }
}

/// All models of the store.
fn lines(place: &Place) -> anyhow::Result<Vec<Line>> {
    let folder = &place.storage.folder;
    let shelf = Shelf::of_store(folder);
    let mut lines = Vec::new();
    for task in TASKS {
        let named = configured(place, task);
        let live = shelf.live(task);
        let inside = Network::card(None, task)?;
        // Beside a detector from outside the refiner inside the program has nothing to refine.
        let own_detector = configured(place, Task::Detect).is_none() && shelf.live(Task::Detect).is_none();
        let is_inside = named.is_none() && live.is_none() && (task != Task::Refine || own_detector);
        lines.push(line(task, &inside, None, "inside", is_inside));
        for model in shelf.list(task) {
            let since = model.added.and_then(|at| Timestamp::try_from(at).ok());
            let at_work = named.is_none() && live.as_ref() == Some(&model.path);
            lines.push(line(task, &model.card, since, "added", at_work));
        }
        if let Some(path) = named {
            let since = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
            let since = since.and_then(|at| Timestamp::try_from(at).ok());
            let read = std::fs::read_to_string(path).map_err(|e| e.to_string());
            let mut configured = match read.and_then(|text| Card::parse(&text)) {
                Ok(card) => line(task, &card, since, "configuration", true),
                Err(cause) => Line {
                    task: task.to_string(),
                    model: "?".into(),
                    hash: String::new(),
                    since,
                    origin: "configuration",
                    at_work: false,
                    note: cause.lines().next().unwrap_or_default().to_owned(),
                },
            };
            configured.note = format!("{} {}", path.display(), configured.note).trim_end().to_owned();
            lines.push(configured);
        }
    }
    for model in RankerShelf::of_store(folder).list()? {
        let note = match &model.card {
            None => "its card cannot be read".to_owned(),
            Some(card) => {
                let ndcg = card.figures.iter().find(|f| f.method == "shopguide").map(|f| f.ndcg);
                let ndcg = ndcg.map_or_else(String::new, |ndcg| format!(", NDCG@10 {ndcg:.4}"));
                format!(
                    "from {} members until {}{ndcg}",
                    card.learned_from,
                    card.learned_until.strftime("%F")
                )
            }
        };
        lines.push(Line {
            task: "rank".into(),
            model: "shopguide-ranker".into(),
            hash: model.id.chars().take(12).collect(),
            since: model.card.map(|card| card.trained),
            origin: "trained",
            at_work: model.live,
            note,
        });
    }
    Ok(lines)
}

fn line(task: Task, card: &Card, since: Option<Timestamp>, origin: &'static str, at_work: bool) -> Line {
    let hash = card.sha256.chars().take(12).collect();
    Line { task: task.to_string(), model: card.id(), hash, since, origin, at_work, note: String::new() }
}

fn as_text(lines: &[Line], now: Timestamp) -> String {
    let age = |since: Timestamp| format!("{} d", now.duration_since(since).as_hours().max(0) / 24);
    let row = |line: &Line| {
        vec![
            line.task.clone(),
            if line.at_work { "at work" } else { "" }.to_owned(),
            line.model.clone(),
            line.hash.clone(),
            line.since.map_or_else(|| "-".to_owned(), age),
            line.origin.to_owned(),
            line.note.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    table(&["task", "", "model", "hash", "age", "origin", "note"], &rows)
}

fn add(place: &Place, path: &Path, yes: bool) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let card =
        Card::parse(&text).map_err(|e| anyhow::anyhow!("{} is not a model's card: {e}", path.display()))?;
    let task = card.task;
    if let Some(named) = configured(place, task) {
        bail!(
            "the configuration names {} ([vision] {}), which goes first: take that line out, or name {} there. \
             Nothing was changed",
            named.display(),
            key(task),
            path.display()
        );
    }
    let store = place.open_existing()?;
    let before = at_work(place, task)?;
    let templates = store.counts()?.templates;
    if task == Task::Embed && templates > 0 && before.id() != card.id() && !yes {
        let question = format!(
            "{templates} templates of members were made by {}, and {} cannot read them: nobody is recognised until \
             they are enrolled again. Go on?",
            before.id(),
            card.id()
        );
        if !agreed(&question, "change")? {
            println!("nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
    }
    let shelf = Shelf::of_store(&place.storage.folder);
    let model = shelf.put(path)?;
    shelf.make_live(&model)?;
    hand_over(&place.storage.folder);
    let words = format!("model for {task}: {} -> {}", before.id(), card.id());
    note(&store, &words)?;
    println!("{words}; {RELOAD}");
    Ok(ExitCode::SUCCESS)
}

/// What puts a change to work.
const RELOAD: &str = "at work after `systemctl reload shopguide`";

/// The card of the model that the next start would take.
fn at_work(place: &Place, task: Task) -> anyhow::Result<Card> {
    let path = configured(place, task).cloned().or_else(|| Shelf::of_store(&place.storage.folder).live(task));
    Ok(Network::card(path.as_deref(), task)?)
}

fn roll_back(place: &Place, of: Of) -> anyhow::Result<()> {
    let task = match of {
        Of::Detect => Task::Detect,
        Of::Refine => Task::Refine,
        Of::Embed => Task::Embed,
        Of::Rank => return super::train::roll_back(&RankerShelf::of_store(&place.storage.folder)),
    };
    if let Some(named) = configured(place, task) {
        bail!(
            "the model at work is the configuration's ({}, [vision] {}): go back there. Nothing was changed",
            named.display(),
            key(task)
        );
    }
    let store = place.open_existing()?;
    let before = at_work(place, task).map_or_else(|_| "one that cannot be read".to_owned(), |card| card.id());
    let Some(now) = Shelf::of_store(&place.storage.folder).roll_back(task)? else {
        bail!(
            "there is no model before the present one: it is the one inside the program. Nothing was changed"
        );
    };
    hand_over(&place.storage.folder);
    let now = match now {
        Some(card) => card.id(),
        None => format!("{}, the one inside the program", Network::card(None, task)?.id()),
    };
    let words = format!("model for {task}: {before} -> {now}");
    note(&store, &words)?;
    println!("{words}; {RELOAD}");
    Ok(())
}

fn note(store: &crate::storage::Store, words: &str) -> anyhow::Result<()> {
    let at = Clock::system().now().utc;
    let entry =
        Audited { at, by: operator(), action: Action::Restore, member: None, detail: words.to_owned() };
    Ok(store.audit(entry)?)
}
