//! What the commands about models print.

use super::Told;
use crate::cli::evaluate::recommendations::methods;
use crate::train::shelf::Listed;
use std::fmt::Write;

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
