//! Reading tables: every getter names a key, its shape and its default, notes that the key exists,
//! and turns whatever does not fit into a finding instead of stopping. [`Table::finish`] then
//! reports the keys that nobody asked for. Nothing here knows a section.

use super::finding::Finding;
use super::nearest::nearest;
use super::shape::Shape;
use super::source::{Source, brief};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use toml::de::{DeTable, DeValue};

/// The problem of a key that must be there and is not.
const MISSING: &str = "is missing";

/// Unknown keys of one table that are reported one by one.
const MOST_UNKNOWN: usize = 20;

/// Where the secrets that systemd hands over lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// `$CREDENTIALS_DIRECTORY`.
    Folder(PathBuf),
    /// Not started by systemd.
    Absent,
    /// Not started by systemd, but only to check: a missing credential is a warning.
    Unchecked,
}

/// One reading of one file: the text, its surroundings, and what was found so far.
pub(super) struct Reader<'t> {
    pub(super) source: Source<'t>,
    /// Relative paths start here.
    pub(super) folder: PathBuf,
    pub(super) credentials: Credentials,
    /// Whether every user of the machine may read the configuration.
    pub(super) is_world_readable: bool,
    findings: RefCell<Vec<Finding>>,
    unknown: RefCell<Vec<Unknown>>,
    /// Every key that was asked for: `mqtt.tls.ca`, `[camera].url`.
    known: RefCell<BTreeMap<String, Known>>,
    /// How many tables of each kind (`[camera]`, `mqtt.tls`) were read.
    tables: RefCell<BTreeMap<String, usize>>,
}

/// What a reading learned of a key that the program has.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    /// What its values look like, as JSON schema; `None` for a section.
    pub(super) schema: Option<Value>,
    /// Whether every table of its kind must have it.
    pub(super) is_required: bool,
    /// Whether its section takes any key.
    pub(super) is_free: bool,
    required_in: usize,
}

/// A key that its table does not have.
struct Unknown {
    finding: Finding,
    word: String,
    parent: String,
    siblings: Vec<&'static str>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(
        source: Source<'t>,
        folder: PathBuf,
        credentials: Credentials,
        is_world_readable: bool,
    ) -> Self {
        Reader {
            source,
            folder,
            credentials,
            is_world_readable,
            findings: RefCell::default(),
            unknown: RefCell::default(),
            known: RefCell::default(),
            tables: RefCell::default(),
        }
    }

    /// The whole file as a table.
    pub(super) fn root<'r>(&'r self, entries: &'r DeTable<'t>) -> Table<'r, 't> {
        Table::new(self, Some(entries), String::new(), String::new(), None)
    }

    /// Adds a finding that is already placed.
    pub(super) fn push(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    /// Every key that the program has, e.g. `mqtt.host` or `[camera].url`, and every finding.
    pub(super) fn into_findings(self) -> (BTreeMap<String, Known>, Vec<Finding>) {
        let mut known = self.known.into_inner();
        let tables = self.tables.into_inner();
        for (path, key) in &mut known {
            let table = path.rsplit_once('.').map_or("", |(table, _)| table);
            key.is_required = key.required_in > 0 && tables.get(table) == Some(&key.required_in);
        }
        let mut findings = self.findings.into_inner();
        // A key that is misspelt is not also missing: one mistake, not two.
        let mut misspelt = BTreeSet::new();
        for Unknown { finding, word, parent, siblings } in self.unknown.into_inner() {
            let elsewhere = || {
                if parent.is_empty() || !known.contains_key(&word) {
                    return None;
                }
                Some(format!("`{word}` is a section of its own: give it a line `[{word}]`"))
            };
            let key_elsewhere = || {
                let places: Vec<_> = known
                    .keys()
                    .filter_map(|path| path.rsplit_once('.').filter(|(_, key)| *key == word))
                    .map(|(section, _)| format!("[{section}]"))
                    .collect();
                (!places.is_empty()).then(|| format!("`{word}` is a key of {}", places.join(", ")))
            };
            let help = match nearest(&word, siblings.iter().copied()) {
                Some(name) => {
                    misspelt.insert(join(&parent, name));
                    Some(format!("did you mean `{name}`?"))
                }
                None => elsewhere().or_else(key_elsewhere),
            };
            findings.push(Finding { help, ..finding }.expected(format!("one of {}", siblings.join(", "))));
        }
        findings.retain(|finding| finding.problem != MISSING || !misspelt.contains(&finding.key));
        (known, findings)
    }
}

/// One table of the file, or one that the file leaves out (all its keys are then absent).
pub(super) struct Table<'r, 't> {
    reader: &'r Reader<'t>,
    entries: Option<&'r DeTable<'t>>,
    /// `camera[2]`; empty for the whole file.
    path: String,
    /// `mqtt.tls`, or `[camera]` for an entry of `[[camera]]`; empty for the whole file.
    plain_path: String,
    /// Its header, or the whole of it when written in one line.
    span: Option<Range<usize>>,
    asked: RefCell<Vec<&'static str>>,
    refused: RefCell<Vec<&'static str>>,
}

