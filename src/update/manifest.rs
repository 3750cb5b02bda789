//! What a bundle says of itself: the release's number, and each file with length and hash. It is parsed
//! only after its signature was verified, and is still believed in nothing that could do harm: names are
//! of a fixed form, so that no file lands anywhere else, and sizes have limits.

use super::version::Version;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The format that this program writes and the newest it reads.
pub const FORMAT: u32 = 1;
/// Name of the program in a bundle.
pub const PROGRAM: &str = "shopguide";
/// Name of the configuration in a bundle.
pub const CONFIG: &str = "config.toml";
/// Folder of the models in a bundle.
pub const MODELS: &str = "models/";
/// Most files.
const MOST_FILES: usize = 32;
/// Largest program, model and other file, in bytes.
const LARGEST: [u64; 3] = [512 << 20, crate::vision::network::FILE_LIMIT, 1 << 20];
/// Longest name of a model's file, and longest note.
const LONGEST: [usize; 2] = [64, 2_000];

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of the bundle.
    pub format: u32,
    /// The release's number.
    pub release: Version,
    /// When the bundle was made.
    pub made: Timestamp,
    /// Version of the program in it; `None` if it holds models or configuration only.
    pub program: Option<Version>,
    /// The processor that the program was built for, e.g. `x86_64`.
    pub processor: String,
    /// What is new, for a person.
    pub notes: String,
    /// Every file, in the order in which they follow.
    pub files: Vec<Packed>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// `shopguide`, `config.toml` or `models/<name>`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its content, hexadecimal.
    pub blake3: String,
}

impl Manifest {
    /// Reads one and holds it against all limits; what is wrong, in words.
    pub fn parse(text: &[u8]) -> Result<Manifest, String> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } =
            serde_json::from_slice(text).map_err(|e| format!("its manifest is not one ({e})"))?;
        if format != FORMAT {
            return Err(format!(
                "it has the format {format}, this program knows {FORMAT}: update in smaller steps"
            ));
        }
        let manifest: Manifest =
            serde_json::from_slice(text).map_err(|e| format!("its manifest is not one ({e})"))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether everything is of the right form and within limits.
    pub fn check(&self) -> Result<(), String> {
        if self.files.is_empty() || self.files.len() > MOST_FILES {
            return Err(format!("it holds {} files: expected 1 to {MOST_FILES}", self.files.len()));
        }
        if self.notes.len() > LONGEST[1] {
            return Err(format!("its notes are longer than {} bytes", LONGEST[1]));
        }
        let mut seen = BTreeSet::new();
        for file in &self.files {
            let most = largest(&file.path).ok_or_else(|| {
                format!("it holds {:?}: expected {PROGRAM}, {CONFIG} or {MODELS}NAME", file.path)
            })?;
            if file.bytes > most {
                return Err(format!("{} has {} bytes, more than the limit of {most}", file.path, file.bytes));
            }
            if file.blake3.len() != 64 || !file.blake3.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(format!("the hash of {} is not one", file.path));
            }
            if !seen.insert(file.path.as_str()) {
                return Err(format!("it holds {} twice", file.path));
            }
        }
        if seen.contains(PROGRAM) != self.program.is_some() {
            return Err("it does not say truly whether it holds a program".into());
        }
        match self.program {
            Some(program) if self.release.of_program() < program => {
                Err(format!("release {} is numbered lower than its program {program}", self.release))
            }
            _ => Ok(()),
        }
    }

    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// In a few words.
    pub fn in_words(&self) -> String {
        let models =
            self.files.iter().filter(|f| f.path.starts_with(MODELS) && f.path.ends_with(".toml")).count();
        let mut parts: Vec<String> =
            self.program.map(|version| format!("program {version}")).into_iter().collect();
        match models {
            0 => {}
            1 => parts.push("1 model".into()),
            n => parts.push(format!("{n} models")),
        }
        if self.files.iter().any(|file| file.path == CONFIG) {
            parts.push("configuration".into());
        }
        let made = self.made.strftime("%F");
        format!(
            "release {}: {}; {:.1} MB, made {made}",
            self.release,
            parts.join(", "),
            self.bytes() as f64 / 1e6
        )
    }
}

/// The largest that the file of this name may be; `None` for a name that no bundle may hold.
fn largest(path: &str) -> Option<u64> {
    match path.strip_prefix(MODELS) {
        _ if path == PROGRAM => Some(LARGEST[0]),
        _ if path == CONFIG => Some(LARGEST[2]),
        Some(name) if is_name(name) => Some(LARGEST[1]),
        _ => None,
    }
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=LONGEST[0]).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn good() -> Manifest {
        let file = |path: &str| Packed { path: path.into(), bytes: 3, blake3: "0".repeat(64) };
        Manifest {
            format: FORMAT,
            release: "1.2.3".parse().unwrap(),
            made: Timestamp::UNIX_EPOCH,
            program: Some("1.2.3".parse().unwrap()),
            processor: "x86_64".into(),
            notes: String::new(),
            files: ["shopguide", "config.toml", "models/a.toml"].map(file).into(),
        }
    }

    fn refused(change: impl FnOnce(&mut Manifest)) -> String {
        let mut manifest = good();
        change(&mut manifest);
        Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap_err()
    }

    #[test]
    fn a_good_one_is_read_back() {
        let text = serde_json::to_vec(&good()).unwrap();
        assert_eq!(Manifest::parse(&text).unwrap(), good());
    }

    #[test]
    fn no_file_lands_outside() {
        for path in [
            "../x",
            "/etc/passwd",
            "models/../x",
            "models/",
            "models/.x",
            "models/a/b",
            "x",
            "",
            "models/a\0",
        ] {
            assert!(refused(|m| m.files[2].path = path.into()).contains("it holds"), "{path}");
        }
        assert!(refused(|m| m.files[2].path = "config.toml".into()).contains("twice"));
    }

    #[test]
    fn huge_sizes_and_lies_are_refused() {
        assert!(refused(|m| m.files[0].bytes = u64::MAX).contains("more than the limit"));
        assert!(refused(|m| m.files[1].bytes = 2 << 20).contains("more than the limit"));
        assert!(refused(|m| m.files[0].blake3 = "x".into()).contains("hash"));
        assert!(refused(|m| m.program = None).contains("truly"));
        assert!(refused(|m| m.program = Some("1.3.0".parse().unwrap())).contains("lower"));
        assert!(refused(|m| m.files.clear()).contains("0 files"));
        assert!(refused(|m| m.format = 2).contains("smaller steps"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(at in 0_usize..600, with in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut text = serde_json::to_vec(&good()).unwrap();
            let at = at.min(text.len());
            let end = (at + with.len()).min(text.len());
            text.splice(at..end, with);
            if let Ok(manifest) = Manifest::parse(&text) {
                prop_assert!(manifest.check().is_ok());
            }
        }
    }
}
