//! Recognition on photographs of known people, on the daemon's own path: detect, align, embed. Ours
//! and the models by others get the very same aligned crops.

use super::groups::{self, Group, GroupFigure};
use super::open_set::{Figure, OpenSet};
use super::pairs::Pairs;
use super::photographs::Photographs;
use super::{Recognition, split};
use crate::cli::table::{percent, table};
use crate::vision::align::{self, SIDE};
use crate::vision::card::Task;
use crate::vision::embed::Embedder;
use crate::vision::settings::VisionSettings;
use crate::vision::{Detection, Embedding, Eyes, quality};
use anyhow::bail;
use image::RgbImage;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Photographs that each member is enrolled from, one open-set figure each.
const ENROLLED: [usize; 2] = [1, 3];

/// One model's figures; shares are fractions.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Name and version of the embedder's card.
    pub model: String,
    /// Share of same-person pairs accepted, by the share of other pairs accepted; `None` where nobody
    /// has two faces.
    pub tar: BTreeMap<&'static str, Option<f64>>,
    /// Members among strangers.
    pub open_set: Vec<Figure>,
    /// Share of faces whose nearest stranger's face is at or above the card's threshold.
    pub collapsed: f64,
    /// That threshold.
    pub collapsed_threshold: f32,
    /// The same figures by group, if they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupFigure>,
}

/// What the photographs gave, ours first.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Photographs read.
    pub images: usize,
    /// People in them.
    pub identities: usize,
    /// Share of photographs in which a face was found (1 for aligned ones, which are not searched).
    pub found: f64,
    /// Share of found faces that the daemon would not embed, by reason.
    pub poor: BTreeMap<String, f64>,
    /// Our figures.
    #[serde(flatten)]
    pub own: Figures,
    /// Models by others on the same crops.
    pub peers: Vec<Figures>,
}

/// What was found in the photographs, one entry a face.
#[derive(Default)]
struct Faces {
    identities: Vec<usize>,
    groups: Vec<Vec<Group>>,
    poor: BTreeMap<String, f64>,
}

/// A model and its vectors, one a face.
struct Model {
    name: String,
    threshold: f32,
    vectors: Vec<Embedding>,
}

impl Model {
    fn new(name: String, threshold: f32) -> Model {
        Model { name, threshold, vectors: Vec::new() }
    }

    fn figures(&self, faces: &Faces, arguments: &Recognition) -> Figures {
        let pairs = Pairs::of(&faces.identities, &self.vectors);
        let sets = ENROLLED
            .iter()
            .filter_map(|&enrol| OpenSet::of(&faces.identities, &self.vectors, arguments.members, enrol));
        let sets: Vec<OpenSet> = sets.collect();
        let tar = [("1e-3", 1e-3), ("1e-4", 1e-4)];
        let known = groups::Known {
            identities: &faces.identities,
            groups: &faces.groups,
            vectors: &self.vectors,
            nearest_stranger: &pairs.nearest_stranger,
            open_set: sets.last(),
            card_threshold: self.threshold,
            threshold_1e_3: pairs.threshold(1e-3),
        };
        Figures {
            model: self.name.clone(),
            tar: tar.map(|(name, far)| (name, pairs.tar(far))).into(),
            open_set: sets.iter().map(|set| set.figure(self.threshold)).collect(),
            collapsed: pairs.collapsed(self.threshold),
            collapsed_threshold: self.threshold,
            groups: if arguments.groups { groups::figures(&known) } else { Vec::new() },
        }
    }
}

/// The face that a portrait is of: the one nearest the middle.
pub fn portrayed(faces: Vec<Detection>, (width, height): (u32, u32)) -> Option<Detection> {
    let off = |f: &Detection| {
        let dx = f.bbox.x + f.bbox.w / 2.0 - width as f32 / 2.0;
        let dy = f.bbox.y + f.bbox.h / 2.0 - height as f32 / 2.0;
        dx.hypot(dy)
    };
    faces.into_iter().min_by(|a, b| off(a).total_cmp(&off(b)))
}

/// The photographs to read, by person.
fn people(photographs: &Photographs, arguments: &Recognition) -> anyhow::Result<Vec<Vec<String>>> {
    let mut people: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for name in &photographs.names {
        let Some(identity) = split::identity(name) else {
            bail!("{name} is in no folder: expected <identity>/<image>.jpg");
        };
        if !arguments.held_out || split::held_out(identity) {
            people.entry(identity).or_default().push(name.clone());
        }
    }
    Ok(people.into_values().take(arguments.identities.unwrap_or(usize::MAX)).collect())
}

/// The aligned crop of the portrayed face. A picture that is aligned already is its own crop.
fn crop(
    eyes: &mut Eyes,
    picture: RgbImage,
    aligned: bool,
    faces: &mut Faces,
) -> anyhow::Result<Option<(RgbImage, Vec<Group>)>> {
    if aligned {
        if picture.dimensions() != (SIDE, SIDE) {
            bail!("a picture of {:?} pixels: --aligned expects {SIDE}x{SIDE}", picture.dimensions());
        }
        return Ok(Some((picture, Vec::new())));
    }
    let Some(face) = portrayed(eyes.faces(&picture)?, picture.dimensions()) else { return Ok(None) };
    let Some(crop) = align::crop(&picture, &face.landmarks) else { return Ok(None) };
    let VisionSettings { min_face, min_quality, .. } = VisionSettings::default();
    let judged = quality::judge(&face, picture.dimensions(), Some(&crop), min_face, min_quality);
    if let Some(reason) = judged.poor {
        *faces.poor.entry(format!("{reason:?}")).or_default() += 1.0;
    }
    let groups = groups::by_quality(&face, &crop);
    Ok(Some((crop, groups)))
}

