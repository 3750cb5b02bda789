//! The few figures of the running service that a person wants beside its status, from `/metrics`.

use super::service::fetch;
use crate::web::settings::WebSettings;

/// One line, or nothing if the service does not tell.
pub fn figures(web: &WebSettings) -> Option<String> {
    Some(line(&fetch(web, "/metrics").ok()?))
}

fn line(metrics: &str) -> String {
    let sum = |name: &str| -> f64 {
        let value = |line: &str| {
            let rest = line.strip_prefix("shopguide_")?.strip_prefix(name)?;
            let value = if rest.starts_with(['{', ' ']) { rest.rsplit(' ').next()? } else { return None };
            value.parse::<f64>().ok()
        };
        metrics.lines().filter_map(value).sum()
    };
    let mean = |name: &str| -> String {
        let (total, count) = (sum(&format!("{name}_seconds_sum")), sum(&format!("{name}_seconds_count")));
        if count > 0.0 { format!("{:.0} ms", total / count * 1000.0) } else { "-".into() }
    };
    format!(
        "since the start: {} frames, {} faces, {} visits, {} slates, {} impressions, {} receipts; now {} members \
         present; vision {} a frame, capture to display {}",
        sum("frames_total"),
        sum("faces_total"),
        sum("visits_total"),
        sum("slates_total"),
        sum("impressions_total"),
        sum("receipts_total"),
        sum("members_present"),
        mean("vision"),
        mean("capture_to_shown")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_added_up_over_their_labels() {
        let text = "shopguide_frames_total{camera=\"a\"} 3\nshopguide_frames_total{camera=\"b\"} 4\n\
                    shopguide_vision_seconds_sum 0.5\nshopguide_vision_seconds_count 10\n# EOF\n";
        let line = line(text);
        assert!(line.contains("7 frames") && line.contains("vision 50 ms a frame"), "{line}");
        assert!(line.contains("capture to display -"), "{line}");
    }
}
