//! `shopguide calibrate`: sets the score that a match needs for a share of strangers that may be
//! taken for a member. The scores come from photographs of people, or from the members themselves.
//! Faces stay in memory as long as the command runs; a stranger's is never kept.

mod by_quality;
mod scores;

use super::store::{Place, StoreArgs};
use crate::gallery::calibration::{Calibration, Choice, Scores};
use crate::gallery::{Gallery, Template};
use crate::ops::settings::Settings;
use crate::storage::Store;
use crate::vision::Eyes;
use crate::vision::admission::Admission;
use crate::vision::settings::VisionSettings;
use crate::visit::settings::RecognitionSettings;
use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Members that a threshold is for when nothing says how many there are.
const MEMBERS: usize = 100;
/// Steps of the printed distribution, and its longest bar.
const STEPS: usize = 26;
const BAR: usize = 30;
/// The lowest score that is printed apart from those below it.
const LOWEST: f32 = -0.3;

/// The arguments of `shopguide calibrate`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true))]
pub struct CalibrateArgs {
    /// Photographs of people in a folder or zip laid out as `<identity>/<image>.jpg`: some are drawn
    /// to be members, all others are strangers.
    #[arg(long, value_name = "ZIP_OR_DIR", group = "source")]
    pub images: Option<PathBuf>,
    /// The store's own members, each a stranger to all others; needs 30.
    #[arg(long, group = "source")]
    pub gallery: bool,
    /// Share of strangers that may be taken for a member, per look at a face.
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    pub fpir: f64,
    /// Members that the threshold is for [default: those of the store; 100 without one].
    #[arg(long, value_name = "N")]
    pub members: Option<usize>,
    /// With --images: only people whom no training of the program's own models saw.
    #[arg(long, requires = "images")]
    pub held_out: bool,
    /// With --images: also print how the share of members found rises with quality, on their
    /// photographs as they are and made worse.
    #[arg(long, requires = "images")]
    pub quality: bool,
    /// Put the threshold where the appliance reads it; without this nothing is changed.
    #[arg(long)]
    pub write: bool,
    /// Print one JSON object instead of sentences.
    #[arg(long)]
    pub json: bool,
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Runs the command; `load` reads a configuration file.
pub fn run(
    args: &CalibrateArgs,
    load: impl FnOnce(&Path) -> anyhow::Result<Settings>,
) -> anyhow::Result<ExitCode> {
    if !(args.fpir > 0.0 && args.fpir < 1.0) {
        bail!("--fpir {}: expected a share above 0 and below 1, e.g. 0.001", args.fpir);
    }
    let named = args.store.db.is_some() || args.store.config.is_some();
    let place = if named || args.gallery || args.write { Some(args.store.place(load)?) } else { None };
    let settings = place.as_ref().and_then(|p| p.settings.clone());
    let vision = settings.as_ref().map_or_else(VisionSettings::default, |s| s.vision.clone());
    let recognition = settings.as_ref().map_or_else(RecognitionSettings::default, |s| s.recognition.clone());
    let mut eyes = eyes(place.as_ref(), &vision)?;
    let store = place.as_ref().map(Place::open_existing).transpose()?;
    let templates = store.as_ref().map(|s| own_templates(s, &eyes)).transpose()?.unwrap_or_default();
    let enrolled = templates.len();

    let wanted = args.members.unwrap_or(if enrolled > 0 { enrolled } else { MEMBERS });
    let mut looks = Vec::new();
    let scores = match &args.images {
        Some(images) => {
            let mut people = scores::photographed(images, args.held_out, &vision, &mut eyes)?;
            if args.quality {
                looks = by_quality::measure(&mut people, &vision, recognition.margin, &mut eyes)?;
            }
            scores::of_photographs(&people.faces, wanted, recognition.margin)?
        }
        None => scores::of_members(&templates, &eyes, recognition.margin)?,
    };
    let choice =
        scores.choose(args.fpir, wanted).context("there are no scores to choose a threshold from")?;
    let card = eyes.card_threshold().0;
    let calibration = Calibration {
        model: eyes.model_id(),
        // A share that so few scores cannot show is no reason to ask for less than the card does.
        threshold: if choice.is_shown { choice.threshold } else { choice.threshold.max(card) },
        fpir: args.fpir,
        members: wanted,
        scores: scores.strangers.len(),
        found: choice.found,
        source: if args.gallery { "gallery" } else { "images" }.to_owned(),
        made: Timestamp::now(),
    };
    let parts = by_quality::fifths(&looks, choice.threshold);
    if args.json {
        let shown = serde_json::json!({
            "choice": choice, "calibration": calibration, "card": card, "written": args.write,
            "by_quality": parts, "looks": looks
        });
        println!("{shown:#}");
    } else {
        print(&scores, &choice, &calibration, card);
        if args.quality {
            by_quality::print(&looks, &parts, choice.threshold);
        }
    }
    let Some(store) = store.filter(|_| args.write) else {
        if !args.json {
            println!("Nothing was changed: --write puts the threshold where the appliance reads it.");
        }
        return Ok(ExitCode::SUCCESS);
    };
    calibration
        .save(store.folder())
        .with_context(|| format!("cannot write to {}", store.folder().display()))?;
    if !args.json {
        println!("Written. A reload (systemctl reload shopguide) or a restart takes it over.");
    }
    if let Some(value) = recognition.threshold {
        eprintln!(
            "shopguide: [recognition] threshold = {value} in the configuration goes before it: take that out"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The models that the appliance would use.
fn eyes(place: Option<&Place>, vision: &VisionSettings) -> anyhow::Result<Eyes> {
    let Some(place) = place else { return Ok(Eyes::load(vision)?) };
    let admitted = Admission::new(&place.storage.folder).admit(vision);
    for refused in &admitted.refused {
        eprintln!("shopguide: {refused}; {}", refused.remedy());
    }
    Ok(Eyes::load(&admitted.settings)?)
}

/// Templates of the present embedder, member by member.
fn own_templates(store: &Store, eyes: &Eyes) -> anyhow::Result<Vec<Vec<Template>>> {
    let mut check = Gallery::new(eyes.model_id(), eyes.dimensions());
    let mut members: Vec<Vec<Template>> = Vec::new();
    for template in store.templates()? {
        if check.add(&template).is_err() {
            continue;
        }
        match members.last_mut().filter(|m| m[0].member == template.member) {
            Some(member) => member.push(template),
            None => members.push(vec![template]),
        }
    }
    Ok(members)
}

fn print(scores: &Scores, choice: &Choice, made: &Calibration, card: f32) {
    let bars = |values: &[f32]| {
        let mut counts = [0usize; STEPS];
        for value in values {
            let step = ((value - LOWEST) / (1.0 - LOWEST) * STEPS as f32).max(0.0) as usize;
            counts[step.min(STEPS - 1)] += 1;
        }
        let most = counts.iter().max().copied().unwrap_or(0).max(1);
        counts.map(|n| "#".repeat((n * BAR).div_ceil(most)))
    };
    println!("score      {:<BAR$}  members", "strangers");
    let steps = bars(&scores.strangers).into_iter().zip(bars(&scores.own)).enumerate();
    for (step, (strangers, own)) in steps {
        let from = LOWEST + step as f32 * (1.0 - LOWEST) / STEPS as f32;
        let to = from + (1.0 - LOWEST) / STEPS as f32;
        let mark = if (from..to).contains(&made.threshold) { "<" } else { " " };
        println!("{from:>6.2} {mark}   {strangers:<BAR$}  {own}");
    }
    println!(
        "{} scores of strangers against {} members, {} of members against themselves.",
        scores.strangers.len(),
        scores.members,
        scores.own.len()
    );
    println!(
        "Threshold {:.3} for {} members: of strangers {:.2}% per look are taken for one; {:.1}% of members' \
         photographs are recognised. The embedder's card says {card:.3}.",
        made.threshold,
        made.members,
        made.fpir * 100.0,
        choice.found * 100.0
    );
    if !choice.is_shown {
        println!(
            "So few strangers cannot show a share of {:.3}%: the threshold is the highest of theirs, or the \
             card's. More people, or a larger --fpir, say more.",
            made.fpir * 100.0
        );
    }
}
