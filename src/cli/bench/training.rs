//! `shopguide bench training`: a step of training the ranker, ours beside the same network in PyTorch:
//! the same start, the same batches, the same optimiser, by turns. Both losses are printed: if
//! they part, it is not the same network.

use super::median;
use super::python::Python;
use crate::cli::table::table;
use crate::recommend::ranker::evidence::TERMS;
use crate::recommend::ranker::facts::ITEM_FACTS;
use crate::recommend::ranker::model::TERM_SHARE;
use crate::recommend::ranker::sequence::{BASKET_FACTS, PURCHASE_FACTS};
use crate::recommend::ranker::tensors::Tensors;
use crate::recommend::ranker::weights::Part;
use crate::train::fit::Trial;
use crate::train::optimiser::Rates;
use crate::train::protocol::Fold;
use crate::train::query::Query;
use crate::train::recipe::Recipe;
use anyhow::Context;
use serde::Serialize;
use serde_json::json;
use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

const SCRIPT: &str = include_str!("training.py");
/// Steps of each in a turn.
const TURN: usize = 5;
/// Batches that the trial goes round.
const BATCHES: usize = 20;

/// `bench training`.
#[derive(Debug, clap::Args)]
pub struct Training {
    /// Baskets of all users (.json or .json.gz), as `evaluate recommendations` reads them.
    #[arg(long, value_name = "FILE")]
    pub baskets: PathBuf,
    /// Who is learned from (.json or .json.gz).
    #[arg(long, value_name = "FILE")]
    pub folds: PathBuf,
    /// Which of the folds, counted from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub fold: usize,
    /// Steps of each.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub steps: usize,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Queries a step.
    pub batch: usize,
    /// Products.
    pub products: usize,
    /// Ours first.
    pub trainers: Vec<Trainer>,
    /// What could not be measured, and why.
    pub left_out: Vec<String>,
}

/// One way to train.
#[derive(Debug, Serialize)]
pub struct Trainer {
    /// What it is.
    pub name: String,
    /// Middle of all steps.
    pub median_ms: f64,
    /// The fastest.
    pub min_ms: f64,
    /// Our median over this one's: below 1, ours is faster.
    pub ratio: f64,
    /// Mean loss over the first and over the last turn, in nats.
    pub losses: [f64; 2],
}

#[derive(Default)]
struct Record {
    ms: Vec<f64>,
    losses: Vec<f64>,
}

/// All that PyTorch needs to do the same, as tensors in a file.
fn describe(trial: &Trial, recipe: &Recipe) -> Tensors {
    let mut out = Tensors::default();
    let shape = trial.weights.shape;
    for part in Part::ALL {
        let (rows, columns) = shape.of(part);
        out.put(&part.name(), &[rows, columns], trial.weights.of(part));
    }
    out.put("table", &[shape.items, shape.table], &trial.table.values);
    let Rates { recurrent, bias, evidence, rest, decay, average } = recipe.rates;
    let settings = [recurrent, bias, rest, decay, average, recipe.dropout, evidence];
    out.put("settings", &[settings.len()], &settings);
    let width = shape.table + BASKET_FACTS;
    for (batch, queries) in trial.queries.chunks(recipe.batch).take(BATCHES).enumerate() {
        let mut put = |name: &str, columns: usize, values: Vec<f32>| {
            out.put(&format!("batch{batch}.{name}"), &[values.len() / columns, columns], &values);
        };
        let all = |f: &dyn Fn(usize) -> Vec<f32>| (0..queries.len()).flat_map(f).collect::<Vec<f32>>();
        put("baskets", width, all(&|q| queries[q].reading.baskets.clone()));
        put("visits", 1, all(&|q| vec![(queries[q].reading.baskets.len() / width) as f32]));
        put("context", queries[0].reading.context.len(), all(&|q| queries[q].reading.context.to_vec()));
        put("purchases", PURCHASE_FACTS, all(&|q| queries[q].reading.purchases.clone()));
        let pairs = |q: usize| {
            queries[q].reading.products.iter().flat_map(move |p| [q as f32, p.0 as f32, p.1 as f32])
        };
        put("pairs", 3, all(&|q| pairs(q).collect()));
        let seen = |query: &Query| -> Vec<f32> {
            let products = query.reading.products.iter().zip(&query.facts);
            let of = |((item, _), facts): (&(u32, u32), &[f32; ITEM_FACTS])| {
                facts
                    .iter()
                    .copied()
                    .chain(query.evidence.of(*item).map(|t| TERM_SHARE * t))
                    .collect::<Vec<_>>()
            };
            products.flat_map(of).collect()
        };
        put("facts", ITEM_FACTS + TERMS, all(&|q| seen(&queries[q])));
        let at =
            |q: usize| queries[q].terms().flat_map(move |t| [q as f32, t.0 as f32, f32::from(u8::from(t.2))]);
        put("at", 3, all(&|q| at(q).collect()));
        put("terms", TERMS, all(&|q| queries[q].terms().flat_map(|t| t.1).collect()));
        let share = |q: usize| queries[q].weight / queries[q].target.len().max(1) as f32;
        put(
            "bought",
            3,
            all(&|q| queries[q].target.iter().flat_map(|i| [q as f32, *i as f32, share(q)]).collect()),
        );
    }
    out
}