impl<'r, 't> Table<'r, 't> {
    fn new(
        reader: &'r Reader<'t>,
        entries: Option<&'r DeTable<'t>>,
        path: String,
        plain_path: String,
        span: Option<Range<usize>>,
    ) -> Self {
        *reader.tables.borrow_mut().entry(plain_path.clone()).or_default() += 1;
        Table {
            reader,
            entries,
            path,
            plain_path,
            span,
            asked: RefCell::default(),
            refused: RefCell::default(),
        }
    }

    pub(super) fn reader(&self) -> &'r Reader<'t> {
        self.reader
    }

    /// Notes that `key` exists, and finds it.
    fn value(&self, key: &'static str) -> Option<(Range<usize>, &'r DeValue<'t>)> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
            self.reader.known.borrow_mut().entry(join(&self.plain_path, key)).or_default();
        }
        // Where a value is not TOML the parser leaves one of no length: that counts as none.
        let value = self.entries?.get(key).filter(|value| !value.span().is_empty())?;
        Some((value.span(), value.get_ref()))
    }

    /// Whether the file gives `key`.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    /// Whether the file has this table at all.
    pub(super) fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    /// The line of `key`, or of the table's header, as a person finds it; empty for a table that the file
    /// leaves out.
    pub(super) fn place_of(&self, key: &str) -> String {
        let named = |span: Range<usize>| self.reader.source.named(self.reader.source.position(span.start).0);
        self.span_of(key).map(named).unwrap_or_default()
    }

    fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.entries.and_then(|entries| entries.get(key)).map(|value| value.span()).or(self.span.clone())
    }

    /// Adds a finding about `key`, placed at its value or else at the table's header.
    pub(super) fn report(&self, key: &str, mut finding: Finding) {
        finding.key = join(&self.path, key);
        let value = self.entries.and_then(|entries| entries.get(key));
        finding.value = finding.value.or(value.map(|value| self.reader.source.quote(value.span())));
        self.reader.push(match self.span_of(key) {
            Some(span) => self.reader.source.place(span, finding),
            None => self.reader.source.place_nowhere(finding),
        });
    }

    /// The full path of `key`.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// The text that the file gives for `key`, whether it fits or not.
    pub(super) fn plain_text(&self, key: &str) -> Option<String> {
        self.entries?.get(key)?.get_ref().as_str().map(str::to_owned)
    }

    /// What the file says of `key`, quoted for a message.
    pub(super) fn quote(&self, key: &'static str) -> String {
        self.value(key).map(|(span, _)| self.reader.source.quote(span)).unwrap_or_default()
    }

    /// The value of `key`; `None` if it is absent or (after reporting it) does not fit.
    pub(super) fn optional<T>(&self, key: &'static str, shape: &Shape<'_, T>) -> Option<T> {
        let found = self.value(key);
        self.learn(key, |known| known.schema = Some(shape.described()));
        let (span, value) = found?;
        let refusal = match shape.read(value) {
            Ok(value) => return Some(value),
            Err(refusal) => refusal,
        };
        let shown = self.reader.source.quote(span.clone());
        let problem = refusal.problem.unwrap_or_else(|| format!("is {}", type_name(value)));
        let mut finding = Finding::error(format!("{shown} {problem}")).expected(shape.expected.clone());
        finding.help =
            match refusal.meant.or_else(|| with_other_quotes(self.reader.source.raw(span), value, shape)) {
                Some(meant) => Some(format!("did you mean {}?", brief(&meant))),
                None => refusal.help,
            };
        self.report(key, finding);
        None
    }

    /// Notes something of a key.
    fn learn(&self, key: &str, what: impl FnOnce(&mut Known)) {
        what(self.reader.known.borrow_mut().entry(join(&self.plain_path, key)).or_default());
    }

    /// The value of `key`, or its default.
    pub(super) fn or<T>(&self, key: &'static str, shape: &Shape<'_, T>, default: T) -> T {
        self.optional(key, shape).unwrap_or(default)
    }

    /// The value of `key`, which must be there.
    pub(super) fn required<T>(&self, key: &'static str, shape: &Shape<'_, T>) -> Option<T> {
        self.learn(key, |known| known.required_in += 1);
        if !self.has(key) {
            self.missing(key, &shape.expected);
        }
        self.optional(key, shape)
    }

    /// Reports that `key` must be there and is not.
    pub(super) fn missing(&self, key: &'static str, expected: &str) {
        let finding = Finding::error(MISSING).expected(expected).rests_on_whole();
        let section = &self.plain_path;
        let finding = if self.is_present() || section.is_empty() {
            finding
        } else {
            finding.help(format!("add a section [{section}] with a line `{key} = ...`"))
        };
        self.report(key, finding);
    }

    /// Reports `key`, if it is there, as one that goes with something else only.
    pub(super) fn only_with(&self, key: &'static str, what: &str) {
        if self.has(key) {
            self.report(key, Finding::error("does not apply here").expected(format!("{what} beside it")));
        }
    }

    /// Reports `key`, if it is there, as one that is refused; it does not count as a known key.
    pub(super) fn refuse(&self, key: &'static str, why: &str, help: &str) {
        if self.entries.is_some_and(|entries| entries.contains_key(key)) {
            self.refused.borrow_mut().push(key);
            self.report(key, Finding { value: Some("***".into()), ..Finding::error(why).help(help) });
        }
    }

    /// The table `key`; absent (and after reporting it) if it is not one.
    pub(super) fn section(&self, key: &'static str) -> Table<'r, 't> {
        let child = |entries, span| {
            Table::new(self.reader, entries, join(&self.path, key), join(&self.plain_path, key), span)
        };
        match self.value(key) {
            Some((span, DeValue::Table(entries))) => child(Some(entries), Some(span)),
            Some((_, value)) => {
                let name = join(&self.plain_path, key);
                let finding = Finding::error(format!("is {}, not a section", type_name(value)));
                self.report(
                    key,
                    finding.expected(format!("a line `[{name}]` and its keys on the lines below it")),
                );
                child(None, None)
            }
            None => child(None, None),
        }
    }

    /// Every `[[key]]`, numbered from 1; `most` at most.
    pub(super) fn entries(&self, key: &'static str, most: usize) -> Vec<Table<'r, 't>> {
        let expected = format!("a line `[[{key}]]` before the keys of each one");
        let not_entries =
            |value| Finding::error(format!("is {}", type_name(value))).expected(expected.clone());
        let list = match self.value(key) {
            None => return Vec::new(),
            Some((_, DeValue::Array(list))) => list,
            Some((_, value @ DeValue::Table(_))) => {
                let help = format!("write `[[{key}]]` with two brackets on each side: there can be several");
                self.report(key, not_entries(value).help(help));
                return Vec::new();
            }
            Some((_, value)) => {
                self.report(key, not_entries(value));
                return Vec::new();
            }
        };
        if list.len() > most {
            let problem = format!("there are {} of them", list.len());
            self.report(key, Finding::error(problem).expected(format!("at most {most}")));
        }
        let mut tables = Vec::new();
        for (n, entry) in list.iter().enumerate().take(most) {
            match entry.get_ref() {
                DeValue::Table(entries) => {
                    let path = format!("{}[{}]", join(&self.path, key), n + 1);
                    tables.push(Table::new(
                        self.reader,
                        Some(entries),
                        path,
                        format!("[{}]", join(&self.plain_path, key)),
                        Some(entry.span()),
                    ));
                }
                value => self.report(key, not_entries(value)),
            }
        }
        tables
    }

    /// Every key and value of a table whose keys are free.
    pub(super) fn free<T>(&self, shape: &Shape<'_, T>) -> Vec<(String, T)> {
        let mut pairs = Vec::new();
        self.reader.known.borrow_mut().entry(self.plain_path.clone()).or_default().is_free = true;
        for (key, value) in self.entries.into_iter().flatten() {
            match shape.read(value.get_ref()) {
                Ok(value) => pairs.push((key.get_ref().to_string(), value)),
                Err(refusal) => {
                    let problem =
                        refusal.problem.unwrap_or_else(|| format!("is {}", type_name(value.get_ref())));
                    let shown = self.reader.source.quote(value.span());
                    self.report(
                        key.get_ref(),
                        Finding::error(format!("{shown} {problem}")).expected(shape.expected.clone()),
                    );
                }
            }
        }
        pairs
    }

    /// Reports every key that nobody asked for (the first twenty one by one).
    pub(super) fn finish(&self) {
        let (asked, refused) = (self.asked.borrow(), self.refused.borrow());
        let is_known = |word: &str| asked.iter().chain(refused.iter()).any(|known| *known == word);
        let keys = self.entries.into_iter().flatten().map(|(key, _)| key);
        let mut unknown: Vec<_> = keys.filter(|key| !is_known(key.get_ref())).collect();
        unknown.sort_by_key(|key| key.span().start);
        for (n, key) in unknown.iter().enumerate() {
            let rest = unknown.len() - n;
            let word = key.get_ref().to_string();
            let mut finding = Finding::error(match n {
                MOST_UNKNOWN => format!("there is no such key, nor are there {} more", rest - 1),
                _ => "there is no such key".to_owned(),
            });
            finding.key = join(&self.path, &brief(&word));
            self.reader.unknown.borrow_mut().push(Unknown {
                finding: self.reader.source.place(key.span(), finding),
                word,
                parent: self.path.clone(),
                siblings: asked.clone(),
            });
            if n == MOST_UNKNOWN {
                break;
            }
        }
    }
}

/// What was probably meant if the value only has quotes too many or too few.
fn with_other_quotes<T>(raw: &str, value: &DeValue<'_>, shape: &Shape<'_, T>) -> Option<String> {
    match value {
        DeValue::String(text) => {
            let bare = DeValue::parse(text).ok()?;
            (!bare.get_ref().is_str() && shape.read(bare.get_ref()).is_ok()).then(|| text.to_string())
        }
        DeValue::Array(_) | DeValue::Table(_) => None,
        _ => shape.read(&DeValue::String(raw.into())).is_ok().then(|| format!("{raw:?}")),
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
