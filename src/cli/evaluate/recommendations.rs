//! Recommendations on baskets whose next one is known, beside the published methods, in one run;
//! with `--ablations` beside our model retrained without each of its parts.

use crate::cli::store::StoreArgs;
use crate::cli::table::table;
use crate::recommend::ranker::corpus::Basket;
use crate::recommend::ranker::model::Learned;
use crate::recommend::rnn::linear::Precision;
use crate::train::fit::Progress;
use crate::train::judge::{self, Row};
use crate::train::metrics::{self, Interval};
use crate::train::protocol::Fold;
use crate::train::without::Without;
use anyhow::Context;
use serde::Serialize;
use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// `evaluate recommendations`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Baskets of all users, oldest first, and for each the one to predict (.json or .json.gz).
    #[arg(long, value_name = "FILE", requires = "folds", required_unless_present = "store")]
    pub baskets: Option<PathBuf>,
    /// Who is learned from and who is judged by (.json or .json.gz).
    #[arg(long, value_name = "FILE", requires = "baskets")]
    pub folds: Option<PathBuf>,
    /// Which of the folds, counted from 0 (several, separated by commas: figures over all of them).
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "0")]
    pub fold: Vec<usize>,
    /// Instead of files, the store's own last days.
    #[arg(long, conflicts_with_all = ["baskets", "folds", "fold"])]
    pub store: bool,
    /// How many last days [default: as many as it takes for a fifth of the members to come back].
    #[arg(long, value_name = "N", requires = "store", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: Option<u32>,
    #[command(flatten)]
    /// Which store
    pub place: StoreArgs,
    /// Train without a part of the model, to see what it is worth (several: separated by commas).
    #[arg(long, value_name = "PART", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(Without::NAMES))]
    pub without: Vec<String>,
    /// Train again without each part in turn, and print what is left.
    #[arg(long, conflicts_with = "without")]
    pub ablations: bool,
    /// Seed of everything that is drawn by chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

impl Arguments {
    /// What is left out.
    pub(in crate::cli) fn without(&self) -> anyhow::Result<Without> {
        self.without.iter().try_fold(Without::default(), |w, name| {
            w.and(name)
                .with_context(|| format!("--without {name}: expected one of {}", Without::NAMES.join(", ")))
        })
    }
}

/// The figures; each is a mean over the test users, as a fraction.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Users with a history.
    pub users: usize,
    /// Products.
    pub items: usize,
    /// Users that the rows are means over.
    pub test_users: usize,
    /// A line a method; ours are `shopguide`, as it serves, and the same before it became bytes.
    pub rows: Vec<Line>,
    /// Processor seconds of training a fold's model, evidence and reading of receipts included.
    pub train_cpu_s: f64,
    /// The most memory that the process held, in MiB.
    pub peak_rss_mb: f64,
    /// Size of the model file in bytes.
    pub model_bytes: usize,
}

/// A method's figures.
#[derive(Debug, Serialize)]
pub struct Line {
    /// What it is called.
    pub method: String,
    #[serde(rename = "recall@10")]
    recall_10: f64,
    #[serde(rename = "ndcg@10")]
    ndcg_10: f64,
    #[serde(rename = "phr@10")]
    phr_10: f64,
    #[serde(rename = "recall@20")]
    recall_20: f64,
    #[serde(rename = "ndcg@20")]
    ndcg_20: f64,
    #[serde(rename = "phr@20")]
    phr_20: f64,
    #[serde(rename = "repeat@10")]
    repeat_10: f64,
    #[serde(rename = "explore@10")]
    explore_10: f64,
    #[serde(rename = "precision@10")]
    precision_10: f64,
    #[serde(rename = "f1@10")]
    f1_10: f64,
    #[serde(rename = "coverage@10")]
    coverage_10: f64,
    #[serde(rename = "novelty@10")]
    novelty_10: f64,
    /// Where recall, NDCG and PHR lie for 95 of 100 samples of users.
    #[serde(rename = "recall@10_interval")]
    recall_interval: Interval,
    #[serde(rename = "ndcg@10_interval")]
    ndcg_interval: Interval,
    #[serde(rename = "phr@10_interval")]
    phr_interval: Interval,
}

impl From<Row> for Line {
    fn from(row: Row) -> Line {
        let [recall_interval, ndcg_interval, phr_interval] = metrics::intervals(&row.at_ten());
        Line {
            recall_10: row.ten.recall,
            ndcg_10: row.ten.ndcg,
            phr_10: row.ten.phr,
            recall_20: row.twenty.recall,
            ndcg_20: row.twenty.ndcg,
            phr_20: row.twenty.phr,
            repeat_10: row.ten.repeat,
            explore_10: row.ten.explore,
            precision_10: row.ten.precision,
            f1_10: row.ten.f1,
            coverage_10: row.coverage,
            novelty_10: row.novelty,
            recall_interval,
            ndcg_interval,
            phr_interval,
            method: row.method,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} users, {} items, {} test users", self.users, self.items, self.test_users)?;
        write!(f, "{}", methods(&self.rows))?;
        let (seconds, peak) = (self.train_cpu_s, self.peak_rss_mb);
        writeln!(
            f,
            "training {seconds:.1} CPU-seconds, at most {peak:.0} MiB; model file {} bytes",
            self.model_bytes
        )
    }
}

