//! `shopguide evaluate recognition|detection|recommendations`: how well the models do on
//! photographs, or on baskets, of one's own, through the same code as the daemon. Photographs stay in
//! memory and nothing is written.

mod detection;
mod groups;
mod open_set;
mod own_store;
mod pairs;
pub(super) mod photographs;
pub(super) mod recognition;
pub(super) mod recommendations;
pub(super) mod split;

use super::references::Peers;
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
    /// Suggestions for baskets whose next one is known, beside the published methods.
    Recommendations(recommendations::Arguments),
}

/// Models to use instead of those inside the program.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Models {
    /// Card of the detector [default: the one inside the program].
    #[arg(long, value_name = "CARD.toml")]
    pub detector: Option<PathBuf>,
    /// Card of the refiner [default: the one inside the program, beside the detector inside it].
    #[arg(long, value_name = "CARD.toml")]
    pub refiner: Option<PathBuf>,
    /// Card of the embedder [default: the one inside the program].
    #[arg(long, value_name = "CARD.toml")]
    pub embedder: Option<PathBuf>,
}

/// `evaluate recognition`.
#[derive(Debug, clap::Args)]
pub struct Recognition {
    /// Folder or zip laid out as `<identity>/<image>.jpg`, or of files named `age_gender_race_..`, each
    /// of another person.
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
    /// The photographs are aligned already, 112x112: embed them as they are.
    #[arg(long)]
    pub aligned: bool,
    /// The same figures by age, gender and race where names tell, and by pose, light, sharpness and size.
    #[arg(long)]
    pub groups: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// Models to use.
    pub models: Models,
    #[command(flatten)]
    /// Embedders by others, on the same crops.
    pub peers: Peers,
}

/// `evaluate detection`.
#[derive(Debug, clap::Args)]
pub struct Detection {
    /// Folder or zip of photographs with a `gt.json` that names the boxes of each; without one, of
    /// portraits laid out as `<identity>/<image>.jpg`.
    #[arg(long, value_name = "ZIP_OR_DIR")]
    pub images: PathBuf,
    /// Only identities that no training saw.
    #[arg(long)]
    pub held_out: bool,
    /// Least score of a face, 0 to 1 [default: the card's].
    #[arg(long, value_name = "SCORE", value_parser = share)]
    pub threshold: Option<f32>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Card of the detector [default: the one inside the program].
    #[arg(long, value_name = "CARD.toml")]
    pub detector: Option<PathBuf>,
    /// Card of the refiner [default: the one inside the program, beside the detector inside it].
    #[arg(long, value_name = "CARD.toml")]
    pub refiner: Option<PathBuf>,
    #[command(flatten)]
    /// Detectors by others; the first that gives landmarks is the measure of landmarks.
    pub peers: Peers,
}

fn share(text: &str) -> Result<f32, String> {
    let value = text.parse().ok().filter(|value| (0.0..=1.0).contains(value));
    value.ok_or_else(|| "expected a number from 0 to 1".into())
}

impl Models {
    fn settings(&self) -> VisionSettings {
        VisionSettings {
            detector: self.detector.clone(),
            refiner: self.refiner.clone(),
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
        What::Recommendations(r) if r.store => {
            let figures = own_store::evaluate(r)?;
            if r.json { print_json(&figures) } else { print!("{figures}") }
        }
        What::Recommendations(r) => {
            let figures = recommendations::evaluate(r)?;
            if r.json { print_json(&figures) } else { print!("{figures}") }
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
