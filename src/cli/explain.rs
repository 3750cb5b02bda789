//! `shopguide explain`: why a member would be shown what at a display now. Candidates with what their
//! scores are made of, the rules that acted, and for each product chosen every true reason with what
//! the score would lose without it. Looking at a member's receipts is audited.

use super::members;
use super::store::{StoreArgs, operator};
use super::table::table;
use crate::clock::Clock;
use crate::daemon::stocktake;
use crate::display::DisplaySettings;
use crate::id::DisplayId;
use crate::ops::settings::Settings;
use crate::privacy::audit::{Action, Audited};
use crate::recommend::policy::{self, Acted, Rule};
use crate::recommend::{
    Addend, Candidate, Language, Moment, PolicySettings, Ranking, Reason, Shop, minutes_since, text,
};
use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

/// Addends below this are not worth a column's space.
const SMALL: f64 = 0.005;

/// Explain what a member would be shown at a display now, and why
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainArgs {
    /// Card token, alias or number; without one, what anybody is shown
    #[arg(long)]
    pub member: Option<String>,
    /// Which display; without one, a display for the whole store
    #[arg(long, requires = "config")]
    pub display: Option<DisplayId>,
    /// Products on the slate (default: the display's, else 3)
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=12))]
    pub items: Option<u8>,
    /// Candidates shown with what their scores are made of
    #[arg(long, default_value_t = 10)]
    pub candidates: usize,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Which store
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Everything that led to a slate.
#[derive(Debug, Serialize)]
struct Explanation {
    /// The trained model at work, or that there is none yet.
    model: Option<String>,
    /// What would be shown, best first.
    slate: Vec<Shown>,
    /// The best candidates before the rules.
    candidates: Vec<Scored>,
    /// Rules that acted on candidates near the slate, in order.
    rules: Vec<Acted>,
}

#[derive(Debug, Serialize)]
struct Shown {
    sku: String,
    name: String,
    /// After the rules.
    score: f64,
    propensity: f64,
    reasons: Vec<Said>,
}

#[derive(Debug, Serialize)]
struct Said {
    text: String,
    reason: Reason,
    /// What the score would lose without what the reason names.
    drop: f64,
}

#[derive(Debug, Serialize)]
struct Scored {
    sku: String,
    name: String,
    score: f64,
    /// What it is made of.
    terms: BTreeMap<&'static str, f64>,
}

/// Runs the command. `load` reads a configuration file.
pub fn run(
    args: &ExplainArgs,
    load: impl FnOnce(&Path) -> anyhow::Result<Settings>,
) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now().utc;
    let place = args.store.place(load)?;
    let store = place.open_existing()?;
    let settings = place.settings.as_ref();
    let display = display(args, settings)?;
    let zone = settings.and_then(|s| TimeZone::get(&s.store.time_zone).ok()).unwrap_or(TimeZone::UTC);
    let rules = settings.map_or_else(PolicySettings::default, |s| s.policy.clone());
    let member = args.member.as_deref().map(|word| members::find(&store, word)).transpose()?;
    let member = member.map(|m| m.id);
    let (mut just_bought, mut facts, mut viewed) = (BTreeSet::new(), Vec::new(), BTreeMap::new());
    if let Some(member) = member {
        store.audit(Audited {
            at: now,
            by: operator(),
            action: Action::View,
            member: Some(member),
            detail: "what they would be shown, and why".into(),
        })?;
        just_bought = store.bought_since(member, now - rules.just_bought)?;
        facts = store.declared(member)?;
        for view in store.views_since(member, now - rules.view_lasts)? {
            viewed.insert(view.category, minutes_since(view.at + view.dwelt, now));
        }
    }
    let mut shop = stocktake::take(&store, now)?.shop;
    let catalogue = stocktake::catalogue(&store, &zone, now)?;
    let moment = Moment {
        just_bought,
        facts,
        viewed,
        category: display.and_then(|d| d.category.clone()),
        ..Moment::plain(now, now.to_zoned(zone).hour())
    };
    let items = args.items.map(usize::from).or(display.map(|d| d.items)).unwrap_or(3);
    let language = display.map_or(Language::En, |d| d.language);
    let mut ranking = shop.rank(member, &catalogue, &moment);
    let candidates = best(&shop, &ranking, args.candidates);
    let decision = policy::choose(&mut shop, &mut ranking, items, &moment, &rules);
    let mut slate = Vec::new();
    for chosen in decision.chosen {
        let said = |why: crate::recommend::Weighed| Said {
            text: text::reason(&why.reason, language),
            reason: why.reason,
            drop: why.drop,
        };
        slate.push(Shown {
            sku: chosen.candidate.product.sku.clone(),
            name: chosen.candidate.product.name.clone(),
            score: chosen.candidate.score,
            propensity: chosen.propensity,
            reasons: policy::reasons(&mut shop, &ranking, &chosen.candidate, (&moment, &rules), usize::MAX)
                .into_iter()
                .map(said)
                .collect(),
        });
    }
    let model = shop.trained().map(str::to_owned);
    let explanation = Explanation { model, slate, candidates, rules: decision.acted };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&explanation)?);
    } else {
        print!("{}", words(&explanation, now));
    }
    Ok(ExitCode::SUCCESS)
}

