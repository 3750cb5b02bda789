//! Who plays: some dozens of members with a face and some strangers, chosen so that no two look
//! alike. Their meshes and paint are made when first needed and kept.

use super::draw::{Draw, Realm};
use super::export::any_pose;
use super::light::{Grain, Mood};
use super::likeness::Likeness;
use super::look::ShopperLook;
use super::shopper::{Placement, Pose, Shopper};
use super::{backdrop, scene::SIZE};
use image::RgbImage;
use serde::Serialize;
use std::sync::OnceLock;

/// One of the cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CastId {
    /// A member of the demo's store: its place in [`super`].
    Member(usize),
    /// Somebody who never opted in.
    Stranger(usize),
}

/// The [`Likeness::distance`] that the choice of a cast begins to ask for between two members, and
/// between a stranger and a member. It asks for less, in small steps, when nobody so different turns
/// up among [`TRIES`] draws.
const APART: [f32; 2] = [0.28, 0.28];
const TRIES: usize = 5000;
const EASED: f32 = 0.985;

/// One player: who, what they look like, and their meshes once made.
struct Player {
    id: CastId,
    look: ShopperLook,
    shopper: OnceLock<Shopper>,
}

/// The demo's cast.
pub struct Cast {
    seed: u64,
    players: Vec<Player>,
}

impl Cast {
    /// Chooses `members` members and `strangers` strangers under `seed`, as different from each
    /// other as can be found. Looks come from realms of their own.
    pub fn new(seed: u64, members: usize, strangers: usize) -> Self {
        let mut players: Vec<Player> = Vec::new();
        let mut taken: Vec<Likeness> = Vec::new();
        for (realm, count, mut apart) in
            [(Realm::Member, members, APART[0]), (Realm::Stranger, strangers, APART[1])]
        {
            let mut number = 0;
            for i in 0..count {
                let id = if realm == Realm::Member { CastId::Member(i) } else { CastId::Stranger(i) };
                let mut tries = 0;
                let (look, likeness) = loop {
                    let look = ShopperLook::draw(realm, seed, number);
                    let likeness = Likeness::of(&look);
                    number += 1;
                    tries += 1;
                    if tries % TRIES == 0 {
                        apart *= EASED;
                    }
                    if taken.iter().all(|t| t.distance(&likeness) >= apart) {
                        break (look, likeness);
                    }
                };
                taken.push(likeness);
                players.push(Player { id, look, shopper: OnceLock::new() });
            }
        }
        Cast { seed, players }
    }

    /// Everybody, members first.
    pub fn ids(&self) -> impl Iterator<Item = CastId> + '_ {
        self.players.iter().map(|p| p.id)
    }

    /// What `id` looks like; `None` if not of this cast.
    pub fn look(&self, id: CastId) -> Option<&ShopperLook> {
        self.players.iter().find(|p| p.id == id).map(|p| &p.look)
    }

    /// `id` ready to be drawn; `None` if not of this cast. The first call takes some tens of
    /// milliseconds.
    pub fn shopper(&self, id: CastId) -> Option<&Shopper> {
        let player = self.players.iter().find(|p| p.id == id)?;
        Some(player.shopper.get_or_init(|| Shopper::new(&player.look, self.seed, 0)))
    }

    /// Makes the meshes of everybody now; `done(n)` is called after each.
    pub fn prepare(&self, mut done: impl FnMut(usize)) {
        for (n, player) in self.players.iter().enumerate() {
            player.shopper.get_or_init(|| Shopper::new(&player.look, self.seed, 0));
            done(n + 1);
        }
    }

    /// `n` photos for enrolment, 480x480, taken on other days than the scenes: other clothes, other
    /// light, slightly other poses. Empty if `id` is not of this cast.
    pub fn photos(&self, id: CastId, n: usize) -> Vec<RgbImage> {
        let Some(look) = self.look(id) else { return Vec::new() };
        let day = Shopper::new(look, self.seed, 1);
        (0..n).map(|i| self.photo(&day, look, i)).collect()
    }

    fn photo(&self, shopper: &Shopper, look: &ShopperLook, number: usize) -> RgbImage {
        let d = &mut Draw::new(Realm::Picture, self.seed, u64::from(look.grain) << 8 | number as u64);
        let mood = [Mood::Even, Mood::Bright, Mood::Warm][number % 3];
        let light = mood.light(d);
        let view = backdrop::draw(SIZE.0, SIZE.1, self.seed, 90 + number as u64);
        let mut picture = image::imageops::crop_imm(&view, d.below(480) as u32, 40, 480, 480).to_image();
        let turned = [0.0, -13.0, 13.0][number % 3];
        let pose =
            Pose { yaw: turned + d.normal(0.0, 3.0), pitch: d.normal(0.0, 4.0), blink: 0.0, ..any_pose(d) };
        let centre = [240.0 + d.uniform(-25.0, 25.0), 190.0 + d.uniform(-15.0, 15.0)];
        let head_px = d.uniform(180.0, 235.0);
        shopper.draw(&mut picture, Placement { centre, head_px, smear: 0.0, soft: 0.1 }, &pose, &light);
        let sd = d.uniform(0.8, 2.2);
        Grain::new(d, sd).add(&mut picture, number as u64);
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_in_the_cast_looks_like_anybody_else() {
        let cast = Cast::new(1, 40, 10);
        let all: Vec<_> = cast.ids().collect();
        assert_eq!(all.len(), 50);
        let likeness = |id| Likeness::of(cast.look(id).unwrap());
        for (i, &a) in all.iter().enumerate() {
            for &b in &all[..i] {
                let apart = likeness(a).distance(&likeness(b));
                assert!(apart > 0.15, "{a:?} and {b:?} are only {apart} apart");
            }
        }
    }

    #[test]
    fn photos_are_the_same_every_time_and_differ_among_themselves() {
        let cast = Cast::new(1, 2, 0);
        let (a, b) = (cast.photos(CastId::Member(1), 3), cast.photos(CastId::Member(1), 3));
        assert_eq!(a, b);
        assert_ne!(a[0], a[1]);
        assert!(cast.photos(CastId::Stranger(7), 3).is_empty());
    }
}
