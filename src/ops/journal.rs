//! Log lines for systemd's journal, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL):
//! one datagram a line. The message holds the fields too, so that `journalctl -u shopguide` tells
//! all (`camera lost camera=door error=...`); each field is beside it as `SHOPGUIDE_<NAME>` for
//! filtering. A journal that does not answer costs 100 ms a line at most, and the line.

use std::fmt::{Debug, Write};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where the journal listens.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// Longest value of a field, in bytes: a datagram must fit into the socket's buffer.
const LONGEST: usize = 16 * 1024;

/// Sends every event to the journal.
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// Fails if there is no journal.
    pub(super) fn connect() -> io::Result<Self> {
        Self::connect_to(Path::new(JOURNAL))
    }

    fn connect_to(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        socket.set_write_timeout(Some(Duration::from_millis(100)))?;
        Ok(Journal { socket })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let meta = event.metadata();
        let mut line = Line::default();
        event.record(&mut line);
        let mut datagram = Vec::with_capacity(512);
        let message = format!("{}{}", line.message, line.fields);
        put(&mut datagram, "MESSAGE", message.trim_start());
        put(&mut datagram, "PRIORITY", priority(meta.level()));
        put(&mut datagram, "SYSLOG_IDENTIFIER", "shopguide");
        put(&mut datagram, "TARGET", meta.target());
        for (name, value) in &line.values {
            put(&mut datagram, name, value);
        }
        // There is nobody to tell when the log itself fails.
        let _ = self.socket.send(&datagram);
    }
}

/// Syslog's priorities.
fn priority(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

/// Appends a field with its length, so that a value may hold anything.
fn put(datagram: &mut Vec<u8>, name: &str, value: &str) {
    let value = &value.as_bytes()[..value.floor_char_boundary(LONGEST)];
    datagram.extend_from_slice(name.as_bytes());
    datagram.push(b'\n');
    datagram.extend_from_slice(&(value.len() as u64).to_le_bytes());
    datagram.extend_from_slice(value);
    datagram.push(b'\n');
}

/// What an event says.
#[derive(Default)]
struct Line {
    message: String,
    /// ` key=value` for every field but the message.
    fields: String,
    /// The journal's names of the fields, and their values.
    values: Vec<(String, String)>,
}

impl Line {
    fn add(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = text;
            return;
        }
        let _ = write!(self.fields, " {}={text}", field.name());
        let name = field.name().to_uppercase();
        let name = name.replace(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit(), "_");
        self.values.push((format!("SHOPGUIDE_{name}"), text));
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = if field.name() == "message" { value.to_owned() } else { format!("{value:?}") };
        self.add(field, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    /// The fields of one datagram.
    fn fields(mut datagram: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        while let Some(end) = datagram.iter().position(|b| *b == b'\n') {
            let (name, rest) = datagram.split_at(end);
            let length = u64::from_le_bytes(rest[1..9].try_into().unwrap()) as usize;
            let value = &rest[9..9 + length];
            fields.push((
                String::from_utf8(name.to_vec()).unwrap(),
                String::from_utf8(value.to_vec()).unwrap(),
            ));
            datagram = &rest[9 + length + 1..];
        }
        fields
    }

    fn sent(log: impl FnOnce()) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let subscriber = tracing_subscriber::registry().with(Journal::connect_to(&path).unwrap());
        tracing::subscriber::with_default(subscriber, log);
        let mut datagram = vec![0; 1 << 18];
        let length = journal.recv(&mut datagram).unwrap();
        fields(&datagram[..length])
    }

    #[test]
    fn a_line_tells_its_fields_in_the_message_and_beside_it() {
        let fields = sent(|| tracing::warn!(camera = "door", lost.for_s = 5, "camera lost\nagain"));
        let value = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!(value("MESSAGE"), Some("camera lost\nagain camera=\"door\" lost.for_s=5"));
        assert_eq!(value("PRIORITY"), Some("4"));
        assert_eq!(value("SYSLOG_IDENTIFIER"), Some("shopguide"));
        assert_eq!(value("SHOPGUIDE_CAMERA"), Some("\"door\""));
        assert_eq!(value("SHOPGUIDE_LOST_FOR_S"), Some("5"));
    }

    #[test]
    fn a_value_without_end_is_cut_between_characters() {
        let fields = sent(|| tracing::info!("{}", "é".repeat(100_000)));
        assert_eq!(fields[0].1.len(), LONGEST);
    }

    #[test]
    fn without_a_journal_there_is_none() {
        assert!(Journal::connect_to(Path::new("/nowhere/socket")).is_err());
    }
}
