//! The configuration: TOML in, checked settings out, or every mistake at once.
//!
//! A file goes through four rooms: `source` (lines, and what may be quoted of them), `syntax`
//! (where it is not TOML), `sections` (keys, shapes, ranges, defaults, references) and
//! `finding` (what a person reads). `drop_ins` adds the files of `conf.d` to it. What always holds: settings exist only if there is no error;
//! a finding quotes no secret; reading changes nothing.

pub mod drop_ins;
mod duration;
mod files;
mod finding;
pub(super) mod nearest;
mod reload;
pub mod schema;
mod secret;
mod sections;
mod shape;
mod source;
mod syntax;
mod table;
#[cfg(test)]
mod tests;

pub use finding::{Finding, Mistakes, Severity, Warning};
pub use reload::{Change, ReloadPlan, reload_plan};

use crate::broker::settings::BrokerSettings;
use crate::camera::settings::CameraSettings;
use crate::display::{Area, DisplaySettings, KioskSettings, StoreSettings};
use crate::publish::label::settings::{FontFile, LabelSettings};
use crate::publish::settings::BusSettings;
use crate::recommend::PolicySettings;
use crate::storage::settings::StorageSettings;
use crate::vision::settings::VisionSettings;
use crate::visit::settings::RecognitionSettings;
use crate::web::settings::WebSettings;
use drop_ins::DropIn;
use source::Source;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use table::{Credentials, Known, Reader};
use toml::de::DeTable;

/// Larger files are refused unread.
const LARGEST_FILE: u64 = 1 << 20;

/// Everything the daemon is told, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `[store]`.
    pub store: StoreSettings,
    /// Every `[[camera]]`.
    pub cameras: Vec<CameraSettings>,
    /// Every `[[display]]`.
    pub displays: Vec<DisplaySettings>,
    /// Every `[[kiosk]]`.
    pub kiosks: Vec<KioskSettings>,
    /// Every `[[area]]`.
    pub areas: Vec<Area>,
    /// Every `[[label]]`.
    pub labels: Vec<LabelSettings>,
    /// `[fonts] files`; without any, the fonts of this machine.
    pub fonts: Vec<FontFile>,
    /// `[vision]`.
    pub vision: VisionSettings,
    /// `[recognition]`.
    pub recognition: RecognitionSettings,
    /// `[policy]` and every `[[promotion]]`.
    pub policy: PolicySettings,
    /// `[mqtt]`; `None` only when the bus is turned off.
    pub bus: Option<BusSettings>,
    /// `[broker]`; `None` when the embedded broker is off.
    pub broker: Option<BrokerSettings>,
    /// `[web]`.
    pub web: WebSettings,
    /// `[storage]`.
    pub storage: StorageSettings,
    /// `[log]`: a `tracing` filter, e.g. `info` or `shopguide=debug`.
    pub log: String,
    /// `[import.catalogue]` and `[import.receipts]`: our column's name to theirs.
    pub import: BTreeMap<String, BTreeMap<String, String>>,
}

