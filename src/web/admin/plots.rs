//! The administration's drawings, as SVG that needs no script: the store's own scores, and how good its
//! suggestions have been. Each says in words what it draws, for who does not see it.

use crate::train::judged::Judged;
use crate::web::Scores;
use maud::{Markup, PreEscaped, html};
use std::fmt::Write as _;

/// Size of a drawing without its margins.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 180.0;

/// The scores of recognised members, with the threshold and what staff said was wrong.
pub(super) fn distribution(scores: &Scores, refused: &[f32]) -> Markup {
    const BINS: usize = 40;
    let x = |score: f32| f64::from(score.clamp(0.0, 1.0)) * WIDTH;
    let mut bins = [0u32; BINS];
    for score in &scores.recognised {
        bins[((score.clamp(0.0, 1.0) * BINS as f32) as usize).min(BINS - 1)] += 1;
    }
    let most = f64::from(bins.iter().copied().max().unwrap_or(0).max(1));
    let mut svg = String::new();
    let bar = WIDTH / BINS as f64;
    for (n, count) in bins.iter().enumerate().filter(|(_, c)| **c > 0) {
        let tall = f64::from(*count) / most * (HEIGHT - 20.0);
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" class=\"bar\"/>",
            n as f64 * bar + 1.0,
            HEIGHT - tall,
            bar - 2.0
        );
    }
    for score in refused {
        let _ = write!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" class=\"wrong\"/>",
            x(*score),
            HEIGHT - 8.0
        );
    }
    let at = x(scores.threshold);
    let _ = write!(svg, "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{HEIGHT}\" class=\"threshold\"/>");
    for tick in 0..=10 {
        let at = f64::from(tick) * WIDTH / 10.0;
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\">{:.1}</text>",
            HEIGHT + 18.0,
            f64::from(tick) / 10.0
        );
    }
    let says = format!(
        "{} recognitions since the start, {} said to be wrong by staff; a vote needs {:.2}.",
        scores.recognised.len(),
        refused.len(),
        scores.threshold
    );
    figure(
        &svg,
        &says,
        html! {
            " Bars: mean score of the votes of recognised members. Dots: staff said it was somebody else. Line: \
             the threshold; set another with " code { "shopguide calibrate" } "."
        },
    )
}

/// Methods that are drawn, as the gate calls them and as people do.
const METHODS: [(&str, &str); 4] = [
    ("shopguide", "the newly trained model"),
    ("TIFUKNN", "TIFUKNN (published method)"),
    ("GP-TopFreq", "what each member buys most, then what is popular"),
    ("G-TopFreq", "what is popular"),
];

