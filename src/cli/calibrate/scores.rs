//! Where scores come from: people in photographs, of whom some are drawn to be members, or the
//! members of a store. The way from a photograph to a score is the appliance's own.

use super::super::evaluate::photographs::Photographs;
use super::super::evaluate::recognition::portrayed;
use super::super::evaluate::split::held_out;
use crate::gallery::calibration::{NO_VOTE, Scores};
use crate::gallery::{Gallery, Match, Template};
use crate::id::MemberId;
use crate::vision::settings::VisionSettings;
use crate::vision::{Detection, Embedding, Eyes, align, quality};
use anyhow::bail;
use image::RgbImage;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::Path;

/// Photographs that a drawn member is enrolled from.
pub const ENROLLED: usize = 3;
/// Members that a store must have to be each other's strangers.
const LEAST: usize = 30;
/// Times that members are drawn from people in photographs.
const DRAWS: usize = 20;

/// A good face in a photograph.
#[derive(Debug, Clone)]
pub struct Face {
    /// Whose, as a number.
    pub person: usize,
    /// Of which photograph.
    pub name: String,
    /// As the appliance embeds it.
    pub embedding: Embedding,
}

/// People in photographs.
pub struct Photographed {
    /// Where the photographs are.
    pub photographs: Photographs,
    /// The photographs of each person.
    pub names: Vec<Vec<String>>,
    /// The faces that the appliance would embed.
    pub faces: Vec<Face>,
}

/// The face that a photograph is of, found and placed as the appliance does it.
pub fn portrait(picture: &RgbImage, eyes: &mut Eyes) -> anyhow::Result<Option<Detection>> {
    Ok(portrayed(eyes.faces(picture)?, picture.dimensions()))
}

/// Looks at a folder or zip of `<identity>/<image>.jpg`.
pub fn photographed(
    images: &Path,
    only_held_out: bool,
    settings: &VisionSettings,
    eyes: &mut Eyes,
) -> anyhow::Result<Photographed> {
    let mut photographs = Photographs::open(images)?;
    let mut people: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in &photographs.names {
        let Some(identity) = name.rsplit('/').nth(1) else {
            bail!("{name} is in no folder: expected <identity>/<image>.jpg");
        };
        if !only_held_out || held_out(identity) {
            people.entry(identity.to_owned()).or_default().push(name.clone());
        }
    }
    let names: Vec<Vec<String>> = people.into_values().collect();
    let mut faces = Vec::new();
    for (person, names) in names.iter().enumerate() {
        for name in names {
            let picture = photographs.read(name)?;
            let size = picture.dimensions();
            let Some(face) = portrait(&picture, eyes)? else { continue };
            let Some(crop) = align::crop(&picture, &face.landmarks) else { continue };
            let judged = quality::judge(&face, size, Some(&crop), settings.min_face, settings.min_quality);
            if judged.poor.is_none() {
                let embedding = eyes.embed_crop(&crop).map_err(anyhow::Error::msg)?;
                faces.push(Face { person, name: name.clone(), embedding });
            }
        }
    }
    Ok(Photographed { photographs, names, faces })
}