/// Reads, finds, embeds and judges.
pub fn evaluate(arguments: &Recognition) -> anyhow::Result<Report> {
    let mut photographs = Photographs::open(&arguments.images)?;
    let people = people(&photographs, arguments)?;
    let images: usize = people.iter().map(Vec::len).sum();
    let mut eyes = Eyes::load(&arguments.models.settings())?;
    let mut peers = Vec::new();
    for card in arguments.peers.chosen(Task::Embed)? {
        let embedder = Embedder::open_with(&card, &arguments.peers.references.weights)?;
        let model = Model::new(embedder.card().id(), embedder.card().threshold.matching);
        peers.push((embedder, model));
    }
    let mut own = Model::new(eyes.model_id(), eyes.card_threshold().0);
    let mut faces = Faces::default();
    let bar = super::bar(images);
    for (identity, names) in people.iter().enumerate() {
        for name in names {
            bar.inc(1);
            let picture = photographs.read(name)?;
            let Some((crop, mut groups)) = crop(&mut eyes, picture, arguments.aligned, &mut faces)? else {
                continue;
            };
            groups.extend(groups::by_name(name.rsplit('/').next().unwrap_or(name)));
            own.vectors.push(eyes.embed_crop(&crop).map_err(anyhow::Error::msg)?);
            for (embedder, model) in &mut peers {
                model.vectors.push(embedder.embed(&crop).map_err(anyhow::Error::msg)?);
            }
            faces.identities.push(identity);
            faces.groups.push(groups);
        }
    }
    bar.finish_and_clear();
    let found = faces.identities.len();
    if found == 0 {
        bail!("no face was found in {images} photographs");
    }
    faces.poor.values_mut().for_each(|count| *count /= found as f64);
    Ok(Report {
        images,
        identities: people.len(),
        found: found as f64 / images as f64,
        own: own.figures(&faces, arguments),
        peers: peers.iter().map(|(_, model)| model.figures(&faces, arguments)).collect(),
        poor: faces.poor,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} photographs of {} people; a face found in {}",
            self.images,
            self.identities,
            percent(Some(self.found))
        )?;
        for (reason, share) in &self.poor {
            writeln!(f, "not good enough to embed: {} ({reason})", percent(Some(*share)))?;
        }
        let models: Vec<&Figures> = std::iter::once(&self.own).chain(&self.peers).collect();
        let rows: Vec<Vec<String>> = models
            .iter()
            .map(|m| {
                let tar = |name| percent(m.tar.get(name).copied().flatten());
                let collapsed = percent(Some(m.collapsed));
                vec![
                    m.model.clone(),
                    tar("1e-3"),
                    tar("1e-4"),
                    collapsed,
                    format!("{:.3}", m.collapsed_threshold),
                ]
            })
            .collect();
        writeln!(f, "\n{}", table(&["pairs", "TAR 1e-3", "TAR 1e-4", "collapsed", "at card's"], &rows))?;
        let row = |m: &Figures, o: &Figure| {
            let share = |s: f64| percent(Some(s));
            vec![
                m.model.clone(),
                format!("{} x {}", o.members, o.enrol),
                share(o.dir_far_1pct),
                format!("{:.3}", o.threshold),
                share(o.dir_far_0_1pct),
                format!("{:.3}", o.threshold_0_1pct),
                share(o.dir_at_card),
                share(o.far_at_card),
            ]
        };
        let rows: Vec<Vec<String>> =
            models.iter().flat_map(|m| m.open_set.iter().map(|o| row(m, o))).collect();
        let header = [
            "open set",
            "members",
            "DIR 1%",
            "threshold",
            "DIR 0.1%",
            "threshold",
            "DIR at card's",
            "FAR at card's",
        ];
        if rows.is_empty() {
            writeln!(f, "no open set: too few people have more than one photograph")?;
        } else {
            write!(f, "{}", table(&header, &rows))?;
        }
        groups_table(f, &models)
    }
}

fn groups_table(f: &mut fmt::Formatter<'_>, models: &[&Figures]) -> fmt::Result {
    if models.iter().all(|m| m.groups.is_empty()) {
        return Ok(());
    }
    let count = models.iter().map(|m| m.groups.len()).min().unwrap_or(0);
    let row = |m: &Figures, g: &GroupFigure| {
        vec![
            format!("{} {}", g.kind, g.group),
            g.faces.to_string(),
            m.model.clone(),
            g.false_match_rate.map_or_else(|| "-".into(), |rate| format!("{rate:.1e}")),
            percent(Some(g.collapsed)),
            percent(g.tar_1e_3),
            percent(g.dir_far_1pct),
            percent(g.dir_far_0_1pct),
            percent(g.strangers_accepted),
        ]
    };
    let rows: Vec<Vec<String>> =
        (0..count).flat_map(|at| models.iter().map(move |m| row(m, &m.groups[at]))).collect();
    let header = [
        "group",
        "faces",
        "model",
        "false matches",
        "collapsed",
        "TAR 1e-3",
        "DIR 1%",
        "DIR 0.1%",
        "strangers taken",
    ];
    write!(f, "\n{}", table(&header, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::Rect;

    #[test]
    fn a_portrait_is_of_the_face_nearest_the_middle_even_if_another_is_larger() {
        let face = |x: f32, w: f32| Detection {
            bbox: Rect { x, y: 80.0, w, h: w },
            landmarks: [[0.0; 2]; 5],
            score: 0.9,
        };
        let chosen = portrayed(vec![face(0.0, 90.0), face(85.0, 40.0), face(150.0, 60.0)], (200, 200));
        assert_eq!(chosen.map(|f| f.bbox.x), Some(85.0));
        assert_eq!(portrayed(vec![], (200, 200)), None);
    }
}