/// How good suggestions have been, training after training: NDCG of lists of ten on the store's own last
/// days, beside simpler methods on the same days.
pub(super) fn quality(judged: &[Judged]) -> Markup {
    let Some((first, last)) = judged.first().zip(judged.last()) else {
        return html! {
            p.none { "Nothing yet: the first night after which enough members have come back draws the first point." }
        };
    };
    let value = |one: &Judged, method: &str| {
        one.figures.iter().find(|f| f.method == method).map(|f| f.ndcg).filter(|v| v.is_finite())
    };
    let all = judged.iter().flat_map(|one| METHODS.iter().filter_map(move |(m, _)| value(one, m)));
    let highest = all.fold(0.05_f64, f64::max) * 1.1;
    let y = |value: f64| HEIGHT - value.max(0.0) / highest * HEIGHT;
    let begun = first.at.as_second();
    let span = (last.at.as_second() - begun).max(1) as f64;
    let x = |one: &Judged| match judged.len() {
        1 => WIDTH / 2.0,
        _ => (one.at.as_second() - begun) as f64 / span * WIDTH,
    };

    let mut svg = String::new();
    for tick in 0..=4 {
        let value = highest * f64::from(tick) / 4.0;
        let at = y(value);
        let _ = write!(
            svg,
            "<line x1=\"0\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" class=\"grid\"/>\
             <text x=\"-22\" y=\"{:.1}\">{value:.2}</text>",
            at + 4.0
        );
    }
    for (n, (method, name)) in METHODS.iter().enumerate().rev() {
        let points: Vec<(&Judged, f64)> =
            judged.iter().filter_map(|one| Some((one, value(one, method)?))).collect();
        let path: Vec<String> = points.iter().map(|(one, v)| format!("{:.1},{:.1}", x(one), y(*v))).collect();
        let _ = write!(svg, "<polyline points=\"{}\" class=\"line m{n}\"/>", path.join(" "));
        // beyond a month of nights a dot for each would hide the line
        for (one, v) in points.iter().filter(|_| judged.len() <= 31) {
            let refused = if one.passed || n > 0 { "" } else { " refused" };
            let _ = write!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" class=\"m{n}{refused}\"><title>{}: {name} {v:.3}</title></circle>",
                x(one),
                y(*v),
                one.at.strftime("%F")
            );
        }
    }
    let dates = if judged.len() == 1 {
        vec![(first, WIDTH / 2.0)]
    } else {
        vec![(first, 30.0), (last, WIDTH - 30.0)]
    };
    for (one, at) in dates {
        let _ =
            write!(svg, "<text x=\"{at:.1}\" y=\"{:.1}\">{}</text>", HEIGHT + 18.0, one.at.strftime("%F"));
    }

    let newest =
        METHODS.iter().filter_map(|(method, name)| Some(format!("{name} {:.3}", value(last, method)?)));
    let refused = judged.iter().filter(|one| !one.passed).count();
    let says = format!(
        "{} trainings judged, {refused} of them refused. On {}, by {} members who came back, NDCG of lists of ten: {}.",
        judged.len(),
        last.at.strftime("%F"),
        last.members,
        newest.collect::<Vec<_>>().join(", ")
    );
    figure(
        &svg,
        &says,
        html! {
            span.legend {
                @for (n, (_, name)) in METHODS.iter().enumerate() { span class={ "key m" (n) } { (name) } }
            }
            " A hollow dot: the new model was worse than the one in use and did not go to work."
        },
    )
}

fn figure(svg: &str, says: &str, more: Markup) -> Markup {
    html! {
        figure.plot {
            svg viewBox="-48 -8 702 212" role="img" aria-label=(says) { (PreEscaped(svg)) }
            figcaption { (says) (more) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::card::CardFigures;
    use jiff::Timestamp;

    #[test]
    fn a_distribution_says_in_words_what_it_draws() {
        let scores = Scores { threshold: 0.42, recognised: [0.6, 0.61, 0.9, f32::NAN, 2.0].into() };
        let drawn = distribution(&scores, &[0.45]).into_string();
        assert!(
            drawn.contains("5 recognitions")
                && drawn.contains("1 said to be wrong")
                && drawn.contains("0.42")
        );
        assert_eq!(drawn.matches("class=\"wrong\"").count(), 1);
        assert!(!drawn.contains("NaN"));
    }

    #[test]
    fn quality_is_drawn_over_time_with_what_was_refused() {
        assert!(quality(&[]).into_string().contains("Nothing yet"));
        let judged = |day: i64, ndcg: f64, passed| Judged {
            at: Timestamp::from_second(1_790_000_000 + day * 86_400).unwrap(),
            members: 57,
            passed,
            figures: [("TIFUKNN", 0.21), ("in use", 0.25), ("shopguide", ndcg)]
                .map(|(method, ndcg)| CardFigures { method: method.into(), recall: 0.2, ndcg, phr: 0.5 })
                .into(),
        };
        let drawn = quality(&[judged(0, 0.26, true), judged(1, f64::NAN, true), judged(2, 0.19, false)])
            .into_string();
        assert!(
            drawn.contains("3 trainings judged, 1 of them refused") && drawn.contains("57 members"),
            "{drawn}"
        );
        assert!(drawn.contains("the newly trained model 0.190") && drawn.contains("0.210"), "{drawn}");
        assert_eq!((drawn.matches("m0 refused").count(), drawn.matches("NaN").count()), (1, 0));
        let one = quality(&[judged(0, 0.26, true)]).into_string();
        assert!(!one.contains("NaN") && !one.contains("inf"));
    }
}
