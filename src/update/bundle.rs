//! A bundle, byte by byte: the line `shopguide update 1`, the manifest's length (4 bytes, little endian),
//! the manifest (JSON), an Ed25519 signature of all that, then the files one after the other as the
//! manifest lists them, and nothing behind them. The signature covers every file through its hash.
//!
//! What always holds: the signature is verified before the manifest is parsed; what is unpacked was
//! hashed as it was written; no more is read than the manifest may ask for.

use super::UpdateError;
use super::key::{SIGNATURE, SigningKey, TrustedKeys};
use super::manifest::{Manifest, PROGRAM};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"shopguide update 1\n";
/// Largest manifest, in bytes.
const LARGEST_MANIFEST: u32 = 256 * 1024;

/// A bundle whose signature and manifest are good. Its files are looked at when they are unpacked.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    file: File,
    manifest: Manifest,
    signer: String,
    /// Where the first file begins.
    begin: u64,
}

impl Bundle {
    /// Opens one that somebody signed whom this box trusts.
    pub fn open(path: &Path, keys: &TrustedKeys) -> Result<Bundle, UpdateError> {
        let damaged = |what: String| UpdateError::Damaged { file: path.to_owned(), what };
        let mut file = File::open(path).map_err(UpdateError::io("read", path))?;
        let length = file.metadata().map_err(UpdateError::io("read", path))?.len();
        let (signed, signature) = read_head(&mut file).map_err(|e| damaged(e.to_string()))?;
        let signer = keys
            .signer(&signed, &signature)
            .ok_or_else(|| UpdateError::Signature { file: path.to_owned(), keys: keys.file().to_owned() })?;
        let manifest = Manifest::parse(&signed[MAGIC.len() + 4..]).map_err(&damaged)?;
        let begin = (signed.len() + SIGNATURE) as u64;
        let expected = begin + manifest.bytes();
        if length != expected {
            return Err(damaged(format!("it has {length} bytes instead of {expected}")));
        }
        Ok(Bundle { path: path.to_owned(), file, manifest, signer, begin })
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The name of the key that it was signed with.
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// Writes every file into `folder`, which must be there, on disk for good.
    pub fn unpack(&mut self, folder: &Path) -> Result<(), UpdateError> {
        self.file.seek(SeekFrom::Start(self.begin)).map_err(UpdateError::io("read", &self.path))?;
        for packed in &self.manifest.files {
            let to = folder.join(&packed.path);
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent).map_err(UpdateError::io("make", parent))?;
            }
            let mode = if packed.path == PROGRAM { 0o755 } else { 0o644 };
            let opened = OpenOptions::new().write(true).create_new(true).open(&to);
            let mut out = opened.map_err(UpdateError::io("make", &to))?;
            let (bytes, hash) = copy(&mut (&self.file).take(packed.bytes), &mut out)
                .map_err(UpdateError::io("write", &to))?;
            // Whatever the administrator's umask is: the service must be able to read and run it.
            out.set_permissions(Permissions::from_mode(mode))
                .map_err(UpdateError::io("set the rights of", &to))?;
            out.sync_all().map_err(UpdateError::io("write", &to))?;
            if (bytes, &hash) != (packed.bytes, &packed.blake3) {
                let what = format!("{} in it is not as it was signed", packed.path);
                return Err(UpdateError::Damaged { file: self.path.clone(), what });
            }
        }
        Ok(())
    }
}

/// Everything that is signed, and its signature.
fn read_head(file: &mut File) -> io::Result<(Vec<u8>, [u8; SIGNATURE])> {
    let other = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let ends = |e: io::Error| match e.kind() {
        io::ErrorKind::UnexpectedEof => other("it ends within its first part"),
        _ => e,
    };
    let mut signed = Vec::new();
    Read::by_ref(file).take((MAGIC.len() + 4) as u64).read_to_end(&mut signed)?;
    let Some(size) = signed.strip_prefix(MAGIC) else {
        return Err(other("it does not begin as an update of shopguide does"));
    };
    let size = u32::from_le_bytes(size.try_into().map_err(|_| other("it ends within its first part"))?);
    if size > LARGEST_MANIFEST {
        return Err(other("its manifest would be too long"));
    }
    let begin = signed.len();
    signed.resize(begin + size as usize, 0);
    file.read_exact(&mut signed[begin..]).map_err(ends)?;
    let mut signature = [0; SIGNATURE];
    file.read_exact(&mut signature).map_err(ends)?;
    Ok((signed, signature))
}

/// Copies and hashes at once.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, String)> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hasher.finalize().to_hex().to_string())),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hasher.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
        bytes += n as u64;
    }
}

/// Length and hash of a file that is to be packed.
pub fn measure(file: &Path) -> Result<(u64, String), UpdateError> {
    let mut opened = File::open(file).map_err(UpdateError::io("read", file))?;
    copy(&mut opened, &mut io::sink()).map_err(UpdateError::io("read", file))
}

