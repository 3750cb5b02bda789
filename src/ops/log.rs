//! Where log lines go: to the journal under systemd, else to standard error for a person. What is
//! logged is set by one filter, which a reload can change while the program runs.
//!
//! Log lines hold no face vectors, member ids, names or passwords: those who write them see to it.

use super::journal::Journal;
use super::settings::nearest;
use std::io::IsTerminal;
use std::os::linux::fs::MetadataExt;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// Names of the levels, from the fewest to the most lines.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Talkative libraries, unless the filter names them itself.
const QUIET: &str = "mqtt5=warn,rumqttc=warn";

/// Why a text is not a log filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log filter {problem}")]
pub struct NotAFilter {
    /// In words, to follow the filter.
    pub problem: String,
    /// The filter that was probably meant.
    pub meant: Option<String>,
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error(transparent)]
    Filter(#[from] NotAFilter),
    /// Something in this process logs already.
    #[error("logging was started twice")]
    Twice,
}

/// Changes the filter of the running program.
#[derive(Debug, Clone)]
pub struct LogHandle {
    filter: reload::Handle<EnvFilter, Registry>,
    /// Given on the command line: then the configuration does not change it.
    overridden: bool,
}

impl LogHandle {
    /// Takes over the filter of newly read settings; returns whether it is now in use, which it is
    /// not when the command line gave another.
    pub fn set(&self, filter: &str) -> Result<bool, NotAFilter> {
        let filter = parse(filter)?;
        Ok(!self.overridden && self.filter.reload(filter).is_ok())
    }
}

/// Starts logging with the filter of the settings, or `overriding` (`--log`) instead.
pub fn init(from_settings: &str, overriding: Option<&str>) -> Result<LogHandle, LogError> {
    let (filter, handle) = reload::Layer::new(parse(overriding.unwrap_or(from_settings))?);
    let journal = if stderr_is_journal() { Journal::connect().ok() } else { None };
    let lines = match journal {
        Some(journal) => journal.boxed(),
        None => fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(|_| LogError::Twice)?;
    Ok(LogHandle { filter: handle, overridden: overriding.is_some() })
}

/// Whether `text` is a log filter: levels, and targets with levels, separated by commas.
pub fn check_filter(text: &str) -> Result<(), NotAFilter> {
    parse(text).map(|_| ())
}

fn parse(text: &str) -> Result<EnvFilter, NotAFilter> {
    let no = |problem: String, meant: Option<String>| NotAFilter { problem, meant };
    if text.trim().is_empty() {
        return Err(no("is empty".into(), Some("info".into())));
    }
    let parts: Vec<_> = text.split(',').map(str::trim).collect();
    for part in parts.iter().copied() {
        // A bare word that is no level would be taken for a target and silence everything else.
        let (target, level) =
            part.rsplit_once('=').map_or((None, part), |(target, level)| (Some(target), level));
        if (!level.is_empty() && level.parse::<LevelFilter>().is_ok())
            || (target.is_none() && part.contains("::"))
        {
            continue;
        }
        let meant = nearest::nearest(level, LEVELS).map(|name| text.replace(level, name));
        return Err(no(format!("holds \"{level}\", which is not a level"), meant));
    }
    let never = crate::camera::NEVER_LOGGED.map(|target| format!("{target}=off")).join(",");
    EnvFilter::try_new(format!("{QUIET},{},{never}", parts.join(",")))
        .map_err(|error| no(format!("is not valid: {error}"), None))
}

/// Whether standard error is the stream that systemd opened to the journal (`$JOURNAL_STREAM` names
/// its device and inode), and not redirected since.
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|meta| is_stream(&stream, meta.st_dev(), meta.st_ino()))
}

fn is_stream(stream: &str, device: u64, inode: u64) -> bool {
    stream.split_once(':').is_some_and(|(d, i)| d.parse() == Ok(device) && i.parse() == Ok(inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn levels_and_targets_are_filters() {
        for good in ["info", "INFO", "shopguide=debug", "warn,shopguide::camera=trace", "info, rumqttc=off"] {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_misspelt_level_is_not_taken_for_a_target() {
        let no = check_filter("infoo").unwrap_err();
        assert_eq!(no.meant.as_deref(), Some("info"));
        let no = check_filter("warn,shopguide=debgu").unwrap_err();
        assert_eq!(no.meant.as_deref(), Some("warn,shopguide=debug"));
        assert!(no.to_string().contains("\"debgu\""));
        for bad in ["", " ", "=", "a=b=c", "info,,debug", "loud", "[x"] {
            assert!(check_filter(bad).is_err(), "{bad:?} was accepted");
        }
    }

    /// Counts the events that get through the filter.
    #[derive(Clone, Default)]
    struct Count(Arc<AtomicUsize>);

    impl<S: tracing::Subscriber> Layer<S> for Count {
        fn on_event(&self, _event: &tracing::Event<'_>, _context: tracing_subscriber::layer::Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many of a debug and an info line get through before and after a reload to `debug`.
    fn lines_through(overridden: bool) -> (usize, usize) {
        let (filter, handle) = reload::Layer::new(parse("info").unwrap());
        let handle = LogHandle { filter: handle, overridden };
        let count = Count::default();
        let seen = || {
            let before = count.0.load(Ordering::Relaxed);
            tracing::debug!("a detail");
            tracing::info!("a fact");
            count.0.load(Ordering::Relaxed) - before
        };
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(filter).with(count.clone()),
            || {
                let before = seen();
                assert_eq!(handle.set("debug"), Ok(!overridden));
                (before, seen())
            },
        )
    }

    #[test]
    fn a_reload_changes_the_filter_of_the_running_program() {
        assert_eq!(lines_through(false), (1, 2));
    }

    #[test]
    fn a_filter_of_the_command_line_outlives_a_reload() {
        assert_eq!(lines_through(true), (1, 1));
    }

    #[test]
    fn only_the_very_stream_of_systemd_is_the_journal() {
        assert!(is_stream("9:1234", 9, 1234));
        for other in ["9:1235", "8:1234", "9", "", "a:b"] {
            assert!(!is_stream(other, 9, 1234), "{other}");
        }
    }
}
