//! A profile in sentences, for the member it is about: only what the profile holds, in plain words.

use super::Language;
use crate::id::ProductId;
use crate::profile::Profile;

/// Habits that are named at most.
const MOST_HABITS: usize = 5;
/// Categories and brands that are named at most.
const MOST_SHARES: usize = 4;

const DAYS: [[&str; 7]; 2] = [
    ["Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"],
    ["星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"],
];

/// What the profile says, one sentence a line. `name` gives a product's name, or nothing when it may
/// not be named.
pub fn sentences(
    profile: &Profile,
    name: impl Fn(ProductId) -> Option<String>,
    language: Language,
) -> Vec<String> {
    let en = language == Language::En;
    let mut out = Vec::new();
    let n = profile.baskets;
    out.push(match (n, en) {
        (0, true) => "No purchase with your card is kept.".to_owned(),
        (0, false) => "没有保存您的任何购物记录。".to_owned(),
        (1, true) => "One purchase with your card is kept.".to_owned(),
        (_, true) => format!("{n} purchases with your card are kept."),
        (_, false) => format!("保存了您的 {n} 次购物记录。"),
    });
    if n == 0 {
        return out;
    }
    if let Some(every) = profile.every_days.filter(|d| *d >= 0.5) {
        let days = every.round();
        out.push(if en {
            format!("You usually come about every {days} days.")
        } else {
            format!("您大约每 {days} 天来一次。")
        });
    }
    let most = (0..7).max_by(|a, b| profile.weekdays[*a].total_cmp(&profile.weekdays[*b]));
    if let Some(day) = most.filter(|d| profile.weekdays[*d] >= 0.25) {
        let share = (profile.weekdays[day] * 100.0).round();
        out.push(if en {
            format!("Most often on {}: {share}% of your visits.", DAYS[0][day])
        } else {
            format!("最常在{}来，占 {share}%。", DAYS[1][day])
        });
    }
    let mut habits: Vec<_> = profile.habits.iter().collect();
    habits.sort_by(|a, b| b.1.weight.total_cmp(&a.1.weight));
    let named = habits.into_iter().filter(|(_, h)| h.times > 1).filter_map(|(id, h)| Some((name(*id)?, h)));
    for (product, habit) in named.take(MOST_HABITS) {
        let times = habit.times;
        out.push(match (habit.every_days.map(f64::round).filter(|d| *d >= 1.0), en) {
            (Some(days), true) => format!("{product}: bought {times} times, about every {days} days."),
            (None, true) => format!("{product}: bought {times} times."),
            (Some(days), false) => format!("{product}：购买过 {times} 次，大约每 {days} 天一次。"),
            (None, false) => format!("{product}：购买过 {times} 次。"),
        });
    }
    for (shares, label) in
        [(&profile.categories, ["Categories", "常买类别"]), (&profile.brands, ["Brands", "常买品牌"])]
    {
        let mut shares: Vec<_> = shares.iter().filter(|(_, s)| **s >= 0.02).collect();
        shares.sort_by(|a, b| b.1.total_cmp(a.1));
        let shares = shares.into_iter().take(MOST_SHARES);
        let shares: Vec<String> = shares.map(|(name, s)| format!("{name} {:.0}%", s * 100.0)).collect();
        if !shares.is_empty() {
            out.push(if en {
                format!("{}: {}.", label[0], shares.join(", "))
            } else {
                format!("{}：{}。", label[1], shares.join("、"))
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Habit;

    fn profile() -> Profile {
        let mut weekdays = [0.0; 7];
        weekdays[5] = 0.6;
        let habit = Habit { times: 4, last_days_ago: 3.0, weight: 0.5, every_days: Some(9.0) };
        Profile {
            baskets: 12,
            every_days: Some(6.8),
            weekdays,
            habits: [(ProductId(1), habit.clone()), (ProductId(2), habit)].into(),
            ..Profile::default()
        }
    }

    #[test]
    fn it_says_what_the_profile_holds_and_names_nothing_that_may_not_be_named() {
        let name = |id: ProductId| (id.0 == 1).then(|| "Tea".to_owned());
        let said = sentences(&profile(), name, Language::En).join("\n");
        assert!(said.contains("12 purchases") && said.contains("every 7 days") && said.contains("Saturdays"));
        assert_eq!(said.matches("bought 4 times").count(), 1, "{said}");
        let zh = sentences(&profile(), name, Language::Zh).join("\n");
        assert!(zh.contains("12 次购物") && zh.contains("星期六"), "{zh}");
    }

    #[test]
    fn of_nothing_it_says_nothing_more() {
        assert_eq!(sentences(&Profile::default(), |_| None, Language::En).len(), 1);
    }
}
