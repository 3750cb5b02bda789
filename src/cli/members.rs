//! `shopguide members`: list them by alias, show one (which is audited), erase one for good.

use super::ask::agreed;
use super::store::{StoreArgs, operator};
use crate::clock::Clock;
use crate::ops::settings::Settings;
use crate::storage::{Member, Store};
use anyhow::bail;
use std::io::{Error, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

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
    /// One member with name, contact and number of receipts; this is audited
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
    let store = store.place(load)?.open_existing()?;
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
            println!("{} (number {}, card {})", member.alias, member.id, member.token);
            println!("member since   {}", member.joined.strftime("%F"));
            println!("name           {}", details.name.as_deref().unwrap_or("none kept"));
            println!("contact        {}", details.contact.as_deref().unwrap_or("none kept"));
            println!("templates      {}", member.templates);
            println!("face consent   {}", if member.face_consent { "yes" } else { "no" });
            println!("receipts       {}", history.baskets.len());
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

/// By token first, then alias, then number: a card may look like a number.
fn find(store: &Store, word: &str) -> anyhow::Result<Member> {
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