fn display<'s>(
    args: &ExplainArgs,
    settings: Option<&'s Settings>,
) -> anyhow::Result<Option<&'s DisplaySettings>> {
    let Some(id) = &args.display else { return Ok(None) };
    let settings = settings.context("--display needs --config")?;
    let Some(display) = settings.displays.iter().find(|d| d.id == *id) else {
        let names: Vec<&str> = settings.displays.iter().map(|d| d.id.as_str()).collect();
        bail!("the configuration has no display \"{id}\"; it has {}", names.join(", "));
    };
    Ok(Some(display))
}

fn best(shop: &Shop, ranking: &Ranking<'_>, most: usize) -> Vec<Scored> {
    let mut order: Vec<&Candidate<'_>> = ranking.candidates.iter().collect();
    order.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.product.id.cmp(&b.product.id)));
    let scored = |candidate: &&Candidate<'_>| {
        let addends = shop.addends(ranking, candidate);
        Scored {
            sku: candidate.product.sku.clone(),
            name: candidate.product.name.clone(),
            score: candidate.score,
            terms: addends.into_iter().map(|Addend { name, value }| (name, value)).collect(),
        }
    };
    order.iter().take(most).map(scored).collect()
}

fn words(explanation: &Explanation, now: Timestamp) -> String {
    let Explanation { model, slate, candidates, rules } = explanation;
    let model = model.as_deref().unwrap_or("none trained yet: evidence with fixed weights");
    let mut out = format!("at {}, model: {model}\n\nWould be shown:\n", now.strftime("%F %H:%M UTC"));
    if slate.is_empty() {
        out += "  nothing: no product may be shown, or nothing true can be said for any\n";
    }
    for (place, shown) in (1..).zip(slate) {
        out += &format!("  {place}. {} ({}), score {:.3}\n", shown.name, shown.sku, shown.score);
        for (at, said) in shown.reasons.iter().enumerate() {
            let mark = if at == 0 { "because" } else { "also" };
            out += &format!("     {mark}: {} (without it {:.3} less)\n", said.text, said.drop);
        }
    }
    out += "\nBest candidates before the rules, and what their scores are made of:\n";
    let names: Vec<&str> = {
        let large = |name: &&str| candidates.iter().any(|c| c.terms[*name].abs() >= SMALL);
        let mut all: BTreeSet<&str> = candidates.iter().flat_map(|c| c.terms.keys().copied()).collect();
        all.retain(large);
        all.into_iter().collect()
    };
    let header: Vec<&str> = ["sku", "score"].into_iter().chain(names.iter().copied()).collect();
    let row = |c: &Scored| {
        let numbers = std::iter::once(c.score).chain(names.iter().map(|name| c.terms[name]));
        std::iter::once(c.sku.clone()).chain(numbers.map(|n| format!("{n:.2}"))).collect()
    };
    out += &table(&header, &candidates.iter().map(row).collect::<Vec<_>>());
    out += "\nRules that acted near the slate:\n";
    let near =
        |a: &&Acted| !matches!(a.rule, Rule::PriceLevel(_)) || candidates.iter().any(|c| c.sku == a.sku);
    for Acted { sku, rule } in rules.iter().filter(near) {
        out += &format!("  {sku}: {rule}\n");
    }
    out
}
