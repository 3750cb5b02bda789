//! Recommendations on baskets whose next one is known, beside the published methods, in one run.

use crate::cli::store::StoreArgs;
use crate::recommend::ranker::corpus::Basket;
use crate::recommend::ranker::model::Learned;
use crate::recommend::rnn::linear::Precision;
use crate::train::fit::Progress;
use crate::train::judge::{self, Row};
use crate::train::metrics;
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
    /// Which of the folds, counted from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub fold: usize,
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
    /// Processor seconds of training, evidence and reading of receipts included.
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
}

impl From<Row> for Line {
    fn from(row: Row) -> Line {
        let metrics::Figures { recall, ndcg, phr, repeat, explore } = row.ten;
        Line {
            method: row.method,
            recall_10: recall,
            ndcg_10: ndcg,
            phr_10: phr,
            recall_20: row.twenty.recall,
            ndcg_20: row.twenty.ndcg,
            phr_20: row.twenty.phr,
            repeat_10: repeat,
            explore_10: explore,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} users, {} items, {} test users", self.users, self.items, self.test_users)?;
        writeln!(f, "{}", Line::HEADER)?;
        self.rows.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        let (seconds, peak) = (self.train_cpu_s, self.peak_rss_mb);
        writeln!(
            f,
            "training {seconds:.1} CPU-seconds, at most {peak:.0} MiB; model file {} bytes",
            self.model_bytes
        )
    }
}

impl Line {
    /// What the columns are.
    pub(in crate::cli) const HEADER: &str =
        "method          R@10   N@10   PHR@10 | R@20   N@20   PHR@20 | rep@10 exp@10";
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { recall_10, ndcg_10, phr_10, recall_20, ndcg_20, phr_20, .. } = self;
        write!(f, "{:15} {recall_10:.4} {ndcg_10:.4} {phr_10:.4} | ", self.method)?;
        write!(f, "{recall_20:.4} {ndcg_20:.4} {phr_20:.4} | ")?;
        write!(f, "{:.4} {:.4}", self.repeat_10, self.explore_10)
    }
}

/// Trains on the fold and judges the model beside its peers.
pub fn evaluate(arguments: &Arguments) -> anyhow::Result<Figures> {
    let (Some(baskets), Some(folds)) = (&arguments.baskets, &arguments.folds) else {
        anyhow::bail!("which baskets? Name --baskets and --folds, or --store");
    };
    let fold = Fold::read(baskets, folds, arguments.fold)?;
    let without = arguments.without()?;
    let bar = bar();
    let started = processor_seconds();
    let mut told = |p: &Progress<'_>| {
        bar.set_length((p.networks * p.epochs) as u64);
        bar.set_position((p.network * p.epochs + p.epoch) as u64);
        bar.set_message(format!("{:.3}", p.loss));
        ControlFlow::Continue(())
    };
    let learned = judge::train(&fold, arguments.seed, without, &mut told)
        .context("training stopped before there was a model")?;
    let train_cpu_s = processor_seconds() - started;
    bar.finish_and_clear();
    let file = learned.to_bytes();
    let served = Learned::from_bytes(&file).context("the model just written cannot be read")?;
    let mut rows = judge::peers(&fold);
    rows.extend(judge::ours(
        &fold,
        &fold.test,
        &[("shopguide", &served, Precision::fastest()), ("shopguide f32", &learned, Precision::Float)],
    ));
    Ok(Figures {
        users: fold.corpus.histories.iter().filter(|h: &&Vec<Basket>| !h.is_empty()).count(),
        items: fold.corpus.items,
        test_users: fold.test.len(),
        rows: rows.into_iter().map(Line::from).collect(),
        train_cpu_s,
        peak_rss_mb: peak_memory(),
        model_bytes: file.len(),
    })
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