/// The methods as a table.
pub(in crate::cli) fn methods(rows: &[Line]) -> String {
    let header = [
        "method", "R@10", "N@10", "PHR@10", "± R", "± N", "± PHR", "R@20", "N@20", "PHR@20", "repeat",
        "explore", "P@10", "F1@10", "coverage", "novelty",
    ];
    let row = |l: &Line| {
        let half = |i: Interval| (i[1] - i[0]) / 2.0;
        let figures = [
            l.recall_10,
            l.ndcg_10,
            l.phr_10,
            half(l.recall_interval),
            half(l.ndcg_interval),
            half(l.phr_interval),
            l.recall_20,
            l.ndcg_20,
            l.phr_20,
            l.repeat_10,
            l.explore_10,
            l.precision_10,
            l.f1_10,
            l.coverage_10,
            l.novelty_10,
        ];
        std::iter::once(l.method.clone()).chain(figures.map(|x| format!("{x:.4}"))).collect()
    };
    table(&header, &rows.iter().map(row).collect::<Vec<_>>())
}

/// A fold's rows: peers, then ours, then ours without each part that is to be left out.
struct OfFold {
    rows: Vec<Row>,
    train_cpu_s: f64,
    model_bytes: usize,
}

/// Trains on the folds and judges the models beside their peers.
pub fn evaluate(arguments: &Arguments) -> anyhow::Result<Figures> {
    let (Some(baskets), Some(folds)) = (&arguments.baskets, &arguments.folds) else {
        anyhow::bail!("which baskets? Name --baskets and --folds, or --store");
    };
    let without = arguments.without()?;
    let (mut judged, mut users, mut items, mut test_users) = (Vec::new(), 0, 0, 0);
    for number in &arguments.fold {
        let fold = Fold::read(baskets, folds, *number)?;
        users = fold.corpus.histories.iter().filter(|h: &&Vec<Basket>| !h.is_empty()).count();
        items = fold.corpus.items;
        test_users += fold.test.len();
        judged.push(of_fold(&fold, arguments, without)?);
    }
    let last = judged.last().context("--fold: expected at least one number")?;
    let (model_bytes, methods) = (last.model_bytes, last.rows.len());
    let train_cpu_s = judged.iter().map(|j| j.train_cpu_s).sum::<f64>() / judged.len() as f64;
    let mut folds: Vec<_> = judged.into_iter().map(|j| j.rows.into_iter()).collect();
    let rows =
        (0..methods).filter_map(|_| Row::pooled(folds.iter_mut().filter_map(Iterator::next).collect()));
    Ok(Figures {
        users,
        items,
        test_users,
        rows: rows.map(Line::from).collect(),
        train_cpu_s,
        peak_rss_mb: peak_memory(),
        model_bytes,
    })
}

fn of_fold(fold: &Fold, arguments: &Arguments, without: Without) -> anyhow::Result<OfFold> {
    let started = processor_seconds();
    let learned = train(fold, arguments.seed, without)?;
    let train_cpu_s = processor_seconds() - started;
    let file = learned.to_bytes();
    let served = Learned::from_bytes(&file).context("the model just written cannot be read")?;
    let mut rows = judge::peers(fold);
    if without == Without::default() {
        let models =
            [("shopguide", &served, Precision::fastest()), ("shopguide f32", &learned, Precision::Float)];
        rows.extend(judge::ours(fold, &fold.test, &models));
    } else {
        let name = format!("without {}", arguments.without.join(","));
        rows.push(judge::without(fold, &fold.test, &name, &learned, without));
    }
    let dated = fold.corpus.histories.iter().flatten().any(|b| b.day.is_some());
    let parts =
        Without::NAMES.iter().filter(|part| arguments.ablations && (dated || !Without::DATED.contains(part)));
    for part in parts {
        let without = Without::default().and(part).context("an ablation without a name")?;
        let learned = train(fold, arguments.seed, without)?;
        let name = if *part == "mean" { "mean for the rnn".to_owned() } else { format!("without {part}") };
        rows.push(judge::without(fold, &fold.test, &name, &learned, without));
    }
    Ok(OfFold { rows, train_cpu_s, model_bytes: file.len() })
}

fn train(fold: &Fold, seed: u64, without: Without) -> anyhow::Result<Learned> {
    let bar = bar();
    let mut told = |p: &Progress<'_>| {
        bar.set_length((p.networks * p.epochs) as u64);
        bar.set_position((p.network * p.epochs + p.epoch) as u64);
        bar.set_message(format!("{:.3}", p.loss));
        ControlFlow::Continue(())
    };
    let learned = judge::train(fold, seed, without, &mut told);
    bar.finish_and_clear();
    learned.context("training stopped before there was a model")
}

/// A bar that counts epochs on standard error.
pub(in crate::cli) fn bar() -> indicatif::ProgressBar {
    let style =
        indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} epochs, loss {msg}, {eta} left");
    let bar = indicatif::ProgressBar::new(0);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

/// Processor time of this process so far, all threads together; 0 where the system does not say.
pub(in crate::cli) fn processor_seconds() -> f64 {
    // proc(5): user and system time are the 14th and 15th field, in hundredths of a second; the
    // second is the name in parentheses, which may hold spaces.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory that this process has held, in MiB; 0 where the system does not say.
pub(in crate::cli) fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