/// Writes a bundle to `out`, which must not be there: the manifest's files are taken from `sources`, in
/// the same order.
pub fn write(
    out: &Path,
    manifest: &Manifest,
    sources: &[PathBuf],
    key: &SigningKey,
) -> Result<(), UpdateError> {
    manifest.check().map_err(UpdateError::Refused)?;
    let io = |doing| UpdateError::io(doing, out);
    let text = serde_json::to_vec(manifest).map_err(|e| io("write")(e.into()))?;
    let size = u32::try_from(text.len()).ok().filter(|size| *size <= LARGEST_MANIFEST);
    let size = size.ok_or_else(|| UpdateError::Refused("the manifest would be too long".into()))?;
    let mut signed = MAGIC.to_vec();
    signed.extend_from_slice(&size.to_le_bytes());
    signed.extend_from_slice(&text);
    let made = OpenOptions::new().write(true).create_new(true).open(out).map_err(io("make"))?;
    let mut made = BufWriter::new(made);
    made.write_all(&signed).and_then(|()| made.write_all(&key.sign(&signed))).map_err(io("write"))?;
    for (packed, source) in manifest.files.iter().zip(sources) {
        let mut from = File::open(source).map_err(UpdateError::io("read", source))?;
        let written = copy(&mut from, &mut made).map_err(io("write"))?;
        if written != (packed.bytes, packed.blake3.clone()) {
            return Err(UpdateError::Refused(format!("{} changed while it was packed", source.display())));
        }
    }
    made.into_inner().map_err(|e| io("write")(e.into_error()))?.sync_all().map_err(io("write"))
}

#[cfg(test)]
mod tests {
    use super::super::manifest::{FORMAT, Packed};
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    struct Made {
        folder: tempfile::TempDir,
        bytes: Vec<u8>,
        keys: TrustedKeys,
    }

    /// A small bundle, signed.
    fn made() -> Made {
        let folder = tempfile::tempdir().unwrap();
        let (private, public) = SigningKey::make(&folder.path().join("shop")).unwrap();
        let (program, config) = (folder.path().join("p"), folder.path().join("c"));
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::write(&config, "log = 1\n").unwrap();
        let packed = |path: &str, source: &Path| {
            let (bytes, blake3) = measure(source).unwrap();
            Packed { path: path.into(), bytes, blake3 }
        };
        let manifest = Manifest {
            format: FORMAT,
            release: "0.1.0".parse().unwrap(),
            made: Timestamp::UNIX_EPOCH,
            program: Some("0.1.0".parse().unwrap()),
            processor: "x86_64".into(),
            notes: String::new(),
            files: vec![packed("shopguide", &program), packed("config.toml", &config)],
        };
        let out = folder.path().join("good.update");
        write(&out, &manifest, &[program, config], &SigningKey::read(&private).unwrap()).unwrap();
        let bytes = fs::read(out).unwrap();
        Made { folder, bytes, keys: TrustedKeys::read(&public).unwrap() }
    }

    impl Made {
        /// Opens and unpacks these bytes.
        fn take(&self, bytes: &[u8]) -> Result<(), String> {
            let (file, to) = (self.folder.path().join("x.update"), self.folder.path().join("unpacked"));
            fs::write(&file, bytes).unwrap();
            let _ = fs::remove_dir_all(&to);
            fs::create_dir(&to).unwrap();
            let unpacked = Bundle::open(&file, &self.keys).and_then(|mut bundle| bundle.unpack(&to));
            unpacked.map_err(|error| error.to_string())
        }
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let made = made();
        made.take(&made.bytes).unwrap();
        let to = made.folder.path().join("unpacked");
        assert_eq!(fs::read_to_string(to.join("shopguide")).unwrap(), "#!/bin/sh\n");
        assert_eq!(fs::read_to_string(to.join("config.toml")).unwrap(), "log = 1\n");
    }

    #[test]
    fn a_bundle_of_another_key_is_refused() {
        let (ours, theirs) = (made(), made());
        let said = ours.take(&theirs.bytes).unwrap_err();
        assert!(said.contains("signed with another key") && said.contains("shop.pub"), "{said}");
    }

    #[test]
    fn a_truncated_one_says_so() {
        let made = made();
        for length in 0..made.bytes.len() {
            let said = made.take(&made.bytes[..length]).unwrap_err();
            assert!(said.contains("not a whole update") && said.contains("stick"), "{length}: {said}");
        }
        let mut longer = made.bytes.clone();
        longer.push(0);
        assert!(made.take(&longer).unwrap_err().contains("instead of"));
    }

    #[test]
    fn no_bit_can_be_changed() {
        let made = made();
        for at in 0..made.bytes.len() {
            let mut bytes = made.bytes.clone();
            bytes[at] ^= 1;
            assert!(made.take(&bytes).is_err(), "byte {at} was changed and nobody noticed");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..400) {
            let made = made();
            let mut mixed = made.bytes[..at.min(made.bytes.len())].to_vec();
            mixed.extend_from_slice(&bytes);
            prop_assert!(made.take(&mixed).is_err() || mixed == made.bytes);
            prop_assert!(made.take(&bytes).is_err());
        }
    }
}
