//! Who walks where and when. A script is a row of rounds of [`ROUND`] each; a round is drawn from
//! the seed and its number, so any moment can be asked for without playing what came before. In
//! every round each walk-on stands facing a camera for at least 3 s, the shop is empty at both
//! ends, and nobody is before two cameras.

use super::cast::CastId;
use super::draw::{Draw, Realm, mix, noise, step};
use super::light::Mood;
use super::shopper::Pose;
use std::time::Duration;

/// Length of a round.
pub const ROUND: Duration = Duration::from_secs(52);
/// Cameras of the demo.
pub const CAMERAS: usize = 2;
const TURN: f32 = 0.55;

/// One person's way: in from a side, a stop before the camera, and out again.
#[derive(Debug, Clone, PartialEq)]
pub struct WalkOn {
    /// Who.
    pub who: CastId,
    /// Before which camera, from 0.
    pub camera: usize,
    /// Comes into view, seconds into the round.
    pub enters: f32,
    /// Stands and faces the camera from here, seconds into the round.
    pub faces_from: f32,
    /// And until here.
    pub faces_until: f32,
    /// Out of view.
    pub leaves: f32,
    /// Where the middle of the head stops, 0 (left) to 1 (right) of the frame.
    pub stop: f32,
    /// Comes from and leaves to the left.
    pub from_left: bool,
    /// Height of the head, pixels of the frame.
    pub head_px: f32,
    /// Height of the eyes in the frame, 0 (top) to 1.
    pub level: f32,
    /// Seeds the small movements.
    pub sway: u32,
}

/// People before one camera at the same time, and the light they stand in.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Before which camera, from 0.
    pub camera: usize,
    /// The light begins to change to this group's, seconds into the round.
    pub from: f32,
    /// Everybody has left.
    pub until: f32,
    /// The light.
    pub mood: Mood,
    /// Seeds the light.
    pub light: u64,
    /// Who comes, the farthest first.
    pub walks: Vec<WalkOn>,
}

/// The groups of round `number` under `seed`, in order of time for each camera. `members` and
/// `strangers` are what there is to choose from.
pub fn round(seed: u64, number: u64, members: usize, strangers: usize) -> Vec<Group> {
    let d = &mut Draw::new(Realm::Script, seed, number);
    let mut come: Vec<usize> = rotation(members, seed, number, 12);
    let mut pass: Vec<usize> = rotation(strangers, seed ^ 0x57, number, 6);
    let mut groups = Vec::new();
    for camera in 0..CAMERAS {
        let mut clock = if camera == 0 { 0.0 } else { 2.2 };
        for nth in 0..6 {
            // members and strangers of each group
            let (m, s) = if nth == 0 {
                (1, 0)
            } else {
                *d.pick(&[(1, 0), (1, 1), (2, 0), (0, 1), (1, 1), (2, 1), (0, 1)])
            };
            let mut who: Vec<CastId> = (0..m).filter_map(|_| come.pop()).map(CastId::Member).collect();
            who.extend((0..s).filter_map(|_| pass.pop()).map(CastId::Stranger));
            if who.is_empty() {
                who.extend(come.pop().map(CastId::Member));
            }
            if who.is_empty() {
                continue;
            }
            let first = camera == 0 && nth == 0;
            let group = gather(d, camera, clock, &who, first);
            if group.until > ROUND.as_secs_f32() - 0.5 {
                break;
            }
            clock = group.until + d.uniform(0.3, 1.0);
            groups.push(group);
        }
    }
    groups
}

/// `take` of `0..n`, such that successive rounds go through all before anybody comes again.
fn rotation(n: usize, seed: u64, round: u64, take: usize) -> Vec<usize> {
    if n == 0 {
        return Vec::new();
    }
    let take = take.min(n);
    let per_pass = n.div_ceil(take) as u64;
    let d = &mut Draw::new(Realm::Script, seed, 1 << 32 | (round / per_pass));
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, d.below(i + 1));
    }
    let start = (round % per_pass) as usize * take;
    order.iter().cycle().skip(start).take(take).copied().collect()
}

fn gather(d: &mut Draw, camera: usize, clock: f32, who: &[CastId], first: bool) -> Group {
    let mood = if first { Mood::Even } else { *d.pick(&Mood::ALL) };
    let many = who.len();
    let left_first = d.chance(0.5);
    let mut walks = Vec::new();
    let largest = [235.0, 185.0, 140.0][(many - 1).min(2)];
    for (i, &who) in who.iter().enumerate() {
        let place = (i as f32 + 0.5) / many as f32;
        let stop =
            if many == 1 { d.uniform(0.34, 0.66) } else { mix(0.12, 0.88, place) + d.uniform(-0.03, 0.03) };
        let from_left = if (stop - 0.5).abs() < 0.1 { left_first } else { stop < 0.5 };
        let head_px = if first { 170.0 } else { 95.0 * (largest / 95.0f32).powf(d.uniform(0.0, 1.0)) };
        let way = 0.2 + if from_left { stop } else { 1.0 - stop };
        let walk = if first { 1.3 } else { (1.1 + 2.1 * way) * d.uniform(0.9, 1.15) };
        let enters = clock + if first { 0.0 } else { 0.8 } + 0.7 * i as f32 * d.uniform(0.4, 1.0);
        let faces_from = enters + walk + TURN;
        let faces_until = faces_from + d.uniform(3.3, if many > 1 { 5.0 } else { 4.6 });
        walks.push(WalkOn {
            who,
            camera,
            enters,
            faces_from,
            faces_until,
            leaves: faces_until + TURN + walk,
            stop,
            from_left,
            head_px,
            level: d.uniform(0.30, 0.42),
            sway: d.seed() as u32,
        });
    }
    walks.sort_by(|a, b| a.head_px.total_cmp(&b.head_px));
    let until = walks.iter().map(|w| w.leaves).fold(clock, f32::max);
    Group { camera, from: clock, until, mood, light: d.seed(), walks }
}