/// Draws `wanted` members (fewer if there are not so many people with enough photographs) again and
/// again, each time with other photographs; their further photographs are searched for, and so are
/// those of everybody else. `margin` is the lead over the second member that a vote needs.
pub fn of_photographs(faces: &[Face], wanted: usize, margin: f32) -> anyhow::Result<Scores> {
    let mut of: BTreeMap<usize, Vec<&Face>> = BTreeMap::new();
    faces.iter().for_each(|f| of.entry(f.person).or_default().push(f));
    let mut candidates: Vec<usize> = of.iter().filter(|(_, f)| f.len() > ENROLLED).map(|(p, _)| *p).collect();
    // As many strangers as members must be left.
    let drawn = wanted.min(candidates.len()).min(of.len() / 2);
    if drawn == 0 {
        bail!(
            "{} people with good faces, of whom {} have more than {ENROLLED} photographs: there must be \
             people to enrol, and strangers beside them",
            of.len(),
            candidates.len()
        );
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut scores = Scores { members: drawn, ..Scores::default() };
    for _ in 0..DRAWS {
        candidates.shuffle(&mut rng);
        let members = &candidates[..drawn];
        let mut gallery = Gallery::new("calibrated", faces[0].embedding.0.len());
        let mut probes = Vec::new();
        for person in members {
            let Some(own) = of.get_mut(person) else { continue };
            own.shuffle(&mut rng);
            for face in &own[..ENROLLED] {
                gallery.add(&template(*person, &face.embedding))?;
            }
            probes.extend(own[ENROLLED..].iter().copied());
        }
        scores.own.extend(probes.iter().map(|f| vote(gallery.search(&f.embedding), id(f.person), margin)));
        let strangers = faces.iter().filter(|f| !members.contains(&f.person));
        scores.strangers.extend(strangers.filter_map(|f| Some(gallery.search(&f.embedding).best?.1)));
    }
    Ok(scores)
}

/// Each template of each member against the centroids of all others, and against that of the own
/// others.
pub fn of_members(members: &[Vec<Template>], eyes: &Eyes, margin: f32) -> anyhow::Result<Scores> {
    if members.len() < LEAST {
        bail!(
            "{} members with templates of {}: at least {LEAST} are needed to be each other's strangers; \
             use --images with photographs of other people",
            members.len(),
            eyes.model_id()
        );
    }
    let mut gallery = Gallery::new(eyes.model_id(), eyes.dimensions());
    for template in members.iter().flatten() {
        gallery.add(template)?;
    }
    let mut scores = Scores { members: members.len() - 1, ..Scores::default() };
    for own in members {
        let Some(member) = own.first().map(|t| t.member) else { continue };
        gallery.remove(member);
        for (at, probe) in own.iter().enumerate() {
            scores.strangers.extend(gallery.search(&probe.embedding).best.map(|(_, score)| score));
            for other in own.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, t)| t) {
                gallery.add(other)?;
            }
            if own.len() > 1 {
                scores.own.push(vote(gallery.search(&probe.embedding), member, margin));
            }
            gallery.remove(member);
        }
        for template in own {
            gallery.add(template)?;
        }
    }
    Ok(scores)
}

/// The score of a search that should find `member`.
pub fn vote(found: Match, member: MemberId, margin: f32) -> f32 {
    match found.best {
        Some((best, score)) if best == member && score - found.second >= margin => score,
        _ => NO_VOTE,
    }
}

fn id(person: usize) -> MemberId {
    MemberId(person as i64)
}

/// A template of a person in photographs.
pub fn template(person: usize, embedding: &Embedding) -> Template {
    Template { member: id(person), model: "calibrated".into(), embedding: embedding.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    fn faces(people: usize, each: usize, spread: f32) -> Vec<Face> {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut faces = Vec::new();
        for person in 0..people {
            let centre: Vec<f32> = (0..64).map(|_| rng.random_range(-1.0..1.0)).collect();
            for _ in 0..each {
                let values = centre.iter().map(|c| c + spread * rng.random_range(-1.0f32..1.0)).collect();
                let embedding = Embedding::towards(values).unwrap();
                faces.push(Face { person, name: String::new(), embedding });
            }
        }
        faces
    }

    #[test]
    fn people_who_lie_apart_get_a_threshold_that_finds_them_all() {
        let scores = of_photographs(&faces(40, 5, 0.3), 15, 0.05).unwrap();
        assert_eq!(
            (scores.members, scores.own.len(), scores.strangers.len()),
            (15, 15 * 2 * 20, 25 * 5 * 20)
        );
        let choice = scores.choose(0.01, 15).unwrap();
        assert!(choice.found > 0.99 && choice.strangers_above <= 0.01, "{choice:?}");
    }

    #[test]
    fn too_few_people_are_refused_in_words() {
        let error = of_photographs(&faces(4, 2, 0.3), 10, 0.05).unwrap_err().to_string();
        assert!(error.contains("4 people") && error.contains("strangers"), "{error}");
    }

    #[test]
    fn another_member_who_is_nearer_or_too_near_is_no_vote() {
        let found = |best: i64, second| Match { best: Some((MemberId(best), 0.8)), second };
        assert_eq!(vote(found(1, 0.3), MemberId(1), 0.05), 0.8);
        assert_eq!(vote(found(1, 0.78), MemberId(1), 0.05), NO_VOTE);
        assert_eq!(vote(found(2, 0.3), MemberId(1), 0.05), NO_VOTE);
    }
}