impl Settings {
    /// Every screen that gets slates: the displays, and the kiosks as displays.
    pub fn screens(&self) -> impl Iterator<Item = DisplaySettings> + '_ {
        self.displays.iter().cloned().chain(self.kiosks.iter().map(KioskSettings::display))
    }

    /// How long a personal slate stays valid after its member was last seen.
    pub fn personal_for(&self) -> std::time::Duration {
        self.bus.as_ref().map_or(crate::publish::settings::PERSONAL_FOR, |bus| bus.personal_for)
    }

    /// Reads a configuration file; secrets come from the files and credentials that it names.
    pub fn load(path: &Path) -> Result<(Settings, Vec<Warning>), Mistakes> {
        load(path, credentials().unwrap_or(Credentials::Absent), None)
    }

    /// Like [`Settings::load`], for looking only: outside the service, where systemd hands over no
    /// credentials, one that the configuration names is a warning and stays `None`.
    pub fn check(path: &Path) -> Result<(Settings, Vec<Warning>), Mistakes> {
        load(path, credentials().unwrap_or(Credentials::Unchecked), None)
    }

    /// Like [`Settings::check`], as if the drop-in of this name (`50-release.toml`) were `file`.
    pub fn check_with(path: &Path, name: &str, file: &Path) -> Result<(Settings, Vec<Warning>), Mistakes> {
        load(path, credentials().unwrap_or(Credentials::Unchecked), Some((name, file)))
    }

    /// Reads a configuration's text as if it stood in `file`, whose folder relative paths start from.
    pub fn from_str(text: &str, file: &Path) -> Result<(Settings, Vec<Warning>), Mistakes> {
        let surroundings = Surroundings {
            file,
            folder: folder_of(file),
            credentials: credentials().unwrap_or(Credentials::Absent),
            is_world_readable: false,
            drop_ins: Vec::new(),
        };
        read(text, surroundings).0
    }

    /// Whether `[mqtt]` leads to the embedded broker, which then gives the daemon a login of its own
    /// if the configuration names none.
    pub fn bus_is_embedded(&self) -> bool {
        let (Some(bus), Some(broker)) = (&self.bus, &self.broker) else { return false };
        let own = reachable(broker.listen);
        bus.tls.is_none() && bus.host == own.ip().to_string() && bus.port == own.port()
    }
}

/// The address at which this machine reaches a listener of its own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(v4) if v4.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(v6) if v6.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Where a text stands and what it may use.
struct Surroundings<'p> {
    file: &'p Path,
    folder: PathBuf,
    credentials: Credentials,
    is_world_readable: bool,
    drop_ins: Vec<DropIn>,
}

fn credentials() -> Option<Credentials> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| Credentials::Folder(folder.into()))
}

fn folder_of(file: &Path) -> PathBuf {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    file.parent().map(Path::to_owned).unwrap_or_default()
}

/// With `instead`, the drop-in of that name is that file.
fn load(path: &Path, credentials: Credentials, instead: Option<(&str, &Path)>) -> Reading {
    let text = read_text(path)?;
    let mut is_world_readable = files::is_world_readable(path);
    let mut files = drop_ins::of(path).map_err(|error| {
        let finding =
            Finding::error(format!("the folder {} beside it cannot be read: {error}", drop_ins::FOLDER));
        not_read(path, finding.help("let the user that the service runs as read it"))
    })?;
    if let Some((name, _)) = instead {
        files.retain(|file| file.file_name() != Some(name.as_ref()));
        files.push(path.parent().unwrap_or(Path::new("")).join(drop_ins::FOLDER).join(name));
        files.sort();
    }
    if let Some(finding) = drop_ins::too_many(&files) {
        return Err(not_read(path, finding));
    }
    let mut drop_ins = Vec::new();
    let mut left_out = Vec::new();
    let mut all = text.len();
    for file in &files {
        let read_from = match instead {
            Some((name, other)) if file.file_name() == Some(name.as_ref()) => other,
            _ => file,
        };
        let name = file.display().to_string();
        if drop_ins::leads_nowhere(read_from) {
            let finding = Finding::warning("leads nowhere, and is left out").help("remove the link");
            left_out.push(Source::new(name, "").place_nowhere(finding));
            continue;
        }
        let text = read_text(read_from)?;
        is_world_readable |= files::is_world_readable(read_from);
        all += text.len();
        if all as u64 > LARGEST_FILE {
            return Err(not_read(file, Finding::error("makes the configuration larger than 1 MiB in all")));
        }
        drop_ins.push(DropIn { file: name, text });
    }
    let folder = folder_of(path);
    let (settings, mut warnings) =
        read(&text, Surroundings { file: path, folder, credentials, is_world_readable, drop_ins }).0?;
    warnings.extend(left_out);
    Ok((settings, warnings))
}

