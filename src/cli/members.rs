//! `shopguide members`: list them by alias, show one (which is audited), erase one for good.

use super::ask::agreed;
use super::store::{StoreArgs, operator};
use crate::clock::Clock;
use crate::daemon::stocktake;
use crate::ops::settings::Settings;
use crate::profile::{DAY_PARTS, Habit, Profile, Viewed};
use crate::recommend::{Catalogue, Language, text};
use crate::storage::{Member, Store};
use anyhow::bail;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

/// Days of the week, as shown.
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Parts of the day, as shown.
const DAY_PART_NAMES: [&str; DAY_PARTS] = ["0-4", "4-8", "8-12", "12-16", "16-20", "20-24"];
/// Shares of one kind that are shown.
const MOST_SHARES: usize = 8;
/// Products that are shown with how they are bought.
const MOST_HABITS: usize = 15;

/// List, show or erase members
#[derive(Debug, Clone, clap::Args)]
pub struct MembersArgs {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The three things to do.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Aliases, cards and templates of all members; no names
    List {
        /// Which store
        #[command(flatten)]
        store: StoreArgs,
    },
    /// One member with name, contact, what they declared, and what their receipts say; this is audited
    Show {
        /// Card token, alias or number
        member: String,
        /// Which store
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Destroy a member's key and everything about the member; receipts stay without a member
    Erase {
        /// Card token, alias or number
        member: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Which store
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// Runs the command. `load` reads a configuration file.
pub fn run(
    args: MembersArgs,
    load: impl FnOnce(&Path) -> anyhow::Result<Settings>,
) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now().utc;
    let store = match &args.command {
        Command::List { store } | Command::Show { store, .. } | Command::Erase { store, .. } => store,
    };
    let place = store.place(load)?;
    let store = place.open_existing()?;
    match args.command {
        Command::List { .. } => match list(&store) {
            // `members list | head`: who has read enough closes the pipe.
            Err(e) if e.downcast_ref().is_some_and(|e: &Error| e.kind() == ErrorKind::BrokenPipe) => {}
            done => done?,
        },
        Command::Show { member, .. } => {
            let member = find(&store, &member)?;
            let details = store.details(member.id, &operator(), now)?;
            let history = store.history(member.id)?;
            let zone = place.settings.as_ref().and_then(|s| TimeZone::get(&s.store.time_zone).ok());
            let zone = zone.unwrap_or(TimeZone::UTC);
            let catalogue = stocktake::catalogue(&store, &zone, now)?;
            let profile = Profile::new(&history, now, &zone, |id| catalogue.described(id));
            println!("{} (number {}, card {})", member.alias, member.id, member.token);
            println!("member since   {}", member.joined.strftime("%F"));
            println!("name           {}", details.name.as_deref().unwrap_or("none kept"));
            println!("contact        {}", details.contact.as_deref().unwrap_or("none kept"));
            let declared: Vec<String> =
                details.facts.iter().map(|fact| text::fact(fact, Language::En)).collect();
            println!(
                "declared       {}",
                if declared.is_empty() { "nothing".into() } else { declared.join(", ") }
            );
            println!("templates      {}", member.templates);
            println!("face consent   {}", if member.face_consent { "yes" } else { "no" });
            print!("{}", portrait(&profile, &catalogue));
        }
        Command::Erase { member, yes, .. } => {
            let member = find(&store, &member)?;
            let question = format!("Erase {} for good? This cannot be undone.", member.alias);
            if !yes && !agreed(&question, "erase")? {
                println!("nothing was changed");
                return Ok(ExitCode::FAILURE);
            }
            let done = store.erase_member(member.id, &operator(), now)?;
            println!(
                "{} is erased: key destroyed; {} templates, {} visits and views, {} slates deleted; \
                 {} receipts stay without a member (audit entry {})",
                done.alias, done.templates, done.visits, done.slates, done.receipts_kept, done.audit_entry
            );
            if let Some(copy) = done.keys_left_in {
                println!(
                    "the copy of the keys {} still holds this member's: make a backup as soon as that place can be \
                     written, which replaces it",
                    copy.display()
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(store: &Store) -> anyhow::Result<()> {
    let members = store.members()?;
    let mut out = std::io::stdout().lock();
    if members.is_empty() {
        writeln!(out, "no members")?;
        return Ok(());
    }
    writeln!(out, "{:>7}  {:<28} {:<22} {:<10} {:>9}", "number", "alias", "card", "since", "templates")?;
    for m in members {
        writeln!(
            out,
            "{:>7}  {:<28} {:<22} {:<10} {:>9}",
            m.id.0,
            m.alias,
            m.token,
            m.joined.strftime("%F").to_string(),
            m.templates
        )?;
    }
    Ok(())
}

/// The profile in lines that a person reads.
fn portrait(profile: &Profile, catalogue: &Catalogue) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| out += &format!("{name:<14} {value}\n");
    let day = |t: Timestamp| t.strftime("%F").to_string();
    let mut views: Vec<_> = profile.views.iter().collect();
    views.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    for (category, Viewed { times, seconds, last_days_ago }) in views.into_iter().take(MOST_SHARES) {
        line(
            "dwells",
            format!("{category}: {times}x, {seconds:.0} s in all, last {last_days_ago:.0} days ago"),
        );
    }
    let period = profile.period.map_or_else(String::new, |(a, b)| format!(", {} to {}", day(a), day(b)));
    line("receipts", format!("{}{period}", profile.baskets));
    if profile.baskets == 0 {
        return out;
    }
    let every =
        profile.every_days.map_or_else(|| "no rhythm yet".to_owned(), |d| format!("every {d:.1} days"));
    line("visits", format!("{every}, {:.1} products each", profile.products_a_basket));
    line("days", shares(WEEKDAYS.iter().zip(&profile.weekdays)));
    line("hours", shares(DAY_PART_NAMES.iter().zip(&profile.day_parts)));
    line("categories", shares(&profile.categories));
    line("brands", shares(&profile.brands));
    line("attributes", shares(&profile.attributes));
    line("prices", shares(["below usual", "usual", "above usual"].iter().zip(&profile.price_levels)));
    let mut habits: Vec<_> = profile.habits.iter().collect();
    habits.sort_by(|a, b| b.1.weight.total_cmp(&a.1.weight));
    for (product, habit) in habits.into_iter().take(MOST_HABITS) {
        let name = catalogue.get(*product).map_or_else(|| product.to_string(), |p| p.name.clone());
        let every = habit.every_days.map_or_else(String::new, |d| format!(", every {d:.1} days"));
        let due = if habit.due() >= 0.9 { ", due" } else { "" };
        let Habit { times, last_days_ago, .. } = habit;
        line("buys", format!("{name}: {times} times, last {last_days_ago:.0} days ago{every}{due}"));
    }
    out
}

/// Names with their shares, the largest first; at most [`MOST_SHARES`], none below 1%.
fn shares<'a, N: std::fmt::Display + 'a>(of: impl IntoIterator<Item = (&'a N, &'a f64)>) -> String {
    let mut all: Vec<_> = of.into_iter().filter(|(_, share)| **share >= 0.01).collect();
    all.sort_by(|a, b| b.1.total_cmp(a.1));
    let named = all.iter().take(MOST_SHARES).map(|(name, share)| format!("{name} {:.0}%", *share * 100.0));
    let named: Vec<String> = named.collect();
    if named.is_empty() { "none known".to_owned() } else { named.join(", ") }
}

/// By token first, then alias, then number: a card may look like a number.
pub(super) fn find(store: &Store, word: &str) -> anyhow::Result<Member> {
    if let Some(member) = store.member_by_token(word)? {
        return Ok(member);
    }
    if let Some(member) = store.member_by_alias(word)? {
        return Ok(member);
    }
    if let Ok(number) = word.parse()
        && let Some(member) = store.member(crate::id::MemberId(number))?
    {
        return Ok(member);
    }
    bail!("there is no member with the card, alias or number \"{word}\"; `shopguide members list` shows all")
}
