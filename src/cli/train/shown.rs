//! What the commands about models print.

use super::Told;
use crate::cli::evaluate::recommendations::Line;
use crate::train::gate::Judged;
use crate::train::shelf::Listed;
use serde::Serialize;
use std::fmt::Write;

/// A method on the last days.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Shown {
    #[serde(flatten)]
    line: Line,
    /// Half the width of the 90% interval of NDCG@10.
    #[serde(rename = "ndcg@10_within")]
    within: f64,
    /// Share of the products that are on any list of ten.
    #[serde(rename = "coverage@10")]
    coverage: f64,
}

impl From<&Judged> for Shown {
    fn from(judged: &Judged) -> Shown {
        Shown { line: Line::from(judged.row.clone()), within: judged.within, coverage: judged.coverage }
    }
}

/// The methods as a table.
pub(in crate::cli) fn methods(rows: &[Shown]) -> String {
    let mut text = Line::HEADER.to_owned() + " | N@10 within, products shown\n";
    for Shown { line, within, coverage } in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{line} | ±{within:.4} {:.1}%", coverage * 100.0);
    }
    text
}

/// What came of a training.
pub(super) fn told(told: &Told) -> String {
    let mut text = String::new();
    let Some(t) = &told.trained else { return format!("{}\n", told.outcome) };
    let _ = writeln!(
        text,
        "learned from {} members until {}; judged by the first basket since of {} members:",
        t.learned_from,
        t.until.strftime("%F"),
        t.judged_by
    );
    text += &methods(&t.rows);
    let _ = writeln!(
        text,
        "training {:.1} CPU-seconds, at most {:.0} MiB; {} bytes",
        t.train_cpu_s, t.peak_rss_mb, t.model_bytes
    );
    let _ = writeln!(text, "{}", told.outcome);
    text
}

/// The models there are.
pub(super) fn list(models: &[Listed]) -> String {
    if models.is_empty() {
        return "no model was trained yet: suggestions come from what members bought, with fixed weights\n"
            .into();
    }
    let line = |m: &Listed| {
        let mark = if m.live { "at work" } else { "" };
        match &m.card {
            None => format!("{} {mark:8} its card cannot be read\n", m.id),
            Some(c) => {
                let figures = c.figures.iter().find(|f| f.method == "shopguide");
                let ndcg = figures.map_or(String::new(), |f| format!(", NDCG@10 {:.4}", f.ndcg));
                let (trained, until) = (c.trained.strftime("%F %H:%M"), c.learned_until.strftime("%F"));
                let from = c.learned_from;
                format!("{} {mark:8} trained {trained}, from {from} members until {until}{ndcg}\n", m.id)
            }
        }
    };
    models.iter().map(line).collect()
}
