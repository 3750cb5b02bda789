//! `shopguide update build`: one signed file out of a program, models and configuration.

use crate::clock::Clock;
use crate::update::UpdateError;
use crate::update::apply::version_of;
use crate::update::bundle::{measure, write};
use crate::update::key::SigningKey;
use crate::update::manifest::{CONFIG, FORMAT, MODELS, Manifest, PROGRAM, Packed};
use crate::update::version::Version;
use crate::vision::admission;
use crate::vision::card::Card;
use anyhow::{Context, bail};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The arguments of `shopguide update build`.
#[derive(Debug, clap::Args)]
pub struct BuildArgs {
    /// The private key, as `shopguide update keygen` made it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The program.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// The program's version, if it is for another processor and cannot be asked here.
    #[arg(long, value_name = "VERSION", requires = "program")]
    program_version: Option<Version>,
    /// The card of a model whose network lies beside it; the option may come several times.
    #[arg(long = "model", value_name = "CARD.toml")]
    models: Vec<PathBuf>,
    /// Lines of configuration that go before those of the box, as a drop-in.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The release's number, e.g. 1.4.0, or 1.4.0.2 without a new program; by default the program's version.
    #[arg(long, value_name = "NUMBER")]
    release: Option<Version>,
    /// What is new, for whoever applies it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    notes: String,
    /// Where it goes; by default `shopguide-<release>.update`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Makes it.
pub fn run(args: &BuildArgs) -> anyhow::Result<()> {
    let key = SigningKey::read(&args.key)?;
    let mut sources: Vec<(String, PathBuf)> = Vec::new();
    let (mut version, mut processor) = (None, "any");
    if let Some(program) = &args.program {
        processor = processor_of(program)?;
        version = Some(match args.program_version {
            Some(version) => version,
            None => version_of(program).map_err(|why| {
                anyhow::anyhow!(
                    "{why}; if it is for another processor, say its version with --program-version"
                )
            })?,
        });
        sources.push((PROGRAM.to_owned(), program.clone()));
    }
    if let Some(config) = &args.config {
        let text =
            std::fs::read_to_string(config).with_context(|| format!("reading {}", config.display()))?;
        let _: toml::Table = text.parse().with_context(|| format!("{} is not TOML", config.display()))?;
        sources.push((CONFIG.to_owned(), config.clone()));
    }
    for model in &args.models {
        sources.extend(files_of(model)?);
    }
    let Some(release) = args.release.or(version) else {
        bail!("which number has the release? Say it with --release, e.g. --release {}.1", Version::own());
    };
    let files = sources.iter().map(|(path, source)| {
        let (bytes, blake3) = measure(source)?;
        Ok(Packed { path: path.clone(), bytes, blake3 })
    });
    let manifest = Manifest {
        format: FORMAT,
        release,
        made: Clock::system().now().utc,
        program: version,
        processor: processor.to_owned(),
        notes: args.notes.clone(),
        files: files.collect::<Result<_, UpdateError>>()?,
    };
    let out = args.out.clone().unwrap_or_else(|| format!("shopguide-{release}.update").into());
    let sources: Vec<PathBuf> = sources.into_iter().map(|(_, source)| source).collect();
    write(&out, &manifest, &sources, &key)?;
    println!("{}: {}", out.display(), manifest.in_words());
    Ok(())
}

/// A model's card and network, once the network has run here.
fn files_of(card: &Path) -> anyhow::Result<[(String, PathBuf); 2]> {
    let text = std::fs::read_to_string(card).with_context(|| format!("reading {}", card.display()))?;
    let parsed =
        Card::parse(&text).map_err(|e| anyhow::anyhow!("{} is not a model's card: {e}", card.display()))?;
    admission::try_apart(card, parsed.task).map_err(|e| anyhow::anyhow!("{}: {e}", card.display()))?;
    let name = card.file_name().and_then(|name| name.to_str()).context("the card's name is not UTF-8")?;
    let network = card.with_file_name(&parsed.file);
    Ok([(format!("{MODELS}{name}"), card.to_owned()), (format!("{MODELS}{}", parsed.file), network)])
}

/// The processor that a program was built for, from its ELF header; `any` for a script.
fn processor_of(program: &Path) -> anyhow::Result<&'static str> {
    let mut head = [0_u8; 20];
    let read = File::open(program).and_then(|mut file| file.read(&mut head));
    let read = read.with_context(|| format!("reading {}", program.display()))?;
    Ok(match head {
        [b'#', b'!', ..] => "any",
        // e_machine of the ELF header, little endian: EM_X86_64, EM_AARCH64.
        [0x7f, b'E', b'L', b'F', ..] if read == head.len() => {
            match u16::from_le_bytes([head[18], head[19]]) {
                62 => "x86_64",
                183 => "aarch64",
                other => bail!(
                    "{} is for a processor that is not known here (ELF machine {other})",
                    program.display()
                ),
            }
        }
        _ => bail!("{} is not a program", program.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_processor_is_read_from_its_header() {
        assert_eq!(processor_of(Path::new("/proc/self/exe")).unwrap(), std::env::consts::ARCH);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        let mut arm = std::fs::read("/proc/self/exe").unwrap()[..64].to_vec();
        arm[18..20].copy_from_slice(&183_u16.to_le_bytes());
        std::fs::write(&file, arm).unwrap();
        assert_eq!(processor_of(&file).unwrap(), "aarch64");
        for bad in ["", "\x7fELF", "text"] {
            std::fs::write(&file, bad).unwrap();
            assert!(processor_of(&file).unwrap_err().to_string().contains("not a program"), "{bad}");
        }
    }
}
