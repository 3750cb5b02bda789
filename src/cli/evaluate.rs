//! `shopguide evaluate recognition|detection`: how well the models do on photographs of one's
//! own, through the same code as the daemon. Photographs stay in memory and nothing is written.

mod detection;
mod photographs;
mod recognition;

use crate::vision::settings::VisionSettings;
use std::path::PathBuf;

/// What to evaluate.
#[derive(Debug, clap::Args)]
pub struct Evaluate {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Faces found, members recognised, strangers left alone.
    Recognition(Recognition),
    /// Faces found by size, and boxes where there is no face.
    Detection(Detection),
}

/// Models to use instead of those inside the program.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Models {
    /// Card of the detector [default: the one inside the program].
    #[arg(long, value_name = "CARD.toml")]
    pub detector: Option<PathBuf>,
    /// Card of the embedder [default: the one inside the program].
    #[arg(long, value_name = "CARD.toml")]
    pub embedder: Option<PathBuf>,
}

/// `evaluate recognition`.
#[derive(Debug, clap::Args)]
pub struct Recognition {
    /// Folder or zip laid out as `<identity>/<image>.jpg`.
    #[arg(long, value_name = "ZIP_OR_DIR")]
    pub images: PathBuf,
    /// Only identities that no training saw: those whose name's SHA-256 is divisible by five.
    #[arg(long)]
    pub held_out: bool,
    /// At most this many identities.
    #[arg(long, value_name = "N")]
    pub identities: Option<usize>,
    /// Members in the gallery of the open-set figures.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub members: usize,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// Models to use.
    pub models: Models,
}

/// `evaluate detection`.
#[derive(Debug, clap::Args)]
pub struct Detection {
    /// Folder or zip of photographs, with a `gt.json` that names the boxes of each.
    #[arg(long, value_name = "ZIP_OR_DIR")]
    pub images: PathBuf,
    /// Card of another detector whose landmarks are the measure.
    #[arg(long, value_name = "CARD.toml")]
    pub reference: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// Models to use.
    pub models: Models,
}

impl Models {
    fn settings(&self) -> VisionSettings {
        VisionSettings {
            detector: self.detector.clone(),
            embedder: self.embedder.clone(),
            ..VisionSettings::default()
        }
    }
}

/// Runs the evaluation and prints its figures.
pub fn run(arguments: &Evaluate) -> anyhow::Result<()> {
    match &arguments.what {
        What::Recognition(r) => {
            let figures = recognition::evaluate(r)?;
            if r.json { print_json(&figures) } else { print!("{figures}") }
        }
        What::Detection(d) => {
            let figures = detection::evaluate(d)?;
            if d.json { print_json(&figures) } else { print!("{figures}") }
        }
    }
    Ok(())
}

fn print_json(figures: &impl serde::Serialize) {
    match serde_json::to_string_pretty(figures) {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("the figures cannot be written as JSON: {error}"),
    }
}

/// A bar that counts `n` photographs on standard error.
fn bar(n: usize) -> indicatif::ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} photographs, {eta} left");
    let bar = indicatif::ProgressBar::new(n as u64);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}
