//! `shopguide users`: who may sign in to the staff screen and the administration. Secrets are read from
//! the standard input, never from arguments, which other users of the machine could see.

use super::store::{StoreArgs, operator};
use crate::ops::settings::Settings;
use crate::privacy::password;
use crate::storage::Role;
use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// The arguments of `shopguide users`.
#[derive(Debug, Args)]
pub struct UsersArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    store: StoreArgs,
}

/// A role on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    Staff,
    Admin,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add someone; the PIN (staff, six digits or more) or password is read from the standard input.
    Add {
        /// Name to sign in with: a-z, 0-9, '-' and '.'.
        name: String,
        /// What they may do.
        #[arg(long, value_enum, default_value = "staff")]
        role: RoleArg,
    },
    /// List who may sign in.
    List,
    /// Take someone out.
    Remove {
        /// Their name.
        name: String,
    },
    /// Give someone another PIN or password, read from the standard input.
    Password {
        /// Their name.
        name: String,
    },
}

/// Runs it.
pub fn run(
    args: UsersArgs,
    load: impl FnOnce(&Path) -> anyhow::Result<Settings>,
) -> anyhow::Result<ExitCode> {
    let store = args.store.place(load)?.open_existing()?;
    let (now, by) = (Timestamp::now(), operator());
    match args.command {
        Command::Add { name, role } => {
            let role = match role {
                RoleArg::Staff => Role::Staff,
                RoleArg::Admin => Role::Admin,
            };
            store.add_user(&name, role, &secret(role)?, &by, now)?;
            println!("{name} may sign in as {}", role.word());
        }
        Command::List => {
            let users = store.users()?;
            if users.is_empty() {
                println!("nobody may sign in: add someone with `shopguide users add NAME --role admin`");
            }
            for user in users {
                println!("{:<32}  {:<5}  since {}", user.name, user.role.word(), user.since.strftime("%F"));
            }
        }
        Command::Remove { name } => {
            store.remove_user(&name, &by, now)?;
            println!("{name} may not sign in any more");
        }
        Command::Password { name } => {
            let (user, _) = store.user(&name)?.with_context(|| format!("there is no user \"{name}\""))?;
            store.set_secret(&name, &secret(user.role)?, &by, now)?;
            println!("{name} has a new secret");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads one line and hashes it.
fn secret(role: Role) -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        print!("PIN or password (it will be seen while you type): ");
        std::io::stdout().flush()?;
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read the secret from the standard input")?;
    Ok(password::hash(line.trim_end_matches(['\n', '\r']), role == Role::Staff)?)
}