/// Trains both by turns.
pub fn measure(arguments: &Training) -> anyhow::Result<Report> {
    let fold = Fold::read(&arguments.baskets, &arguments.folds, arguments.fold)?;
    let dataset = fold.dataset();
    let recipe = Recipe::for_members(dataset.targets.len());
    let mut trial = Trial::new(&dataset, &recipe, 1, arguments.steps);
    let mut left_out = Vec::new();
    let path = std::env::temp_dir().join(format!("shopguide-bench-{}.safetensors", std::process::id()));
    std::fs::write(&path, describe(&trial, &recipe).to_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))?;
    let mut peers = Vec::new();
    for threads in [2, 1] {
        let started = Python::start(SCRIPT).and_then(|mut python| {
            let version = python.hello["version"].as_str().unwrap_or("of unknown version").to_owned();
            python.ask(&json!({ "load": path, "threads": threads, "steps": arguments.steps }))?;
            Ok((format!("PyTorch {version}, {threads} threads"), python, Record::default()))
        });
        match started {
            Ok(peer) => peers.push(peer),
            Err(reason) => left_out.push(format!("PyTorch, {threads} threads: {reason}")),
        }
    }
    // A file that is already gone is what is wanted.
    let _ = std::fs::remove_file(&path);
    let (mut ours, batches) = (Record::default(), trial.batches().min(BATCHES));
    for turn in 0..arguments.steps.div_ceil(TURN) {
        let turn: Vec<usize> = (0..TURN).map(|step| (turn * TURN + step) % batches.max(1)).collect();
        for batch in &turn {
            let begin = Instant::now();
            ours.losses.push(trial.step(*batch));
            ours.ms.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        for (name, python, record) in &mut peers {
            let answer =
                python.ask(&json!({ "batches": turn })).map_err(|e| anyhow::anyhow!("{name}: {e}"))?;
            let numbers = |key: &str| -> Vec<f64> {
                answer[key].as_array().into_iter().flatten().filter_map(|v| v.as_f64()).collect()
            };
            record.ms.extend(numbers("milliseconds"));
            record.losses.extend(numbers("losses"));
        }
    }
    let middle = median(&ours.ms);
    let trainer = |name: String, record: &Record| {
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
        let n = record.losses.len();
        Trainer {
            name,
            median_ms: median(&record.ms),
            min_ms: record.ms.iter().copied().fold(f64::INFINITY, f64::min),
            ratio: middle / median(&record.ms).max(1e-9),
            losses: [mean(&record.losses[..n.min(TURN)]), mean(&record.losses[n - n.min(TURN)..])],
        }
    };
    let mut trainers = vec![trainer("ours, 2 threads".into(), &ours)];
    trainers.extend(peers.iter().map(|(name, _, record)| trainer(name.clone(), record)));
    Ok(Report { batch: recipe.batch, products: fold.corpus.items, trainers, left_out })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format!("a step of {} queries, {} products", self.batch, self.products);
        let row = |t: &Trainer| {
            let [first, last] = t.losses;
            let numbers = [t.median_ms, t.min_ms, t.ratio].map(|x| format!("{x:.2}"));
            std::iter::once(t.name.clone())
                .chain(numbers)
                .chain([first, last].map(|x| format!("{x:.3}")))
                .collect()
        };
        let header = [&title, "median ms", "min ms", "ours / this", "first loss", "last loss"];
        write!(f, "{}", table(&header, &self.trainers.iter().map(row).collect::<Vec<_>>()))?;
        for what in &self.left_out {
            writeln!(f, "left out: {what}")?;
        }
        Ok(())
    }
}
