//! `shopguide run`: the appliance as a service. Reads from top to bottom what happens: configuration,
//! log, start, ready, signals, end.

use super::settings::ConfigArg;
use crate::clock::Clock;
use crate::daemon::{Brought, Daemon};
use crate::ops::log::{self, LogHandle};
use crate::ops::settings::Settings;
use clap::Args;
use jiff::Timestamp;
use sd_notify::NotifyState;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// The arguments of `shopguide run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// A log filter instead of the configuration's, e.g. `shopguide=debug`.
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// For a soak: the wall clock begins here and hurries until it has caught up with the machine's.
    #[arg(long, hide = true, value_name = "TIME", requires = "clock_rate")]
    clock_from: Option<Timestamp>,
    /// How many seconds of that clock a real one has.
    #[arg(long, hide = true, value_name = "N", requires = "clock_from")]
    clock_rate: Option<u32>,
}

/// The only store that may live by another clock than the machine's.
const SOAK: &str = "soak";

/// Runs it until SIGTERM or SIGINT. Exit code 64: bad configuration; 1: failed start.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let (settings, warnings) = Settings::load(&args.config.config)?;
    let log = log::init(&settings.log, args.log.as_deref())?;
    for warning in warnings {
        tracing::warn!(id = "config-warning", "{warning}");
    }
    let clock = clock(args, &settings)?;
    let daemon = Daemon::start(settings, clock, Brought::default())?;
    attend(&daemon, args, &log)?;
    daemon.stop();
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}

/// The machine's clock, or for a soak one that hurries.
fn clock(args: &RunArgs, settings: &Settings) -> anyhow::Result<Clock> {
    let (Some(from), Some(rate)) = (args.clock_from, args.clock_rate) else { return Ok(Clock::system()) };
    if settings.store.id.as_str() != SOAK {
        anyhow::bail!("refused: only a store whose [store] id is \"{SOAK}\" may live by a hurried clock");
    }
    Ok(Clock::catching_up(from, rate))
}

/// Tells systemd how it goes and answers signals, until one says to end.
fn attend(daemon: &Daemon, args: &RunArgs, log: &LogHandle) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut second = tokio::time::interval(Duration::from_secs(1));
        let mut line_due = tokio::time::interval(Duration::from_secs(5));
        let mut told = String::new();
        notify(&[NotifyState::Ready]);
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => {
                    notify(&[NotifyState::Reloading]);
                    reload(daemon, args, log);
                    notify(&[NotifyState::Ready]);
                }
                _ = second.tick() => match daemon.stuck() {
                    None => notify(&[NotifyState::Watchdog]),
                    Some(part) => {
                        tracing::error!(id = "part-stuck", part, "a part is stuck; the watchdog is not fed");
                    }
                },
                _ = line_due.tick() => {
                    let line = daemon.in_a_line();
                    if line != told {
                        notify(&[NotifyState::Status(&line)]);
                        told = line;
                    }
                }
            }
        }
        notify(&[NotifyState::Stopping]);
        Ok(())
    })
}

fn notify(states: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(states);
}

fn reload(daemon: &Daemon, args: &RunArgs, log: &LogHandle) {
    let settings = match Settings::load(&args.config.config) {
        Ok((settings, warnings)) => {
            warnings.iter().for_each(|warning| tracing::warn!(id = "config-warning", "{warning}"));
            settings
        }
        Err(mistakes) => {
            tracing::error!(id = "config-mistake", "not reloaded, everything stays as it was: {mistakes}");
            return;
        }
    };
    let plan = daemon.reload(&settings);
    if let Err(error) = log.set(&plan.settings.log) {
        tracing::error!(id = "reload-failed", %error, "the log filter stays as it was");
    }
    for change in &plan.applied {
        tracing::info!(%change, "reloaded");
    }
    for change in &plan.needs_restart {
        tracing::warn!(id = "restart-needed", %change, "needs a restart");
    }
    if plan.is_empty() {
        tracing::info!("reloaded: nothing has changed");
    }
}
