//! `shopguide bench recommend`: scoring all products beside the usual runtimes, and the whole answer
//! for a member with a long history, as history, members and products grow.

use super::answer::{self, Answer, Store};
use super::scan::{self, Scan};
use crate::cli::table::table;
use serde::Serialize;
use std::fmt;

/// `bench recommend`.
#[derive(Debug, clap::Args)]
pub struct Recommend {
    /// Products scored.
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    pub products: usize,
    /// Numbers a product.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub columns: usize,
    /// Rounds; in each, every way of scoring runs five times.
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub rounds: usize,
    /// Answers timed in each store.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub answers: usize,
    /// Members of the store that answers are timed in; another has ten times as many.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub members: usize,
    /// Products of that store; another has ten times as many.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub catalogue: usize,
    /// Receipts of the member asked about; others have a twentieth of that, and ten times as many.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub receipts: usize,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Scoring all products.
    pub scan: Scan,
    /// Whole answers: the store, then with a twentieth of the history, as a usual member has, then with
    /// ten times the history, the members, the products.
    pub answers: Vec<Answer>,
}

/// Measures everything.
pub fn measure(arguments: &Recommend) -> anyhow::Result<Report> {
    let scan = scan::measure(arguments.products.max(1), arguments.columns.max(1), arguments.rounds)?;
    let store = Store {
        members: arguments.members.max(1),
        products: arguments.catalogue.max(1),
        receipts: arguments.receipts.max(1),
    };
    let stores = [
        store,
        Store { receipts: (store.receipts / 20).max(1), ..store },
        Store { receipts: store.receipts * 10, ..store },
        Store { members: store.members * 10, ..store },
        Store { products: store.products * 10, ..store },
    ];
    Ok(Report { scan, answers: stores.iter().map(|s| answer::measure(*s, arguments.answers)).collect() })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format!("{} products x {}, one thread", self.scan.products, self.scan.columns);
        let row = |c: &scan::Contender| {
            vec![
                c.name.clone(),
                format!("{:.0}", c.median_us),
                format!("{:.0}", c.min_us),
                format!("{:.2}", c.ratio),
            ]
        };
        let rows: Vec<_> = self.scan.contenders.iter().map(row).collect();
        write!(f, "{}", table(&[&title, "median us", "min us", "ours / this"], &rows))?;
        for what in &self.scan.left_out {
            writeln!(f, "left out: {what}")?;
        }
        let ms = |x: f64| format!("{x:.2}");
        let row = |a: &Answer| {
            vec![
                a.store.receipts.to_string(),
                a.store.members.to_string(),
                a.store.products.to_string(),
                a.bought.to_string(),
                ms(a.p50_ms),
                ms(a.p99_ms),
                ms(a.score_ms),
                format!("{:.3}", a.receipt_ms),
                ms(a.index_s),
            ]
        };
        let header = [
            "the whole answer: receipts",
            "members",
            "products",
            "bought",
            "p50 ms",
            "p99 ms",
            "of it scores",
            "a receipt ms",
            "index s",
        ];
        write!(f, "\n{}", table(&header, &self.answers.iter().map(row).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_measured_or_said_to_be_left_out() {
        let report = measure(&Recommend {
            products: 300,
            columns: 64,
            rounds: 2,
            answers: 3,
            members: 20,
            catalogue: 40,
            receipts: 40,
            json: false,
        })
        .unwrap();
        let names: Vec<&str> = report.scan.contenders.iter().map(|c| c.name.as_str()).collect();
        assert!(
            names[0].starts_with("ours, bytes") && names.contains(&"only reading the bytes"),
            "{names:?}"
        );
        let has = |what: &str| names.iter().any(|n| n.starts_with(what));
        assert!((has("onnxruntime") && has("faiss")) || !report.scan.left_out.is_empty());
        assert!(report.scan.contenders.iter().all(|c| c.median_us >= c.min_us && c.min_us > 0.0));
        assert_eq!(report.answers.iter().map(|a| a.store.receipts).collect::<Vec<_>>(), [40, 2, 400, 40, 40]);
        assert!(report.answers.iter().all(|a| a.p99_ms >= a.p50_ms && a.bought > 0));
    }
}
