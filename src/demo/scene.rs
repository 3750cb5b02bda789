//! What one camera of the demo sees: the shop, its light, and the shoppers of the script. A frame
//! is a pure function of the time since the scene began; with it comes the truth about every face.

use super::backdrop;
use super::cast::{Cast, CastId};
use super::draw::{Draw, Realm, step};
use super::light::{Grain, Mood};
use super::raster::Light;
use super::script::{self, Group, ROUND, WalkOn};
use super::shopper::Placement;
use crate::vision::{Point, Rect};
use image::RgbImage;
use serde::Serialize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Width and height of a frame.
pub const SIZE: (u32, u32) = (960, 540);
const SHUTTER_S: f32 = 1.0 / 90.0;

/// The truth about one face in one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueFace {
    /// Whose.
    pub who: CastId,
    /// Forehead to chin, pixels of the frame.
    pub bbox: Rect,
    /// Left eye, right eye (as seen in the frame), nose tip, left and right mouth corner.
    pub landmarks: [Point; 5],
    /// Stands facing the camera, with nobody in the way.
    pub facing: bool,
}

/// A time in which somebody stands and faces a camera, since the scene began.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Facing {
    /// Who.
    pub who: CastId,
    /// Before which camera, from 0.
    pub camera: usize,
    /// From when.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
}

/// The view of one camera.
pub struct Scene {
    seed: u64,
    cast: Arc<Cast>,
    camera: usize,
    members: usize,
    strangers: usize,
    views: [OnceLock<RgbImage>; 5],
    plain: RgbImage,
    grain: Grain,
}

impl Scene {
    /// The view of camera `camera` (from 0, below [`script::CAMERAS`]) of the script under `seed`.
    pub fn new(seed: u64, cast: Arc<Cast>, camera: usize) -> Self {
        let members = cast.ids().filter(|id| matches!(id, CastId::Member(_))).count();
        let strangers = cast.ids().count() - members;
        Scene {
            seed,
            camera,
            members,
            strangers,
            views: Default::default(),
            plain: backdrop::draw(SIZE.0, SIZE.1, seed, camera as u64),
            grain: Grain::new(&mut Draw::new(Realm::Backdrop, seed, 1000 + camera as u64), 2.0),
            cast,
        }
    }

    /// The length of the bounded script: one round, at whose end nobody is before a camera.
    pub fn bounded() -> Duration {
        ROUND
    }

    /// Everyone who stands facing any camera in round `number` (0 is the bounded script), in order
    /// of time.
    pub fn facing(&self, number: u64) -> Vec<Facing> {
        let start = ROUND.as_secs_f64() * number as f64;
        let at = |s: f32| Duration::from_secs_f64(start + f64::from(s));
        let groups = script::round(self.seed, number, self.members, self.strangers);
        let mut all: Vec<Facing> = groups
            .iter()
            .flat_map(|g| &g.walks)
            .map(|w| Facing {
                who: w.who,
                camera: w.camera,
                from: at(w.faces_from),
                until: at(w.faces_until),
            })
            .collect();
        all.sort_by_key(|f| f.from);
        all
    }

    /// The frame at `t` since the scene began, and the faces in it, the farthest first. The script
    /// goes on for ever.
    pub fn frame(&self, t: Duration) -> (RgbImage, Vec<TrueFace>) {
        let number = (t.as_nanos() / ROUND.as_nanos()) as u64;
        let at = (t.as_secs_f64() - ROUND.as_secs_f64() * number as f64) as f32;
        let groups = script::round(self.seed, number, self.members, self.strangers);
        let mine: Vec<&Group> = groups.iter().filter(|g| g.camera == self.camera).collect();
        let now = mine.iter().rposition(|g| g.from <= at);
        let mood = now.map_or(Mood::Even, |i| mine[i].mood);
        let before = now.and_then(|i| i.checked_sub(1)).map_or(Mood::Even, |i| mine[i].mood);
        let share = now.map_or(1.0, |i| step(0.0, 0.8, at - mine[i].from));
        let mut picture = self.backdrop(before, mood, share, at > ROUND.as_secs_f32() - 0.4);
        let mut faces: Vec<TrueFace> = Vec::new();
        if let Some(group) = now.map(|i| mine[i]) {
            let light = group.mood.light(&mut Draw::new(Realm::Picture, self.seed ^ group.light, number));
            for walk in &group.walks {
                if let Some(face) = self.walk_on(&mut picture, walk, at, &light) {
                    for other in &mut faces {
                        other.facing &= !covers(&face.1, other);
                    }
                    faces.extend(face.0);
                }
            }
        }
        self.grain.add(&mut picture, t.as_millis() as u64);
        (picture, faces)
    }