/// Where and how a walk-on is at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Middle of the head, 0..1 of the frame's width (outside when not yet or no longer in view).
    pub x: f32,
    /// Height of the eyes, 0..1 of the frame's height.
    pub y: f32,
    /// Frame widths a second, towards the right.
    pub speed: f32,
    /// Head and face.
    pub pose: Pose,
    /// Stands and faces the camera.
    pub facing: bool,
}

impl WalkOn {
    /// The moment `at` seconds into the round; `None` when out of view.
    pub fn moment(&self, at: f32) -> Option<Moment> {
        if at < self.enters || at > self.leaves {
            return None;
        }
        let outside = if self.from_left { -0.16 } else { 1.16 };
        let inward = if self.from_left { 1.0 } else { -1.0 };
        let (arrive, depart) = (self.faces_from - TURN, self.faces_until + TURN);
        let (walked, heading) = if at < arrive {
            ((at - self.enters) / (arrive - self.enters), inward)
        } else if at > depart {
            ((self.leaves - at) / (self.leaves - depart), -inward)
        } else {
            (1.0, if at < 0.5 * (arrive + depart) { inward } else { -inward })
        };
        // slows down before the stop: speed falls to 0 there
        let eased = walked * (1.6 - 0.6 * walked * walked).min(2.0 - walked);
        let slope = 0.8 * (2.0 - 2.0 * walked).min(1.5)
            / if at < arrive { arrive - self.enters } else { self.leaves - depart };
        let moving = at < arrive || at > depart;
        let x = mix(outside, self.stop, eased.min(1.0));
        let away = 1.0 - step(arrive - 0.25, self.faces_from, at) * step(depart + 0.2, self.faces_until, at);
        let seed = self.sway;
        let small = |k: u32, speed: f32| noise(seed ^ k, at * speed, 0.5);
        let bob = if moving { 0.008 * (at * 11.0).sin() * (1.0 - walked).min(0.4) / 0.4 } else { 0.0 };
        let blinking =
            (0..8).map(|i| self.faces_from + 0.9 + 2.3 * i as f32 + 0.8 * noise(seed, i as f32 * 3.7, 9.0));
        let blink = blinking.map(|b| step(0.13, 0.05, (at - b).abs())).fold(0.0, f32::max);
        Some(Moment {
            x: x + 0.006 * small(1, 0.5),
            y: self.level + bob + 0.006 * small(2, 0.4),
            speed: if moving { slope * (self.stop - outside).abs() * heading } else { 0.0 },
            pose: Pose {
                yaw: away * heading * 62.0 + (1.0 - away) * (9.0 * small(3, 0.55) + 3.0 * small(4, 1.7)),
                pitch: -2.0 + 5.0 * small(5, 0.5),
                roll: 4.0 * small(6, 0.4),
                body: away * heading * 55.0 + (1.0 - away) * 8.0 * small(7, 0.3),
                blink,
                smile: 0.35 + 0.6 * small(8, 0.35),
            },
            facing: at >= self.faces_from && at <= self.faces_until,
        })
    }

    /// How long this walk-on faces the camera.
    pub fn faces_for(&self) -> Duration {
        Duration::from_secs_f32((self.faces_until - self.faces_from).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn everyone_in_a_round_faces_a_camera_for_two_seconds_and_only_one_camera() {
        for number in 0..30 {
            let groups = round(1, number, 40, 10);
            let mut seen = BTreeSet::new();
            let (mut members, mut strangers) = (0, 0);
            for walk in groups.iter().flat_map(|g| &g.walks) {
                assert!(walk.faces_for() >= Duration::from_secs(2), "{walk:?}");
                assert!(walk.leaves < ROUND.as_secs_f32());
                assert!(seen.insert(walk.who), "{:?} comes twice in round {number}", walk.who);
                match walk.who {
                    CastId::Member(_) => members += 1,
                    CastId::Stranger(_) => strangers += 1,
                }
            }
            assert!(
                members >= 4 && strangers >= 1,
                "round {number}: {members} members, {strangers} strangers"
            );
        }
    }

    #[test]
    fn the_first_member_faces_a_camera_within_three_seconds() {
        let walk = round(1, 0, 40, 10)[0].walks[0].clone();
        assert!(matches!(walk.who, CastId::Member(_)) && walk.faces_from < 3.0, "{walk:?}");
    }

    #[test]
    fn members_take_turns_before_anybody_comes_again() {
        let come: BTreeSet<usize> = (0..4).flat_map(|r| rotation(40, 1, r, 12)).collect();
        assert_eq!(come.len(), 40);
    }

    #[test]
    fn nobody_jumps() {
        for walk in round(3, 1, 40, 10).iter().flat_map(|g| &g.walks) {
            let at = |i: u32| walk.moment(walk.enters + 0.01 * i as f32);
            let mut i = 1;
            while let (Some(a), Some(b)) = (at(i - 1), at(i)) {
                assert!((a.x - b.x).abs() < 0.015 && (a.pose.yaw - b.pose.yaw).abs() < 6.0, "{a:?} {b:?}");
                i += 1;
            }
            assert!(i > 300);
        }
    }
}