/// The text of a configuration file, or why there is none.
fn read_text(path: &Path) -> Result<String, Mistakes> {
    String::from_utf8(read_file(path)?).map_err(|error| {
        let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let (line, column) = Source::new("", &good).position(good.len());
        let finding = Finding::error(format!("the text is not UTF-8 at line {line}, column {column}"));
        not_read(path, finding.help("save the file as UTF-8 in your editor"))
    })
}

/// The bytes of a configuration file, or why there are none.
fn read_file(path: &Path) -> Result<Vec<u8>, Mistakes> {
    let cannot = |error: std::io::Error| {
        let finding = match error.kind() {
            std::io::ErrorKind::NotFound => Finding::error("there is no such file").help(
                "name the configuration with --config FILE; config/shopguide.toml is one to start from",
            ),
            std::io::ErrorKind::PermissionDenied => Finding::error("this user may not read it")
                .help("give the file to the user that the service runs as"),
            _ => Finding::error(format!("cannot be read: {error}")),
        };
        not_read(path, finding)
    };
    let meta = std::fs::metadata(path).map_err(cannot)?;
    if meta.is_dir() {
        let finding = Finding::error("is a folder, not a file");
        return Err(not_read(path, finding.help("name the configuration file inside it")));
    }
    let too_large = |size: String| {
        let finding = Finding::error(format!("is too large for a configuration ({size}, at most 1 MiB)"));
        not_read(path, finding.help("is this really the configuration?"))
    };
    if meta.size() > LARGEST_FILE {
        return Err(too_large(format!("{} MiB", meta.size().div_ceil(1 << 20))));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(too_large("more than 1 MiB".into()));
    }
    Ok(bytes)
}

fn not_read(path: &Path, finding: Finding) -> Mistakes {
    Mistakes { findings: vec![Source::new(path.display().to_string(), "").place_nowhere(finding)] }
}

/// What a reading gives.
type Reading = Result<(Settings, Vec<Warning>), Mistakes>;

/// The reading itself, and every key that the program knows (`camera.url`).
fn read(text: &str, at: Surroundings<'_>) -> (Reading, BTreeMap<String, Known>) {
    // All files in one text, so that a place in it says which file and line. Each is parsed by itself,
    // behind as much white space as stands before it, so that its places are those of the whole text.
    let mut whole = text.to_owned();
    let mut files = vec![(at.file.display().to_string(), 0)];
    let mut parsed = vec![text.to_owned()];
    for DropIn { file, text } in &at.drop_ins {
        whole.push('\n');
        files.push((file.clone(), whole.len()));
        parsed.push(" ".repeat(whole.len()) + text);
        whole.push_str(text);
    }
    let source = Source::of_files(files, &whole);
    let mut document = DeTable::new();
    let mut syntax = Vec::new();
    for text in &parsed {
        let (table, errors) = DeTable::parse_recoverable(text);
        syntax.extend(syntax::findings(&source, text, &errors));
        drop_ins::merge(&mut document, table.into_inner());
    }
    let reader = Reader::new(source, at.folder, at.credentials, at.is_world_readable);
    let settings = sections::read(&reader.root(&document));
    let (known, mut findings) = reader.into_findings();

    // Below a syntax error a file may have been misunderstood: only what stands above is judged.
    for broken in syntax.iter().filter(|error| error.breaks_the_rest).map(|error| &error.finding) {
        findings.retain(|finding| {
            !finding.rests_on_whole
                && (finding.file != broken.file || (1..broken.line).contains(&finding.through))
        });
    }
    findings.extend(syntax.into_iter().map(|error| error.finding));
    let place = |finding: &Finding| {
        let drop_in = at.drop_ins.iter().position(|drop_in| drop_in.file == finding.file);
        (drop_in.map_or(0, |n| n + 1), finding.line, finding.column)
    };
    findings.sort_by_key(place);

    let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
    let result = match settings {
        Some(settings) if !refused => Ok((settings, findings)),
        _ => Err(Mistakes { findings }),
    };
    (result, known)
}