    /// Draws one shopper; the truth about the face, and the area that the shopper hides.
    fn walk_on(
        &self,
        picture: &mut RgbImage,
        walk: &WalkOn,
        at: f32,
        light: &Light,
    ) -> Option<(Option<TrueFace>, Rect)> {
        let moment = walk.moment(at)?;
        let shopper = self.cast.shopper(walk.who)?;
        let (w, h) = (SIZE.0 as f32, SIZE.1 as f32);
        let centre = [moment.x * w, moment.y * h];
        let smear = (moment.speed * w * SHUTTER_S).abs();
        let placement = Placement { centre, head_px: walk.head_px, smear, soft: 0.12 };
        let drawn = shopper.draw(picture, placement, &moment.pose, light);
        let reach = 0.55 * walk.head_px;
        let hides = Rect { x: centre[0] - reach, y: centre[1] - reach, w: 2.0 * reach, h };
        let face = drawn.visible.then_some(TrueFace {
            who: walk.who,
            bbox: drawn.bbox,
            landmarks: drawn.landmarks,
            facing: moment.facing,
        });
        Some((face, hides))
    }

    /// The shop in the light of `mood`, by `share` on the way there from `before`; `closing` fades
    /// back to even light, in which every round begins.
    fn backdrop(&self, before: Mood, mood: Mood, share: f32, closing: bool) -> RgbImage {
        let (before, mood, share) = if closing { (mood, Mood::Even, 1.0) } else { (before, mood, share) };
        let mut picture = self.view(mood).clone();
        if share < 1.0 && before != mood {
            let k = (share * 256.0) as u32;
            let from = self.view(before).as_raw();
            for (p, &q) in picture.as_flat_samples_mut().samples.iter_mut().zip(from) {
                *p = ((u32::from(*p) * k + u32::from(q) * (256 - k)) >> 8) as u8;
            }
        }
        picture
    }

    fn view(&self, mood: Mood) -> &RgbImage {
        let place = Mood::ALL.iter().position(|m| *m == mood).unwrap_or(0);
        self.views[place].get_or_init(|| {
            let mut picture = self.plain.clone();
            let gain = mood.on_background();
            for p in picture.pixels_mut() {
                p.0 = [0, 1, 2].map(|c| (f32::from(p.0[c]) * gain[c]).min(255.0) as u8);
            }
            picture
        })
    }
}

fn covers(area: &Rect, face: &TrueFace) -> bool {
    let inside =
        |p: &Point| p[0] > area.x && p[0] < area.x + area.w && p[1] > area.y && p[1] < area.y + area.h;
    face.landmarks.iter().any(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn scene(camera: usize) -> Scene {
        Scene::new(1, Arc::new(Cast::new(1, 40, 10)), camera)
    }

    #[test]
    fn a_frame_depends_on_its_time_alone() {
        let (a, b) = (scene(0), scene(0));
        let t = Duration::from_millis(2500);
        b.frame(Duration::from_secs(9));
        assert_eq!(a.frame(t), b.frame(t));
        assert!(a.frame(t).1.iter().any(|f| f.facing), "nobody faces the camera at {t:?}");
    }

    #[test]
    fn everyone_is_seen_facing_for_two_seconds_and_landmarks_lie_in_their_box() {
        let scenes = [scene(0), scene(1)];
        let mut seen: BTreeMap<CastId, u32> = BTreeMap::new();
        for i in 0..(Scene::bounded().as_millis() / 500) as u32 {
            for s in &scenes {
                for face in s.frame(Duration::from_millis(500) * i).1 {
                    let b = face.bbox;
                    for p in face.landmarks {
                        assert!(p[0] >= b.x && p[0] <= b.x + b.w && p[1] >= b.y && p[1] <= b.y + b.h);
                    }
                    *seen.entry(face.who).or_default() += u32::from(face.facing);
                }
            }
        }
        for f in scenes[0].facing(0) {
            assert!(seen.get(&f.who).copied().unwrap_or(0) > 4, "{f:?} seen {:?}", seen.get(&f.who));
        }
    }
}
