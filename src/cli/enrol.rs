//! `shopguide enrol`: a member from photographs, for administrators. Consent is recorded before
//! the first template; the photographs stay where they are and are not kept.

use super::settings;
use super::store::operator;
use crate::camera::decode::decode;
use crate::gallery::calibration::Calibration;
use crate::gallery::{Gallery, enrolment};
use crate::privacy::{Consent, Scope, consent};
use crate::storage::{NewMember, Store};
use crate::vision::Eyes;
use crate::vision::admission::Admission;
use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;

/// The arguments of `shopguide enrol`.
#[derive(Debug, Args)]
pub struct EnrolArgs {
    /// Photographs of one person (JPEG or PNG), at least three; the best three are used.
    #[arg(required = true)]
    photographs: Vec<PathBuf>,
    /// Where the person's consent is, e.g. "paper form 12 of 2026-05-01".
    #[arg(long, value_name = "REFERENCE")]
    consent: String,
    /// The token of a card that exists already.
    #[arg(long)]
    card: Option<String>,
    /// The person's name; kept sealed with the member's own key.
    #[arg(long)]
    name: Option<String>,
    /// Enrol although the gallery seems to know this face.
    #[arg(long)]
    again: bool,
    /// Print one JSON object instead of sentences.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: settings::ConfigArg,
}

/// Runs it.
pub fn run(args: &EnrolArgs) -> anyhow::Result<ExitCode> {
    let settings = settings::load(&args.config.config)?;
    // The same models as the daemon's, so that the same are compared.
    let admitted = Admission::new(&settings.storage.folder).admit(&settings.vision);
    for refused in &admitted.refused {
        eprintln!("shopguide: {refused}; {}", refused.remedy());
    }
    let mut eyes = Eyes::load(&admitted.settings)?;
    let mut faces = Vec::new();
    for (position, path) in args.photographs.iter().enumerate() {
        match look(&mut eyes, path) {
            Ok((embedding, quality)) => faces.push((position, embedding, quality)),
            Err(error) => eprintln!("shopguide: {}: not used: {error:#}", path.display()),
        }
    }
    if faces.len() < enrolment::FACES {
        return Err(enrolment::NotEnrolled::TooFew { found: faces.len() }).context("nobody was enrolled");
    }
    let store = Store::open(&settings.storage)?;
    let mut gallery = Gallery::new(eyes.model_id(), eyes.dimensions());
    gallery.extend(store.templates()?);
    let calibrated = Calibration::load(&settings.storage.folder, &eyes.model_id())?.map(|c| c.threshold);
    let threshold = settings.recognition.threshold.or(calibrated).unwrap_or(eyes.card_threshold().0);
    let chosen = enrolment::choose(&faces, &gallery, threshold, args.again).context("nobody was enrolled")?;

    let now = Timestamp::now();
    let consent = Consent {
        scope: Scope::Face,
        version: consent::TEXT.0.to_owned(),
        reference: args.consent.clone(),
        action: "agreed to an administrator".to_owned(),
        at: now,
    };
    let by = operator();
    let new = NewMember {
        token: args.card.clone(),
        name: args.name.clone(),
        contact: None,
        consent,
        by: by.clone(),
    };
    let member = store.add_member(new)?;
    let templates = enrolment::templates(member.id, &eyes.model_id(), &faces, &chosen);
    store.add_templates(member.id, &templates, &by, now)?;

    let used: Vec<String> =
        chosen.iter().filter_map(|i| args.photographs.get(*i)).map(|p| p.display().to_string()).collect();
    if args.json {
        println!("{}", serde_json::json!({"alias": member.alias, "card": member.token, "photographs": used}));
    } else {
        println!("Enrolled {} from {}. Card: {}", member.alias, used.join(", "), member.token);
    }
    Ok(ExitCode::SUCCESS)
}

fn look(
    eyes: &mut Eyes,
    path: &std::path::Path,
) -> anyhow::Result<(crate::vision::Embedding, crate::vision::Quality)> {
    let bytes = std::fs::read(path).context("cannot be read")?;
    let picture = decode(&bytes)?;
    Ok(eyes.enrol(&picture)?)
}
